/*  test_list_as_of - lists as of a position or time: every filter, order and way, against each task looked up one
    by one as of then; and pages of a ledger that grows meanwhile.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "ledger_fixture.h"
#include "sqlite/reader/reader_bounds.h"

#define TASKS 60

typedef struct {
    uint64_t seed;
    bool terminal [TASKS], created [TASKS];
    int64_t first [TASKS];          // Position of its first event, 0: none yet
    int64_t head;
} s_source_t;

static unsigned
s_random (s_source_t *self)
{
    self->seed = self->seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned) (self->seed >> 33);
}

//  Append one event. 'disorder' is how far its time may be out of order.
static void
s_event (fixture_t *fixture, s_source_t *self, unsigned disorder)
{
    static const char *const states [] = { "running", "paused", "passed", "failed" };
    unsigned task = s_random (self) % (1 + (unsigned) self->head / 6 % TASKS), what = s_random (self) % 8;
    unsigned time = 1000 + (unsigned) self->head * 10 + (disorder? s_random (self) % disorder: 0);
    char text [512] = "";
    if (what < 3 && !self->created [task]) {
        snprintf (text, sizeof text, "'type':'task.created','title':'','description':'','role':'r%u'%s",
            s_random (self) % 3, s_random (self) % 2? ",'parent_id':'t1','user_id':'ann'": "");
        self->created [task] = true;
    }
    else
    if (what < 5) {
        unsigned state = s_random (self) % 4;
        snprintf (text, sizeof text, "'type':'task.state_changed','state':'%s'%s",
            self->terminal [task]? "queued": states [state], s_random (self) % 4? "": ",'error_message':'e'");
        self->terminal [task] = !self->terminal [task] && state >= 2;
    }
    else
    if (what < 6)
        snprintf (text, sizeof text, "'type':'task.updated','role':'r%u','model':'m%u'",
            s_random (self) % 3, s_random (self) % 2);
    else
        snprintf (text, sizeof text, what < 7? "'type':'task.output_added','output_type':'log','content':''":
            "'type':'task.metric_recorded','name':'n','value':1");
    self->head = fixture_append (fixture, "{%s,'task_id':'t%u','time':%u}", text, task, time);
    if (!self->first [task])
        self->first [task] = self->head;
}

//  -- the expected list -----------------------------------------------------------------

typedef struct {
    json_t *record;
    int64_t time, key;
} s_row_t;

static int s_sign;

static int
s_compare (const void *one, const void *other)
{
    const s_row_t *a = one, *b = other;
    int order = a->time == b->time? (a->key > b->key) - (a->key < b->key): a->time > b->time? 1: -1;
    return order * s_sign;
}

static bool
s_is (const json_t *record, const char *key, const char *word)
{
    const char *text = json_string_value (json_object_get (record, key));
    return text && strcmp (text, word) == 0;
}

static bool
s_passes (const json_t *record, const stele_filter_t *filter)
{
    int64_t completed = json_integer_value (json_object_get (record, "completed_at"));
    return (!filter->states || s_is (record, "state", "running") || s_is (record, "state", "failed"))
        && (!filter->role_count || s_is (record, "role", "r1"))
        && (!filter->user_id.text || s_is (record, "user_id", "ann"))
        && (!filter->parent_id.text || s_is (record, "parent_id", "t1"))
        && (!filter->completed_from_us || completed >= filter->completed_from_us)
        && (!filter->has_error || json_integer_value (json_object_get (record, "error_count")) > 0);
}

//  The tasks that pass as of then, in order. Caller owns return value.
static json_t *
s_expect (fixture_t *fixture, const s_source_t *source, const stele_filter_t *filter)
{
    static const char *const keys [] = { "created_at", "updated_at", "completed_at" };
    s_row_t rows [TASKS];
    size_t count = 0;
    for (int task = 0; task < TASKS; task++) {
        char id [16];
        snprintf (id, sizeof id, "t%d", task);
        json_t *found = json_array ();
        stele_reader_task_at (fixture->reader, id, strlen (id), filter->position, filter->time_us,
            fixture_add, found);
        json_t *record = json_array_get (found, 0);
        json_t *time = json_object_get (record, keys [filter->order / 2]);
        if (record && time && s_passes (record, filter))
            rows [count++] = (s_row_t) { json_incref (record), json_integer_value (time), source->first [task] };
        json_decref (found);
    }
    s_sign = filter->order % 2? 1: -1;
    qsort (rows, count, sizeof *rows, s_compare);
    json_t *list = json_array ();
    for (size_t i = 0; i < count; i++)
        json_array_append_new (list, rows [i].record);
    return list;
}

//  All pages. 'between' is called after each. Caller owns return value.
static json_t *
s_list (fixture_t *fixture, stele_filter_t filter, s_source_t *growing)
{
    json_t *list = json_array ();
    stele_page_t next;
    do {
        size_t before = json_array_size (list);
        assert_int_equal (stele_reader_tasks (fixture->reader, &filter, fixture_add, list, &next), 0);
        assert_true (json_array_size (list) - before <= (size_t) filter.limit);
        assert_true (!next.more || next.cut || json_array_size (list) - before == (size_t) filter.limit);
        filter.has_cursor = true;
        filter.cursor_time = next.time;
        filter.cursor_key = next.key;
        filter.cursor_skip = next.skip;
        filter.position = next.position;
        for (int i = 0; growing && i < 5; i++)
            s_event (fixture, growing, 0);
    } while (next.more);
    return list;
}

static void
s_assert_list (fixture_t *fixture, s_source_t *source, stele_filter_t filter)
{
    for (int order = 0; order <= STELE_ORDER_COMPLETED_ASC; order++) {
        filter.order = (stele_order_t) order;
        filter.limit = 1 + s_random (source) % 20;
        filter.offset = s_random (source) % 4? 0: s_random (source) % 10;
        json_t *expected = s_expect (fixture, source, &filter);
        bool complete;
        if (order < STELE_ORDER_COMPLETED_DESC) {
            int64_t total = stele_reader_task_total (fixture->reader, &filter, &complete);
            if (complete)
                assert_int_equal (total, json_array_size (expected));
        }
        for (int64_t i = 0; i < filter.offset; i++)
            json_array_remove (expected, 0);
        json_t *list = s_list (fixture, filter, NULL);
        char *text = json_dumps (expected, JSON_SORT_KEYS | JSON_COMPACT);
        fixture_assert_json (list, text);
        free (text);
        json_decref (list);
        json_decref (expected);
    }
}

//  Bounds for every way: so large that no page is cut, and so small that every page is
static const stele_reader_bounds_t s_bounds [] = {
    { 100000, 100000, 20000, 2000, 500000 }, { 100000, 100000, 0, 2000, 500000 }, { 100000, 100000, 0, 3, 500000 },
    { 1, 1, 0, 3, 500000 }, { 1, 1, 20000, 2000, 500000 }
};

static void
s_assert_moments (fixture_t *fixture, s_source_t *source)
{
    stele_span_t role = { "r1", 2 };
    for (int i = 0; i < 12; i++) {
        stele_reader_set_bounds (fixture->reader, &s_bounds [i % 5]);
        stele_filter_t filter = { 0 };
        if (i % 2)
            filter.position = 1 + s_random (source) % source->head;
        else
            filter.time_us = 900 + s_random (source) % (300 + (unsigned) source->head * 10);
        s_assert_list (fixture, source, filter);
        unsigned what = s_random (source) % 6;
        filter.states = what == 0? 1u << STELE_TASK_RUNNING | 1u << STELE_TASK_FAILED: 0;
        filter.role_count = what == 1;
        filter.roles = &role;
        filter.user_id = what == 2? (stele_span_t) { "ann", 3 }: filter.user_id;
        filter.parent_id = what == 3? (stele_span_t) { "t1", 2 }: filter.parent_id;
        filter.completed_from_us = what == 4? 1000 + source->head * 3: 0;
        filter.has_error = what == 5;
        s_assert_list (fixture, source, filter);
    }
}

static void
test_list_as_of_log_in_order_equals_single_tasks (void **state)
{
    s_source_t source = { .seed = 7 };
    fixture_begin (*state);
    for (int i = 0; i < 3000; i++)
        s_event (*state, &source, 0);
    fixture_commit (*state);
    s_assert_moments (*state, &source);
}

static void
test_list_as_of_log_out_of_order_equals_single_tasks (void **state)
{
    s_source_t source = { .seed = 8 };
    fixture_begin (*state);
    for (int i = 0; i < 3000; i++)
        s_event (*state, &source, i % 10? 40: 20000);
    fixture_commit (*state);
    s_assert_moments (*state, &source);
}

static void
test_list_as_of_all_pages_show_the_snapshot_of_the_first (void **state)
{
    fixture_t *fixture = *state;
    s_source_t source = { .seed = 9 };
    for (int i = 0; i < 1500; i++)
        s_event (fixture, &source, i % 20? 0: 5000);
    for (int i = 0; i < 60; i++) {
        stele_reader_set_bounds (fixture->reader, &s_bounds [i % 5]);
        stele_filter_t filter = { .order = (stele_order_t) (i % 6), .limit = 7, .position = source.head };
        filter.states = i % 4? 0: 1u << STELE_TASK_RUNNING | 1u << STELE_TASK_FAILED;
        json_t *expected = s_expect (fixture, &source, &filter);
        filter.position = 0;
        json_t *list = s_list (fixture, filter, &source);
        char *text = json_dumps (expected, JSON_SORT_KEYS | JSON_COMPACT);
        fixture_assert_json (list, text);
        free (text);
        json_decref (list);
        json_decref (expected);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, fixture_new, fixture_destroy)

int
main (void)
{
    const struct CMUnitTest tests [] = {
        TEST (test_list_as_of_log_in_order_equals_single_tasks),
        TEST (test_list_as_of_log_out_of_order_equals_single_tasks),
        TEST (test_list_as_of_all_pages_show_the_snapshot_of_the_first)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
