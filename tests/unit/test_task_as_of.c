/*  test_task_as_of - a task as of a position equals the record read then; an event is as it was sent

    Histories are made at random (from fixed seeds): the record of each task is
    kept after every event, and has to be told again when all has happened.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "ledger_fixture.h"

#define TASKS 3
#define EVENTS 120

typedef struct {
    uint64_t seed;
    json_t *sent;                   // Events, with position
    json_t *seen;                   // Records of all tasks, after each event
} story_t;

static unsigned
s_random (story_t *story, unsigned below)
{
    story->seed ^= story->seed << 13;
    story->seed ^= story->seed >> 7;
    story->seed ^= story->seed << 17;
    return (unsigned) (story->seed >> 33) % below;
}

static const char *
s_state (story_t *story)
{
    return stele_vocabulary_word (STELE_VOCABULARY_TASK_STATE, 1 + (int) s_random (story, 10));
}

//  Random fields of a task, each with a chance of one half
static void
s_add_fields (story_t *story, json_t *event, bool required)
{
    static const char *const texts [] = {
        "title", "description", "role", "provider", "model", "branch", "worktree_path", "base_branch",
        "commit_hash", "target_dir", "provider_override", "repository_url", "parent_id"
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts [0]; i++)
        if ((required && i < 3) || s_random (story, 4) == 0)
            json_object_set_new (event, texts [i], json_sprintf ("%s %u\n", texts [i], s_random (story, 5)));
    if (s_random (story, 4) == 0)
        json_object_set_new (event, "full_access", json_boolean (s_random (story, 2)));
    if (s_random (story, 4) == 0)
        json_object_set_new (event, "metadata", json_pack ("{s:i,s:[s,n]}", "b", s_random (story, 9), "a", "\"\\"));
    if (s_random (story, 4) == 0)
        json_object_set_new (event, "acceptance_criteria", json_pack ("{s:{s:i}}", "c", "d", s_random (story, 9)));
    if (s_random (story, 4) == 0)
        json_object_set_new (event, "state", json_string (s_state (story)));
    if (s_random (story, 4) == 0)
        json_object_set_new (event, "user_id", json_sprintf ("user %u", s_random (story, 3)));
    if (s_random (story, 8) == 0)
        json_object_set_new (event, "unknown", json_integer (s_random (story, 100)));
}

static json_t *
s_invent (story_t *story, unsigned task, int64_t time)
{
    json_t *event = json_pack ("{s:s,s:I}", "task_id", (char [2]) { (char) ('a' + task), 0 }, "time", time);
    unsigned kind = s_random (story, 8);
    const char *type = kind == 0? "task.created": kind <= 2? "task.updated":
        kind <= 5? "task.state_changed": kind == 6? "task.output_added": "task.metric_recorded";
    json_object_set_new (event, "type", json_string (type));
    if (kind <= 2) {
        s_add_fields (story, event, kind == 0);
        if (kind && !json_object_get (event, "title"))
            json_object_set_new (event, "branch", json_string ("b"));
    }
    else
    if (kind <= 5) {
        json_object_set_new (event, "state", json_string (s_state (story)));
        if (s_random (story, 2))
            json_object_set_new (event, "provider", json_sprintf ("provider %u", s_random (story, 3)));
        if (s_random (story, 2))
            json_object_set_new (event, "model", json_sprintf ("model %u", s_random (story, 3)));
        if (s_random (story, 3) == 0)
            json_object_set_new (event, "error_message", json_sprintf ("error %u", s_random (story, 9)));
    }
    else
    if (kind == 6)
        json_object_update_new (event, json_pack ("{s:s,s:s}", "output_type", "log", "content", "x"));
    else
        json_object_update_new (event, json_pack ("{s:s,s:f}", "name", "n", "value", 0.5));
    if (kind > 2 && s_random (story, 3) == 0)
        json_object_set_new (event, "user_id", json_string ("someone"));
    return event;
}

//  The current record of every task, null if there is none
static json_t *
s_look (fixture_t *self)
{
    json_t *rows = json_array ();
    for (unsigned task = 0; task < TASKS; task++) {
        char id = (char) ('a' + task);
        int found = stele_reader_task (self->reader, &id, 1, fixture_add, rows);
        assert_true (found >= 0);
        if (!found)
            json_array_append_new (rows, json_null ());
    }
    return rows;
}

//  Append a random event if it is legal; sometimes an interruption by the broker
static void
s_happen (fixture_t *self, story_t *story, int64_t time)
{
    json_t *event = s_invent (story, s_random (story, TASKS), time);
    char *text = json_dumps (event, JSON_COMPACT);
    fixture_decode (self, text);
    free (text);
    fixture_begin (self);
    int64_t position = 0;
    stele_refusal_t refusal;
    int rc = stele_ledger_append (self->ledger, self->event, 0, &position, &refusal);
    if (rc == 1) {
        json_object_set_new (event, "position", json_integer (position));
        //  The log has the default of a state that task.created leaves out
        if (strcmp (json_string_value (json_object_get (event, "type")), "task.created") == 0
        &&  !json_object_get (event, "state"))
            json_object_set_new (event, "state", json_string ("queued"));
        json_array_append (story->sent, event);
    }
    else
        assert_true (rc == 0 || rc == STELE_EILLEGAL || rc == STELE_EEXISTS);
    json_decref (event);
    fixture_commit (self);
    if (rc == 1)
        json_array_append_new (story->seen, s_look (self));
}

static void
s_assert_same (const json_t *one, const json_t *other)
{
    char *expected = json_dumps (other, JSON_SORT_KEYS | JSON_ENCODE_ANY);
    fixture_assert_json (one, expected);
    free (expected);
}

//  One task as of then, in the form of s_look
static json_t *
s_look_back (fixture_t *self, unsigned task, int64_t position, int64_t time)
{
    char id = (char) ('a' + task);
    json_t *rows = json_array ();
    int found = stele_reader_task_at (self->reader, &id, 1, position, time, fixture_add, rows);
    assert_true (found >= 0);
    json_t *row = found? json_incref (json_array_get (rows, 0)): json_null ();
    json_decref (rows);
    return row;
}

//  Times ascend with positions: as of a position equals as of its time
static void
s_tell (fixture_t *self, uint64_t seed)
{
    story_t story = { .seed = seed, .sent = json_array (), .seen = json_array () };
    for (int64_t i = 1; i <= EVENTS; i++)
        s_happen (self, &story, i * 10);

    json_t *events = fixture_events (self, 0, EVENTS, 0);
    s_assert_same (events, story.sent);
    size_t count = json_array_size (events);
    for (size_t i = 0; i < count; i++) {
        int64_t time = json_integer_value (json_object_get (json_array_get (events, i), "time"));
        for (unsigned task = 0; task < TASKS; task++) {
            json_t *then = json_array_get (json_array_get (story.seen, i), task);
            json_t *by_position = s_look_back (self, task, (int64_t) i + 1, 0);
            s_assert_same (by_position, then);
            json_decref (by_position);
            json_t *by_time = s_look_back (self, task, 0, time + 3);
            s_assert_same (by_time, then);
            json_decref (by_time);
        }
    }
    json_t *before = s_look_back (self, 0, 0, 5);
    assert_true (json_is_null (before));
    json_decref (before);
    json_decref (events);
    json_decref (story.sent);
    json_decref (story.seen);
}

static void
test_task_as_of_random_histories_equal_records_read_then (void **state)
{
    (void) state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        fixture_t *self;
        fixture_new ((void **) &self);
        s_tell (self, seed * 7919);
        fixture_destroy ((void **) &self);
    }
}

//  A time may then leave out an event between two others: the task is still read
static void
test_task_as_of_times_out_of_order_are_read (void **state)
{
    fixture_t *self = *state;
    story_t story = { .seed = 4711, .sent = json_array (), .seen = json_array () };
    for (int i = 1; i <= EVENTS; i++)
        s_happen (self, &story, 1 + s_random (&story, 1000));
    for (int64_t time = 1; time <= 1001; time += 20)
        for (unsigned task = 0; task < TASKS; task++) {
            json_t *row = s_look_back (self, task, 0, time);
            assert_true (json_is_null (row)
                || json_integer_value (json_object_get (row, "updated_at")) <= time);
            json_decref (row);
        }
    //  As of the largest time it is the current record
    json_t *now = s_look (self);
    for (unsigned task = 0; task < TASKS; task++) {
        json_t *row = s_look_back (self, task, 0, INT64_MAX);
        s_assert_same (row, json_array_get (now, task));
        json_decref (row);
    }
    json_decref (now);
    json_decref (story.sent);
    json_decref (story.seen);
}

static void
test_task_as_of_late_creation_keeps_later_values (void **state)
{
    fixture_t *self = *state;
    fixture_append (self, "{'type':'task.updated','time':50,'task_id':'a','branch':'later','provider':'p50','state':'running'}");
    fixture_append (self, "{'type':'task.created','time':10,'task_id':'a','title':'T','description':'D','role':'r',"
        "'branch':'first','provider':'p10','user_id':'ann'}");
    json_t *then = s_look_back (self, 0, 0, 20);
    fixture_assert_json (then, "{'task_id':'a','title':'T','description':'D','role':'r','branch':'first','provider':'p10',"
        "'user_id':'ann','state':'queued','target_dir':'.','full_access':false,'created_at':10,'updated_at':10,"
        "'attempt':1,'error_count':0,'position':2}");
    json_decref (then);
    then = s_look_back (self, 0, 0, 50);
    fixture_assert_json (then, "{'task_id':'a','title':'T','description':'D','role':'r','branch':'later','provider':'p50',"
        "'user_id':'ann','state':'running','target_dir':'.','full_access':false,'created_at':10,'updated_at':10,"
        "'started_at':50,'attempt':1,'error_count':0,'position':2}");
    json_decref (then);
}

//  The writer reads, inside its batch, what the first creation gave
static void
test_task_as_of_second_creation_is_compared_with_the_first (void **state)
{
    fixture_t *self = *state;
    static const char creation [] = "{'type':'task.created','time':1,'task_id':'a','title':'%s','description':'D',"
        "'role':'r','model':'m'}";
    char text [256];
    for (int committed = 0; committed < 2; committed++) {
        fixture_begin (self);
        if (!committed) {
            fixture_append (self, creation, "first");
            fixture_append (self, "{'type':'task.updated','time':2,'task_id':'a','title':'second','branch':'b','model':'m2'}");
            fixture_append (self, "{'type':'task.state_changed','time':3,'task_id':'a','state':'passed','model':'m3'}");
        }
        static const struct { const char *title; int rc; } again [] = {
            { "first", 0 }, { "second", STELE_EEXISTS }
        };
        for (int i = 0; i < 2; i++) {
            snprintf (text, sizeof text, creation, again [i].title);
            fixture_decode (self, text);
            int64_t position;
            stele_refusal_t refusal;
            assert_int_equal (stele_ledger_append (self->ledger, self->event, 0, &position, &refusal), again [i].rc);
        }
        fixture_commit (self);
    }
}

static void
test_task_as_of_interrupted_task_is_interrupted (void **state)
{
    fixture_t *self = *state;
    fixture_append (self, "{'type':'task.state_changed','time':10,'task_id':'a','state':'running'}");
    fixture_begin (self);
    assert_int_equal (stele_ledger_interrupt (self->ledger, -1, "gone", 20, INT64_MAX), 1);
    fixture_commit (self);
    json_t *seen = s_look (self);
    fixture_append (self, "{'type':'task.state_changed','time':30,'task_id':'a','state':'passed'}");
    json_t *then = s_look_back (self, 0, 2, 0);
    s_assert_same (then, json_array_get (seen, 0));
    json_decref (then);
    then = s_look_back (self, 0, 3, 0);
    json_decref (seen);
    seen = s_look (self);
    s_assert_same (then, json_array_get (seen, 0));
    json_decref (then);
    json_decref (seen);
}

static void
test_task_as_of_unknown_task_is_not_found (void **state)
{
    fixture_t *self = *state;
    assert_int_equal (stele_reader_task_at (self->reader, "x", 1, 1, 0, fixture_stop, NULL), 0);
    fixture_append (self, "{'type':'preference.set','time':1,'preferred_model':'m'}");
    fixture_append (self, "{'type':'task.metric_recorded','time':10,'task_id':'x','name':'n','value':1}");
    assert_int_equal (stele_reader_task_at (self->reader, "x", 1, 1, 0, fixture_stop, NULL), 0);
    assert_int_equal (stele_reader_task_at (self->reader, "x", 1, 0, 9, fixture_stop, NULL), 0);
    int answer = 0;
    assert_int_equal (stele_reader_task_at (self->reader, "x", 1, 2, 0, fixture_stop, &answer), 1);
    assert_int_equal (stele_reader_task_at (self->reader, "x", 1, 0, 10, fixture_stop, &answer), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, fixture_new, fixture_destroy)

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_task_as_of_random_histories_equal_records_read_then),
        TEST (test_task_as_of_times_out_of_order_are_read),
        TEST (test_task_as_of_late_creation_keeps_later_values),
        TEST (test_task_as_of_second_creation_is_compared_with_the_first),
        TEST (test_task_as_of_interrupted_task_is_interrupted),
        TEST (test_task_as_of_unknown_task_is_not_found)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
