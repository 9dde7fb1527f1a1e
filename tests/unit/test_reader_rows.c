/*  test_reader_rows - read tasks, their history and outputs, sessions and rejected events

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "ledger_fixture.h"

//  Check a task against that JSON; NULL: there is no such task
static void
s_assert_task (fixture_t *self, const char *task_id, const char *expected)
{
    json_t *rows = json_array ();
    int found = stele_reader_task (self->reader, task_id, strlen (task_id), fixture_add, rows);
    assert_int_equal (found, expected? 1: 0);
    if (expected)
        fixture_assert_json (json_array_get (rows, 0), expected);
    json_decref (rows);
}

//  Rows of a chain, in pages of 'limit'. Caller owns the array.
static json_t *
s_chain (fixture_t *self, stele_chain_t chain, const char *id, stele_chain_filter_t filter)
{
    json_t *rows = json_array ();
    int64_t next;
    do {
        assert_int_equal (stele_reader_chain (self->reader, chain, id, strlen (id), &filter,
            fixture_add, rows, &next), 1);
        filter.after = next;
    } while (next);
    return rows;
}

static void
s_assert_ids (json_t *rows, const char *expected)
{
    json_t *ids = json_array ();
    size_t i;
    json_t *row;
    json_array_foreach (rows, i, row)
        json_array_append (ids, json_object_get (row, "id"));
    fixture_assert_json (ids, expected);
    json_decref (ids);
    json_decref (rows);
}

//  -- one task -----------------------------------------------------------------------

static void
test_reader_task_has_defaults_and_live_leaves_out_text (void **state)
{
    fixture_t *self = *state;
    s_assert_task (self, "t", NULL);
    fixture_append (self, "{'type':'task.created','time':5,'task_id':'t','title':'T','description':'D',"
        "'role':'r','metadata':{'a':1},'acceptance_criteria':{'b':2}}");
    s_assert_task (self, "t", "{'task_id':'t','title':'T','description':'D','role':'r','state':'queued',"
        "'metadata':{'a':1},'acceptance_criteria':{'b':2},'user_id':'default','target_dir':'.',"
        "'full_access':false,'created_at':5,'updated_at':5,'attempt':1,'error_count':0,'position':1}");
    json_t *rows = json_array ();
    assert_int_equal (stele_reader_task_live (self->reader, "t", 1, fixture_add, rows), 1);
    assert_int_equal (stele_reader_task_by_key (self->reader, 1, fixture_add, rows), 1);
    for (size_t i = 0; i < 2; i++)
        fixture_assert_json (json_array_get (rows, i), "{'task_id':'t','title':'T','role':'r','state':'queued',"
            "'user_id':'default','target_dir':'.','full_access':false,'created_at':5,'updated_at':5,"
            "'attempt':1,'error_count':0,'position':1}");
    json_decref (rows);
    assert_int_equal (stele_reader_task_by_key (self->reader, 2, fixture_stop, NULL), 0);
    assert_int_equal (stele_reader_task_live (self->reader, "u", 1, fixture_stop, NULL), 0);
}

static void
test_reader_task_failed_and_retried_keeps_its_error (void **state)
{
    fixture_t *self = *state;
    fixture_append (self, "{'type':'task.state_changed','time':5,'task_id':'t','state':'running','user_id':'ann'}");
    fixture_append (self, "{'type':'task.state_changed','time':6,'task_id':'t','state':'failed','error_message':'why'}");
    s_assert_task (self, "t", "{'task_id':'t','state':'failed','user_id':'ann','target_dir':'.','full_access':false,"
        "'created_at':5,'updated_at':6,'started_at':5,'completed_at':6,'attempt':1,'error_count':1,'last_error':'why','position':2}");
    fixture_append (self, "{'type':'task.state_changed','time':7,'task_id':'t','state':'queued'}");
    s_assert_task (self, "t", "{'task_id':'t','state':'queued','user_id':'ann','target_dir':'.','full_access':false,"
        "'created_at':5,'updated_at':7,'started_at':5,'attempt':2,'error_count':1,'last_error':'why','position':3}");
}

static void
test_reader_interrupted_is_in_all_records (void **state)
{
    fixture_t *self = *state;
    fixture_append (self, "{'type':'task.state_changed','time':5,'task_id':'t','state':'running'}");
    fixture_begin (self);
    assert_int_equal (stele_ledger_interrupt (self->ledger, -1, "gone", 9, INT64_MAX), 1);
    fixture_commit (self);
    s_assert_task (self, "t", "{'task_id':'t','state':'failed','user_id':'default','target_dir':'.','full_access':false,"
        "'created_at':5,'updated_at':9,'started_at':5,'completed_at':9,'attempt':1,'error_count':0,'last_error':'gone',"
        "'interruptions':1,'interrupted':true,'position':2}");
    fixture_assert_event (self, 2, "{'type':'task.state_changed','time':9,'task_id':'t','state':'failed',"
        "'error_message':'gone','interrupted':true,'position':2}");
    json_t *rows = s_chain (self, STELE_CHAIN_HISTORY, "t", (stele_chain_filter_t) { .limit = 9 });
    fixture_assert_json (rows, "[{'id':1,'type':'task.state_changed','task_id':'t','state_to':'running',"
        "'timestamp':5,'user_id':'default','attempt':1},{'id':2,'type':'task.state_changed','task_id':'t',"
        "'state_from':'running','state_to':'failed','timestamp':9,'user_id':'default','error_message':'gone',"
        "'attempt':1,'interrupted':true}]");
    json_decref (rows);
}

static int
s_count (const stele_record_t *row, void *arg)
{
    assert_true (stele_record_has (row, STELE_STATE));
    ++*(int *) arg;
    return 0;
}

static void
test_reader_active_pages_through_active_tasks (void **state)
{
    fixture_t *self = *state;
    fixture_begin (self);
    for (int i = 0; i < 100; i++)
        fixture_append (self, "{'type':'task.state_changed','time':5,'task_id':'t%d','state':'%s'}", i,
            i % 3 == 0? "passed": "running");
    fixture_commit (self);
    int count = 0;
    int64_t after = 0, last;
    while ((last = stele_reader_active (self->reader, after, 7, s_count, &count)) != after) {
        assert_true (last > after);
        after = last;
    }
    assert_int_equal (count, 66);
}

//  -- what belongs to a task -----------------------------------------------------------

static void
test_reader_chain_pages_and_filters (void **state)
{
    fixture_t *self = *state;
    int64_t next;
    stele_chain_filter_t filter = { .limit = 1 };
    assert_int_equal (stele_reader_chain (self->reader, STELE_CHAIN_OUTPUTS, "t", 1, &filter, fixture_stop, NULL, &next), 0);
    fixture_begin (self);
    for (int i = 1; i <= 10; i++)
        fixture_append (self, "{'type':'task.output_added','time':%d,'task_id':'t','output_type':'%s','content':'%d'}",
            i, i % 2? "stdout": "stderr", i);
    for (int i = 11; i <= 20; i++)
        fixture_append (self, "{'type':'task.metric_recorded','time':%d,'task_id':'t','name':'n%d','value':%d}", i, i % 3, i);
    fixture_append (self, "{'type':'task.output_added','time':1,'task_id':'other','output_type':'log','content':''}");
    fixture_commit (self);
    for (int64_t limit = 1; limit <= 11; limit++) {
        s_assert_ids (s_chain (self, STELE_CHAIN_OUTPUTS, "t", (stele_chain_filter_t) { .limit = limit }),
            "[1,2,3,4,5,6,7,8,9,10]");
        s_assert_ids (s_chain (self, STELE_CHAIN_OUTPUTS, "t",
            (stele_chain_filter_t) { .limit = limit, .newest_first = true }), "[10,9,8,7,6,5,4,3,2,1]");
        s_assert_ids (s_chain (self, STELE_CHAIN_OUTPUTS, "t",
            (stele_chain_filter_t) { .limit = limit, .output_types = 1u << STELE_OUTPUT_STDERR }), "[2,4,6,8,10]");
        stele_span_t names [] = { { "n1", 2 }, { "n2", 2 }, { "absent", 6 } };
        s_assert_ids (s_chain (self, STELE_CHAIN_METRICS, "t", (stele_chain_filter_t) {
            .limit = limit, .names = names, .name_count = 3, .newest_first = true }), "[20,19,17,16,14,13,11]");
        s_assert_ids (s_chain (self, STELE_CHAIN_METRICS, "t", (stele_chain_filter_t) {
            .limit = limit, .names = names + 2, .name_count = 1 }), "[]");
    }
    //  A cursor that is not a row of this task returns nothing
    filter = (stele_chain_filter_t) { .limit = 5, .newest_first = true, .after = 21 };
    s_assert_ids (s_chain (self, STELE_CHAIN_OUTPUTS, "t", filter), "[]");
}

//  Positions of the rows of a task with many: dense, one in fifty, none, dense again
static bool
s_is_of_long (int i)
{
    return i < 3000 || (i < 9000 && i % 50 == 0) || i >= 15000;
}

#define LONG_LAST 17000

static void
s_append_long (fixture_t *self, json_t *outputs, json_t *commands, json_t *errors)
{
    fixture_begin (self);
    for (int i = 1; i <= LONG_LAST; i++) {
        const char *whose = s_is_of_long (i)? "long": "other";
        if (i % 3 == 0)
            fixture_append (self, "{'type':'session.command_executed','time':%d,'session_id':'%s','command':'c'}", i, whose);
        else
            fixture_append (self, "{'type':'task.output_added','time':%d,'task_id':'%s','output_type':'%s','content':'c'}",
                i, whose, i % 700 == 1? "stderr": "stdout");
        if (s_is_of_long (i))
            json_array_append_new (i % 3 == 0? commands: outputs, json_integer (i));
        if (s_is_of_long (i) && i % 3 && i % 700 == 1)
            json_array_append_new (errors, json_integer (i));
    }
    fixture_commit (self);
}

static void
s_assert_long (fixture_t *self, stele_chain_t chain, stele_chain_filter_t filter, const json_t *expected)
{
    static const int64_t limits [] = { 23, 100, 1000, 20000 };
    for (size_t i = 0; i < sizeof limits / sizeof limits [0]; i++) {
        filter.limit = limits [i];
        json_t *rows = s_chain (self, chain, "long", filter);
        size_t count = json_array_size (rows);
        assert_int_equal (count, json_array_size (expected));
        for (size_t row = 0; row < count; row++)
            assert_int_equal (json_integer_value (json_object_get (json_array_get (rows, row), "id")),
                json_integer_value (json_array_get (expected, filter.newest_first? count - 1 - row: row)));
        json_decref (rows);
    }
}

static void
test_reader_chain_of_many_rows_is_complete_in_both_orders (void **state)
{
    fixture_t *self = *state;
    json_t *outputs = json_array (), *commands = json_array (), *errors = json_array ();
    s_append_long (self, outputs, commands, errors);
    for (int newest_first = 0; newest_first < 2; newest_first++) {
        stele_chain_filter_t filter = { .newest_first = newest_first == 1 };
        s_assert_long (self, STELE_CHAIN_OUTPUTS, filter, outputs);
        s_assert_long (self, STELE_CHAIN_COMMANDS, filter, commands);
        filter.output_types = 1u << STELE_OUTPUT_STDERR;
        s_assert_long (self, STELE_CHAIN_OUTPUTS, filter, errors);
    }
    //  From positions that are not its rows: between two of them, and after the last
    s_assert_ids (s_chain (self, STELE_CHAIN_COMMANDS, "long", (stele_chain_filter_t) { .limit = 9, .after = 16990 }),
        "[16992,16995,16998]");
    int64_t next;
    json_t *rows = json_array ();
    stele_chain_filter_t filter = { .limit = 2, .after = 9500 };
    assert_int_equal (stele_reader_chain (self->reader, STELE_CHAIN_OUTPUTS, "long", 4, &filter, fixture_add, rows, &next), 1);
    s_assert_ids (rows, "[15001,15002]");
    s_assert_ids (s_chain (self, STELE_CHAIN_OUTPUTS, "long", (stele_chain_filter_t) { .limit = 9, .after = 18000 }), "[]");
    json_decref (outputs);
    json_decref (commands);
    json_decref (errors);
}

static void
test_reader_chain_returns_records (void **state)
{
    fixture_t *self = *state;
    for (int i = 0; i < FIXTURE_EVENTS_ALL; i++)
        fixture_append (self, "%s", fixture_events_all [i]);
    stele_chain_filter_t all = { .limit = 100 };
    json_t *rows = s_chain (self, STELE_CHAIN_HISTORY, "t", all);
    fixture_assert_json (rows, "[{'type':'task.created','id':1,'task_id':'t','state_to':'starting','timestamp':1,"
        "'attempt':1,'provider':'p','model':'m','user_id':'ann','color':'red','nested':{'null':null}},"
        "{'type':'task.updated','id':3,'task_id':'t','state_from':'starting','state_to':'running','timestamp':3,"
        "'attempt':1,'user_id':'default','note':'why','changes':{'title':'new\\u0000\\n\\\\\\u0001','role':'tester','state':'running',"
        "'full_access':false,'model':'m2','metadata':{'b':1}}},"
        "{'type':'task.state_changed','id':4,'task_id':'t','state_from':'running','state_to':'failed','timestamp':4,"
        "'provider':'p2','model':'m3','error_message':'it broke','details':{'code':{'$uint':'18446744073709551615'}},"
        "'attempt':1,'user_id':'default','x':1},"
        "{'type':'task.state_changed','id':5,'task_id':'t','state_from':'failed','state_to':'queued','timestamp':5,"
        "'attempt':2,'user_id':'default'}]");
    json_decref (rows);
    all.event_types = 1u << STELE_TASK_UPDATED;
    s_assert_ids (s_chain (self, STELE_CHAIN_HISTORY, "t", all), "[3]");
    rows = s_chain (self, STELE_CHAIN_OUTPUTS, "t", all);
    fixture_assert_json (rows, "[{'id':6,'task_id':'t','output_type':'stdout','content':'','timestamp':6,'file_path':'f',"
        "'file_size':0,'mime_type':'text/plain','commit_hash':'c1','branch':'b2','attempt':2,'user_id':'default','y':[]},"
        "{'id':7,'task_id':'t','output_type':'artifact','content':{'$bin':'AAH/'},'timestamp':7,'attempt':2,'user_id':'default'}]");
    json_decref (rows);
    rows = s_chain (self, STELE_CHAIN_COMMANDS, "s", all);
    fixture_assert_json (rows, "[{'id':16,'session_id':'s','command':'ls','output':'a\\nb','execution_time_ms':1.5,"
        "'exit_code':-1,'timestamp':16,'attempt':2,'user_id':'default','w':'v'},"
        "{'id':17,'session_id':'s','command':'','timestamp':17,'attempt':2,'user_id':'default'}]");
    json_decref (rows);
    rows = s_chain (self, STELE_CHAIN_METRICS, "t", all);
    assert_int_equal (json_array_size (rows), 5);
    fixture_assert_json (json_array_get (rows, 4), "{'id':12,'task_id':'t','name':'n','value':2.0,'timestamp':12,"
        "'attempt':2,'user_id':'default','k':'v'}");
    json_decref (rows);
}

//  Attempts of the rows, as a JSON array
static void
s_assert_attempts (json_t *rows, const char *expected)
{
    json_t *attempts = json_array ();
    size_t i;
    json_t *row;
    json_array_foreach (rows, i, row)
        json_array_append_new (attempts, json_incref (json_object_get (row, "attempt")?
            json_object_get (row, "attempt"): json_null ()));
    fixture_assert_json (attempts, expected);
    json_decref (attempts);
    json_decref (rows);
}

static json_t *
s_table (const fixture_t *self, stele_table_t table, int64_t limit)
{
    json_t *rows = json_array ();
    int64_t next = 0;
    do
        assert_int_equal (stele_reader_table (self->reader, table, next, INT64_MAX, limit, fixture_add, rows, &next), 0);
    while (next);
    return rows;
}

static void
s_start_session (fixture_t *self, const char *id, const char *task)
{
    fixture_append (self, "{'type':'session.started','time':1,'session_id':'%s','cli_tool':'c','mode':'m',"
        "'current_directory':'/','task_id':'%s'}", id, task);
}

//  One attempt of a task: it runs, prints, measures, a session works on it, and it fails
static void
s_append_attempt (fixture_t *self, const char *id, int time)
{
    fixture_append (self, "{'type':'task.state_changed','time':%d,'task_id':'%s','state':'running'}", time, id);
    fixture_append (self, "{'type':'task.output_added','time':%d,'task_id':'%s','output_type':'log','content':'c'}", time, id);
    fixture_append (self, "{'type':'task.metric_recorded','time':%d,'task_id':'%s','name':'n','value':1}", time, id);
    fixture_append (self, "{'type':'session.command_executed','time':%d,'session_id':'%s','command':'c'}", time, id);
    fixture_append (self, "{'type':'task.state_changed','time':%d,'task_id':'%s','state':'failed'}", time, id);
}

static void
test_reader_rows_have_the_number_of_their_attempt (void **state)
{
    fixture_t *self = *state;
    fixture_begin (self);
    //  A command before its session has a task has no attempt, and none before the task has an event
    fixture_append (self, "{'type':'session.command_executed','time':1,'session_id':'t','command':'c'}");
    for (int i = 0; i < 2; i++)
        s_start_session (self, i? "u": "t", i? "u": "t");
    fixture_append (self, "{'type':'session.command_executed','time':1,'session_id':'u','command':'c'}");
    for (int attempt = 1; attempt <= 3; attempt++) {
        s_append_attempt (self, "t", attempt);
        s_append_attempt (self, "u", attempt);
        //  The second retry of t is an update; u fails more than once per attempt
        fixture_append (self, "{'type':'task.%s','time':%d,'task_id':'t','state':'queued'}",
            attempt == 2? "updated": "state_changed", attempt);
        fixture_append (self, "{'type':'task.updated','time':%d,'task_id':'u','state':'failed','title':'x'}", attempt);
        fixture_append (self, "{'type':'task.state_changed','time':%d,'task_id':'u','state':'failed'}", attempt);
        if (attempt < 3)
            fixture_append (self, "{'type':'task.updated','time':%d,'task_id':'u','state':'queued'}", attempt);
    }
    //  Later starts of a session change nothing of its earlier commands
    s_start_session (self, "t", "u");
    s_start_session (self, "u", "none");
    fixture_commit (self);
    for (int64_t limit = 1; limit < 10; limit++) {
        stele_chain_filter_t filter = { .limit = limit };
        s_assert_attempts (s_chain (self, STELE_CHAIN_HISTORY, "t", filter), "[1,1,2,2,2,3,3,3,4]");
        s_assert_attempts (s_chain (self, STELE_CHAIN_OUTPUTS, "t", filter), "[1,2,3]");
        s_assert_attempts (s_chain (self, STELE_CHAIN_METRICS, "u", filter), "[1,2,3]");
        s_assert_attempts (s_chain (self, STELE_CHAIN_COMMANDS, "t", filter), "[null,1,2,3]");
        filter.newest_first = true;
        s_assert_attempts (s_chain (self, STELE_CHAIN_HISTORY, "t", filter), "[4,3,3,3,2,2,2,1,1]");
        s_assert_attempts (s_chain (self, STELE_CHAIN_OUTPUTS, "u", filter), "[3,2,1]");
        s_assert_attempts (s_table (self, STELE_TABLE_OUTPUTS, limit), "[1,1,2,2,3,3]");
        s_assert_attempts (s_table (self, STELE_TABLE_METRICS, limit), "[1,1,2,2,3,3]");
        s_assert_attempts (s_table (self, STELE_TABLE_COMMANDS, limit), "[null,null,1,1,2,2,3,3]");
        s_assert_attempts (s_table (self, STELE_TABLE_TASKS, limit), "[4,3]");
    }
    assert_int_equal (fixture_ask (self, "SELECT sum (attempt) FROM task_outputs_view"), 12);
    assert_int_equal (fixture_ask (self, "SELECT sum (attempt) FROM task_summary"), 7);
}

//  -- sessions, preferences, refusals ------------------------------------------------------

static void
test_reader_sessions_are_listed_newest_first (void **state)
{
    fixture_t *self = *state;
    fixture_begin (self);
    for (int i = 1; i <= 10; i++)
        fixture_append (self, "{'type':'session.started','time':%d,'session_id':'s%d','cli_tool':'c','mode':'m',"
            "'current_directory':'/','state':'%s','task_id':'t%d'}", i, i, i % 2? "running": "completed", i % 3);
    fixture_append (self, "{'type':'session.command_executed','time':20,'session_id':'s1','command':'ls'}");
    fixture_commit (self);
    json_t *rows = json_array ();
    assert_int_equal (stele_reader_session (self->reader, "s1", 2, fixture_add, rows), 1);
    fixture_assert_json (rows, "[{'session_id':'s1','state':'running','cli_tool':'c','mode':'m','current_directory':'/',"
        "'task_id':'t1','user_id':'default','created_at':1,'updated_at':20,'command_count':1,'position':11}]");
    json_decref (rows);
    assert_int_equal (stele_reader_session (self->reader, "none", 4, fixture_stop, NULL), 0);

    static const struct { uint32_t states; stele_span_t task; const char *expected; } cases [] = {
        { 0, { NULL, 0 }, "['s10','s9','s8','s7','s6','s5','s4','s3','s2','s1']" },
        { 1u << STELE_SESSION_COMPLETED, { NULL, 0 }, "['s10','s8','s6','s4','s2']" },
        { 0, { "t1", 2 }, "['s10','s7','s4','s1']" },
        { 1u << STELE_SESSION_RUNNING, { "t1", 2 }, "['s7','s1']" }
    };
    for (size_t i = 0; i < 4; i++)
        for (int64_t limit = 1; limit < 12; limit++) {
            rows = json_array ();
            int64_t next = 0;
            do
                assert_int_equal (stele_reader_sessions (self->reader, cases [i].states, cases [i].task,
                    next, limit, fixture_add, rows, &next), 0);
            while (next);
            json_t *ids = json_array (), *row;
            size_t j;
            json_array_foreach (rows, j, row)
                json_array_append (ids, json_object_get (row, "session_id"));
            fixture_assert_json (ids, cases [i].expected);
            json_decref (ids);
            json_decref (rows);
        }
}

static void
test_reader_preferences_are_the_latest (void **state)
{
    fixture_t *self = *state;
    assert_int_equal (stele_reader_preferences (self->reader, "default", 7, fixture_stop, NULL), 0);
    fixture_append (self, "{'type':'preference.set','time':1,'preferred_provider':'p','role_preferences':{'a':1}}");
    fixture_append (self, "{'type':'preference.set','time':2,'preferred_model':'m','full_access_preferred':false}");
    json_t *rows = json_array ();
    assert_int_equal (stele_reader_preferences (self->reader, "default", 7, fixture_add, rows), 1);
    fixture_assert_json (rows, "[{'user_id':'default','preferred_provider':'p','preferred_model':'m',"
        "'full_access_preferred':false,'role_preferences':{'a':1},'created_at':1,'updated_at':2,'position':2}]");
    json_decref (rows);
}

static void
test_reader_rejected_returns_event_or_bytes (void **state)
{
    fixture_t *self = *state;
    static const struct { const char *bytes; size_t size; } events [] = {
        { "\x81\xa1" "a\x01", 4 }, { "\x81\xa1", 2 }, { "\x81\xa1" "a\xa1\xff", 5 }, { "", 0 }
    };
    fixture_begin (self);
    stele_producer_t producer = { .name = "builder", .status = STELE_PRODUCER_PRESENT, .seen_at = 3,
        .sequence = 7, .instance = "run" };
    assert_int_equal (stele_ledger_producer_save (self->ledger, &producer), 0);
    stele_refusal_t refusal;
    stele_refuse (&refusal, STELE_EINVALID_FIELD, "title", "no good");
    int64_t id = 0;
    for (int i = 0; i < 4; i++)
        assert_int_equal (stele_ledger_reject (self->ledger, i? producer.id: 0, i, &refusal, 5,
            events [i].bytes, events [i].size, &id), 0);
    assert_int_equal (stele_ledger_rejected_done (self->ledger, 2, 8, 99), 0);
    fixture_commit (self);

    json_t *rows = json_array ();
    int64_t next;
    assert_int_equal (stele_reader_rejected (self->reader, NULL, false, 0, 3, fixture_add, rows, &next), 0);
    assert_int_equal (next, 3);
    assert_int_equal (stele_reader_rejected (self->reader, NULL, false, next, 3, fixture_add, rows, &next), 0);
    assert_int_equal (next, 0);
    assert_int_equal (json_array_size (rows), 4);
    fixture_assert_json (json_object_get (json_array_get (rows, 0), "event"), "{'a':1}");
    fixture_assert_json (json_array_get (rows, 1), "{'id':2,'producer':'builder','sequence':1,'code':'invalid_field',"
        "'field':'title','message':'no good','time':5,'event':{'$bin':'gaE='},'retried_at':8,'position':99}");
    fixture_assert_json (json_object_get (json_array_get (rows, 2), "event"), "{'$bin':'gaFhof8='}");
    fixture_assert_json (json_object_get (json_array_get (rows, 3), "event"), "{'$bin':''}");
    json_array_clear (rows);
    assert_int_equal (stele_reader_rejected (self->reader, "builder", true, 0, 9, fixture_add, rows, &next), 0);
    s_assert_ids (rows, "[3,4]");
    rows = json_array ();
    assert_int_equal (stele_reader_rejected_one (self->reader, 4, fixture_add, rows), 1);
    assert_int_equal (stele_reader_rejected_one (self->reader, 5, fixture_add, rows), 0);
    s_assert_ids (rows, "[4]");
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, fixture_new, fixture_destroy)

int
main (void)
{
    const struct CMUnitTest tests [] = {
        TEST (test_reader_task_has_defaults_and_live_leaves_out_text),
        TEST (test_reader_task_failed_and_retried_keeps_its_error),
        TEST (test_reader_interrupted_is_in_all_records),
        TEST (test_reader_active_pages_through_active_tasks),
        TEST (test_reader_chain_pages_and_filters),
        TEST (test_reader_chain_of_many_rows_is_complete_in_both_orders),
        TEST (test_reader_chain_returns_records),
        TEST (test_reader_rows_have_the_number_of_their_attempt),
        TEST (test_reader_sessions_are_listed_newest_first),
        TEST (test_reader_preferences_are_the_latest),
        TEST (test_reader_rejected_returns_event_or_bytes)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
