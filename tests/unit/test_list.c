/*  test_list - every filter and order, page by page, against one query of SQLite.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <sqlite3.h>
#include "ledger_fixture.h"
#include "ledger/text_index.h"
#include "sqlite/reader/reader_bounds.h"
#include "sqlite/sql/file_names.h"

#define TASKS 400

//  Tasks of every state and of several roles, providers, users and parents; many share
//  a time of creation
static void
s_fill (fixture_t *self, int roles)
{
    fixture_begin (self);
    uint64_t seed = 99;
    for (int i = 1; i <= TASKS; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        unsigned r = (unsigned) (seed >> 33);
        const char *state = stele_vocabulary_word (STELE_VOCABULARY_TASK_STATE, 1 + (int) (r % 10));
        fixture_append (self, "{'type':'task.created','time':%u,'task_id':'t%d','title':'tItle %d','description':'',"
            "'role':'role %u','state':'%s','provider':'p%u','model':'m%u'%s%s}", 100 + r % 37, i, i,
            r / 10 % (unsigned) roles, state, r / 50 % 3, r / 150 % 4,
            r / 600 % 3 == 0? ",'user_id':'ann'": r / 600 % 3 == 1? ",'user_id':'default'": "",
            i % 5 == 0? ",'parent_id':'t1'": "");
        if (r % 3 == 0)
            fixture_append (self, "{'type':'task.state_changed','time':%u,'task_id':'t%d','state':'%s','error_message':'e'}",
                150 + r % 13, i, r % 10 < 5? state: "queued");
        if (r % 7 == 0)
            fixture_append (self, "{'type':'task.metric_recorded','time':%u,'task_id':'t%d','name':'n','value':1}",
                200 + r % 11, i);
    }
    fixture_append (self, "{'type':'task.state_changed','time':110,'task_id':'placeholder','state':'running'}");
    fixture_commit (self);
}

//  The ids that a query returns, as JSON. Caller owns it.
static json_t *
s_ask (fixture_t *self, const char *condition, const char *order)
{
    static const char from [] =
        "SELECT t.task_id FROM tasks t JOIN states_plain s ON s.task = t.id"
        " LEFT JOIN words r ON r.id = s.role LEFT JOIN words p ON p.id = s.provider"
        " LEFT JOIN words m ON m.id = s.model LEFT JOIN words u ON u.id = t.user_id";
    char sql [1024];
    snprintf (sql, sizeof sql, "%s WHERE %s ORDER BY %s", from, condition, order);
    sqlite3 *db;
    sqlite3_stmt *statement;
    assert_int_equal (sqlite3_open_v2 (self->path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal (sqlite3_prepare_v2 (db, sql, -1, &statement, NULL), SQLITE_OK);
    json_t *ids = json_array ();
    while (sqlite3_step (statement) == SQLITE_ROW)
        json_array_append_new (ids, json_string ((const char *) sqlite3_column_text (statement, 0)));
    sqlite3_finalize (statement);
    sqlite3_db_config (db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_close (db);
    return ids;
}

static int
s_add_id (const stele_record_t *row, void *arg)
{
    const stele_value_t *id = &row->values [STELE_TASK_ID];
    json_array_append_new (arg, json_stringn (id->text, id->size));
    return 0;
}

//  All pages, by cursor or by offset. Caller owns the ids.
static json_t *
s_list (fixture_t *self, stele_filter_t filter, bool by_cursor)
{
    json_t *ids = json_array ();
    stele_page_t next;
    do {
        size_t before = json_array_size (ids);
        assert_int_equal (stele_reader_tasks (self->reader, &filter, s_add_id, ids, &next), 0);
        size_t got = json_array_size (ids) - before;
        assert_true (next.more? (int64_t) got == filter.limit: (int64_t) got <= filter.limit);
        filter.has_cursor = by_cursor;
        filter.cursor_time = next.time;
        filter.cursor_key = next.key;
        filter.cursor_skip = next.skip;
        filter.position = next.position;
        filter.offset += (int64_t) got;
    } while (next.more);
    return ids;
}

static void
s_assert_list (fixture_t *self, stele_filter_t filter, const char *condition)
{
    static const char *const orders [] = {
        [STELE_ORDER_CREATED_DESC] = "s.created_at DESC, s.task DESC",
        [STELE_ORDER_CREATED_ASC] = "s.created_at, s.task",
        [STELE_ORDER_UPDATED_DESC] = "s.updated_at DESC, s.task DESC",
        [STELE_ORDER_UPDATED_ASC] = "s.updated_at, s.task",
        [STELE_ORDER_COMPLETED_DESC] = "s.completed_at DESC, s.task DESC",
        [STELE_ORDER_COMPLETED_ASC] = "s.completed_at, s.task"
    };
    //  Searches read texts: in fewer pages
    static const int64_t limits [] = { 100, 1000, 7, 1 };
    size_t limit_count = filter.search.text? 1: 4;
    for (int order = 0; order <= STELE_ORDER_COMPLETED_ASC; order++) {
        char where [512];
        snprintf (where, sizeof where, "%s%s", condition,
            order >= STELE_ORDER_COMPLETED_DESC? " AND s.completed_at IS NOT NULL": "");
        json_t *expected = s_ask (self, where, orders [order]);
        char *text = json_dumps (expected, 0);
        filter.order = (stele_order_t) order;
        for (size_t i = 0; i < limit_count; i++)
            for (int by_cursor = 0; by_cursor < 2; by_cursor++) {
                if (limits [i] == 1 && json_array_size (expected) > 100)
                    continue;
                filter.limit = limits [i];
                json_t *ids = s_list (self, filter, by_cursor);
                fixture_assert_json (ids, text);
                json_decref (ids);
            }
        bool complete = false;
        if (order == 0) {
            assert_int_equal (stele_reader_task_total (self->reader, &filter, &complete), json_array_size (expected));
            assert_true (complete);
        }
        free (text);
        json_decref (expected);
    }
}

static void
s_assert_all (fixture_t *self)
{
    stele_span_t roles [] = { { "role 0", 6 }, { "role 2", 6 }, { "no such", 7 } };
    stele_span_t providers [] = { { "p1", 2 }, { "p2", 2 } };
    stele_span_t models [] = { { "m3", 2 } };
    s_assert_list (self, (stele_filter_t) { 0 }, "1");
    s_assert_list (self, (stele_filter_t) { .states = 1u << STELE_TASK_RUNNING | 1u << STELE_TASK_PASSED },
        "s.state IN (3, 6)");
    s_assert_list (self, (stele_filter_t) { .roles = roles, .role_count = 3 }, "r.word IN ('role 0', 'role 2')");
    s_assert_list (self, (stele_filter_t) { .roles = roles + 2, .role_count = 1 }, "0");
    s_assert_list (self, (stele_filter_t) { .providers = providers, .provider_count = 2 }, "p.word IN ('p1', 'p2')");
    s_assert_list (self, (stele_filter_t) { .models = models, .model_count = 1,
        .states = 1u << STELE_TASK_FAILED }, "m.word = 'm3' AND s.state = 7");
    s_assert_list (self, (stele_filter_t) { .user_id = { "ann", 3 } }, "u.word = 'ann'");
    s_assert_list (self, (stele_filter_t) { .user_id = { "default", 7 } }, "ifnull (u.word, 'default') = 'default'");
    s_assert_list (self, (stele_filter_t) { .user_id = { "nobody", 6 } }, "0");
    s_assert_list (self, (stele_filter_t) { .parent_id = { "t1", 2 } }, "t.parent_id = 't1'");
    s_assert_list (self, (stele_filter_t) { .parent_id = { "t1", 2 }, .user_id = { "ann", 3 }, .from_us = 105 },
        "t.parent_id = 't1' AND u.word = 'ann' AND s.created_at >= 105");
    s_assert_list (self, (stele_filter_t) { .from_us = 110, .to_us = 120 }, "s.created_at BETWEEN 110 AND 120");
    s_assert_list (self, (stele_filter_t) { .to_us = 99 }, "0");
    s_assert_list (self, (stele_filter_t) { .updated_from_us = 110, .updated_to_us = 203 },
        "s.updated_at BETWEEN 110 AND 203");
    s_assert_list (self, (stele_filter_t) { .completed_to_us = 115 }, "s.completed_at <= 115");
    s_assert_list (self, (stele_filter_t) { .completed_from_us = 115, .to_us = 120, .roles = roles, .role_count = 1 },
        "s.completed_at >= 115 AND s.created_at <= 120 AND r.word = 'role 0'");
    s_assert_list (self, (stele_filter_t) { .has_error = 1 }, "s.error_count > 0");
    s_assert_list (self, (stele_filter_t) { .has_error = -1, .providers = providers, .provider_count = 1 },
        "s.error_count = 0 AND p.word = 'p1'");
    s_assert_list (self, (stele_filter_t) { .contains = { "TLE 1", 5 } }, "t.title LIKE '%tle 1%'");
    s_assert_list (self, (stele_filter_t) { .contains = { "le 2", 4 }, .roles = roles, .role_count = 1 },
        "t.title LIKE '%le 2%' AND r.word = 'role 0'");
    s_assert_list (self, (stele_filter_t) { .contains = { "%", 1 } }, "0");
}

static void
test_reader_list_pages_are_what_was_asked_for (void **state)
{
    s_fill (*state, 4);
    s_assert_all (*state);
}

//  More pairs of state and role than are merged
static void
test_reader_list_of_many_roles_is_the_same (void **state)
{
    s_fill (*state, 300);
    s_assert_all (*state);
}

static void
test_reader_list_without_user_word_finds_default (void **state)
{
    fixture_t *self = *state;
    fixture_append (self, "{'type':'task.created','time':1,'task_id':'t','title':'','description':'','role':'r'}");
    s_assert_list (self, (stele_filter_t) { .user_id = { "default", 7 } }, "1");
}

static void
test_reader_list_cursor_passes_over_what_is_new (void **state)
{
    fixture_t *self = *state;
    for (int i = 1; i <= 4; i++)
        fixture_append (self, "{'type':'task.created','time':%d,'task_id':'t%d','title':'','description':'','role':'r'}", i, i);
    stele_filter_t filter = { .limit = 2 };
    stele_page_t next;
    json_t *ids = json_array ();
    assert_int_equal (stele_reader_tasks (self->reader, &filter, s_add_id, ids, &next), 0);
    assert_true (next.more);
    fixture_append (self, "{'type':'task.created','time':9,'task_id':'t9','title':'','description':'','role':'r2'}");
    filter.has_cursor = true;
    filter.cursor_time = next.time;
    filter.cursor_key = next.key;
    filter.position = next.position;
    assert_int_equal (stele_reader_tasks (self->reader, &filter, s_add_id, ids, &next), 0);
    assert_false (next.more);
    fixture_assert_json (ids, "['t4','t3','t2','t1']");
    json_decref (ids);
}

static void
test_reader_list_row_function_ends_the_read (void **state)
{
    fixture_t *self = *state;
    fixture_append (self, "{'type':'task.created','time':1,'task_id':'t','title':'','description':'','role':'r'}");
    stele_filter_t filter = { .limit = 2 };
    stele_page_t next = { .more = true, .time = 5, .key = 5 };
    int answer = STELE_ETOO_LARGE;
    assert_int_equal (stele_reader_tasks (self->reader, &filter, fixture_stop, &answer, &next), STELE_ETOO_LARGE);
    assert_true (next.more && next.time == 5);
}

//  -- searches -------------------------------------------------------------------------

static void
s_index (fixture_t *self)
{
    stele_refusal_t refusal = { 0 };
    stele_text_index_t *index = stele_text_index_open (self->path, self->reader, &refusal);
    assert_string_equal (refusal.message, "");
    int64_t head = stele_reader_head (self->reader);
    assert_int_equal (stele_text_index_follow (index, head), head);
    stele_text_index_close (&index);
}

static int
s_destroy (void **state)
{
    static const char *const suffixes [] = { "", "-wal", "-shm" };
    fixture_t *self = *state;
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes [0]; i++) {
        char name [160];
        snprintf (name, sizeof name, "%s" STELE_SEARCH_SUFFIX "%s", self->path, suffixes [i]);
        unlink (name);
    }
    return fixture_destroy (state);
}

//  So that the index is asked at once; after a part of the work was done in vain; not at all
static const stele_reader_bounds_t s_bounds [] = {
    { .units = 100000, .search_units = 35000, .set = 20000, .touched = 2000 },
    { .units = 100000, .search_units = 8000, .touched = 2000 }, { .units = 100000, .search_units = 35000, .touched = 2000 }
};

static const struct {
    const char *search, *condition;
} s_searches [] = {
    { "title", "t.title LIKE 'tItle %'" }, { "title 1", "t.title LIKE 'tItle 1%'" }, { "123", "t.title LIKE 'tItle 123%'" },
    { "title 39", "t.title LIKE 'tItle 39%'" }, { "nothing", "0" }
};

#define BOUNDS (sizeof s_bounds / sizeof s_bounds [0])
#define SEARCHES (sizeof s_searches / sizeof s_searches [0])

//  In two zones of the log
static void
s_fill_and_index (fixture_t *self)
{
    s_fill (self, 4);
    fixture_begin (self);
    for (int i = 0; i < 900; i++)
        fixture_append (self, "{'type':'task.metric_recorded','time':%d,'task_id':'t%d','name':'n','value':1}", 300 + i % 50, 1 + i * 7 % 350);
    fixture_commit (self);
    s_index (self);
}

static void
test_reader_list_searches_find_the_same_on_every_path (void **state)
{
    fixture_t *self = *state;
    s_fill_and_index (self);
    stele_span_t roles [] = { { "role 0", 6 } };
    for (size_t i = 0; i < BOUNDS * SEARCHES; i++) {
        char condition [200];
        const char *text = s_searches [i % SEARCHES].search;
        stele_span_t search = { text, strlen (text) };
        stele_reader_set_bounds (self->reader, &s_bounds [i / SEARCHES]);
        s_assert_list (self, (stele_filter_t) { .search = search }, s_searches [i % SEARCHES].condition);
        snprintf (condition, sizeof condition, "%s AND r.word = 'role 0' AND s.state IN (3, 6)", s_searches [i % SEARCHES].condition);
        s_assert_list (self, (stele_filter_t) { .search = search, .roles = roles, .role_count = 1,
            .states = 1u << STELE_TASK_RUNNING | 1u << STELE_TASK_PASSED }, condition);
    }
}

static void
test_reader_list_searches_of_the_past_find_the_same_on_every_path (void **state)
{
    fixture_t *self = *state;
    char *expected [SEARCHES] [2];
    s_fill_and_index (self);
    stele_filter_t filter = { .limit = 100, .position = stele_reader_head (self->reader) };
    for (size_t i = 0; i < SEARCHES * 2; i++) {
        filter.search = (stele_span_t) { s_searches [i / 2].search, strlen (s_searches [i / 2].search) };
        filter.order = i % 2? STELE_ORDER_UPDATED_DESC: STELE_ORDER_CREATED_ASC;
        json_t *ids = s_list (self, filter, true);
        expected [i / 2] [i % 2] = json_dumps (ids, 0);
        json_decref (ids);
    }
    for (int i = 1; i < TASKS; i += 5)
        fixture_append (self, "{'type':'task.updated','time':400,'task_id':'t%d','title':'tItle %d'}", i, i % 2? 123: 390);
    for (size_t i = 0; i < BOUNDS * SEARCHES * 2; i++) {
        size_t j = i / 2 % SEARCHES;
        stele_reader_set_bounds (self->reader, &s_bounds [i / 2 / SEARCHES]);
        filter.search = (stele_span_t) { s_searches [j].search, strlen (s_searches [j].search) };
        filter.order = i % 2? STELE_ORDER_UPDATED_DESC: STELE_ORDER_CREATED_ASC;
        json_t *ids = s_list (self, filter, true);
        fixture_assert_json (ids, expected [j] [i % 2]);
        json_decref (ids);
    }
    for (size_t i = 0; i < SEARCHES * 2; i++)
        free (expected [i / 2] [i % 2]);
}

//  The index knows these few: a page has them, however small it is, and wherever reading in order begins
static void
test_reader_list_small_pages_of_searches_are_filled (void **state)
{
    fixture_t *self = *state;
    stele_reader_bounds_t bounds = { .units = 100000, .search_units = 4500, .touched = 2000 };
    s_fill_and_index (self);
    stele_reader_set_bounds (self->reader, &bounds);
    for (int order = 0; order < STELE_ORDER_COMPLETED_DESC; order++)
        for (int64_t limit = 1; limit <= 12; limit++) {
            stele_filter_t filter = { .search = { "title 39", 8 }, .order = (stele_order_t) order, .limit = limit };
            stele_page_t next;
            json_t *ids = json_array ();
            assert_int_equal (stele_reader_tasks (self->reader, &filter, s_add_id, ids, &next), 0);
            assert_int_equal (json_array_size (ids), limit < 11? limit: 11);
            assert_false (next.cut);
            json_decref (ids);
        }
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, fixture_new, fixture_destroy)

int
main (void)
{
    const struct CMUnitTest tests [] = {
        TEST (test_reader_list_pages_are_what_was_asked_for),
        TEST (test_reader_list_of_many_roles_is_the_same),
        TEST (test_reader_list_without_user_word_finds_default),
        TEST (test_reader_list_cursor_passes_over_what_is_new),
        TEST (test_reader_list_row_function_ends_the_read),
        cmocka_unit_test_setup_teardown (test_reader_list_searches_find_the_same_on_every_path, fixture_new, s_destroy),
        cmocka_unit_test_setup_teardown (test_reader_list_small_pages_of_searches_are_filled, fixture_new, s_destroy),
        cmocka_unit_test_setup_teardown (test_reader_list_searches_of_the_past_find_the_same_on_every_path, fixture_new, s_destroy)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
