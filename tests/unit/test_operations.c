/*  test_operations - tests of the table of operations, and of stele_query_answer: every operation that a worker
    answers, against a real ledger

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <unistd.h>
#include "talk.h"
#include "broker/common/answer.h"
#include "broker/operations/query.h"
#include "ledger/ledger.h"
#include "wire/event/event_codec.h"

typedef struct {
    char folder [64];
    char path [128];
    stele_ledger_t *ledger;
    stele_settings_t *settings;
    stele_query_t query;
    stele_pack_t *context;
} s_world_t;

//  -- a ledger with a small story ------------------------------------------------------

static void
s_append (s_world_t *self, const char *json)
{
    stele_pack_t *pack = talk_pack ("%s", json);
    stele_record_t *event = stele_record_new ();
    stele_refusal_t refusal = { 0 };
    if (stele_event_decode_record (stele_pack_data (pack), stele_pack_size (pack), event,
        &refusal))
        fail_msg ("%s: %s", json, refusal.message);
    int64_t position;
    if (stele_ledger_append (self->ledger, event, 0, &position, &refusal) != 1)
        fail_msg ("%s: %s", json, refusal.message);
    stele_record_destroy (&event);
    stele_pack_destroy (&pack);
}

static void
s_tell_story (s_world_t *self)
{
    static const char *const story [] = {
        "{'type':'task.created','time':1000000,'task_id':'a','title':'A','description':'first',"
            "'role':'coder','provider':'x','metadata':{'k':1}}",
        "{'type':'task.created','time':2000000,'task_id':'b','title':'B','description':'second',"
            "'role':'tester','parent_id':'a','user_id':'ann'}",
        "{'type':'task.created','time':3000000,'task_id':'c','title':'C','description':'third',"
            "'role':'coder','model':'m'}",
        "{'type':'task.state_changed','time':4000000,'task_id':'a','state':'running'}",
        "{'type':'task.output_added','time':4100000,'task_id':'a','output_type':'stdout',"
            "'content':'hello'}",
        "{'type':'task.output_added','time':4200000,'task_id':'a','output_type':'stderr',"
            "'content':{'$bin':'AAEC'}}",
        "{'type':'task.metric_recorded','time':4300000,'task_id':'a','name':'tokens','value':7}",
        "{'type':'task.metric_recorded','time':4400000,'task_id':'a','name':'cost','value':0.5}",
        "{'type':'task.state_changed','time':5000000,'task_id':'a','state':'failed',"
            "'error_message':'broke'}",
        "{'type':'session.started','time':6000000,'session_id':'s1','cli_tool':'sh',"
            "'mode':'interactive','current_directory':'/','task_id':'a'}",
        "{'type':'session.command_executed','time':6100000,'session_id':'s1','command':'ls',"
            "'output':'x','exit_code':0}",
        "{'type':'session.started','time':7000000,'session_id':'s2','cli_tool':'sh',"
            "'mode':'batch','current_directory':'/tmp'}",
        "{'type':'preference.set','time':8000000,'user_id':'ann','preferred_provider':'x'}"
    };
    assert_int_equal (stele_ledger_begin (self->ledger), 0);
    for (size_t i = 0; i < sizeof story / sizeof story [0]; i++)
        s_append (self, story [i]);
    stele_refusal_t refusal = { STELE_EILLEGAL, "state", "no" };
    assert_int_equal (stele_ledger_reject (self->ledger, 0, 0, &refusal, 9000000, "\x80", 1,
        NULL), 0);
    assert_int_equal (stele_ledger_commit (self->ledger, 10000000), 0);
}

#define HEAD 13

static int
s_setup (void **state)
{
    s_world_t *self = calloc (1, sizeof *self);
    strcpy (self->folder, "/tmp/stele-query-XXXXXX");
    assert_non_null (mkdtemp (self->folder));
    snprintf (self->path, sizeof self->path, "%s/ledger.db", self->folder);
    stele_refusal_t refusal = { 0 };
    self->ledger = stele_ledger_open (self->path, STELE_CHECK_QUICK, &refusal);
    if (!self->ledger)
        fail_msg ("%s", refusal.message);
    s_tell_story (self);
    self->settings = stele_settings_new ();
    self->query.reader = stele_reader_open (self->path, &refusal);
    if (!self->query.reader)
        fail_msg ("%s", refusal.message);
    self->query.settings = self->settings;
    self->query.ledger_id = stele_ledger_id (self->ledger);
    self->query.record = stele_record_new ();
    *state = self;
    return 0;
}

static int
s_teardown (void **state)
{
    s_world_t *self = *state;
    stele_reader_close (&self->query.reader);
    stele_record_destroy (&self->query.record);
    stele_ledger_close (&self->ledger);
    stele_settings_destroy (&self->settings);
    stele_pack_destroy (&self->context);
    static const char *const endings [] = { "", "-wal", "-shm", "-journal", ".lock", ".high-water" };
    for (size_t i = 0; i < sizeof endings / sizeof endings [0]; i++) {
        char path [160];
        snprintf (path, sizeof path, "%s%s", self->path, endings [i]);
        unlink (path);
    }
    assert_int_equal (rmdir (self->folder), 0);
    free (self);
    return 0;
}

//  -- asking --------------------------------------------------------------------------

static json_t *s_answer;
static stele_ignored_t s_ignored;      // Of the last request

static json_t *
s_ask (s_world_t *self, const char *json)
{
    stele_pack_t *request = talk_pack ("%s", json);
    stele_pack_t *answer = stele_pack_new ();
    stele_params_t params;
    s_ignored.count = 0;
    stele_operation_check (&params, stele_pack_data (request), stele_pack_size (request), &s_ignored);
    if (params.refusal.code)
        stele_answer_refuse (answer, &params.refusal, NULL, 0);
    else
        stele_query_answer (&self->query, &stele_identity_local, stele_pack_data (request), stele_pack_size (request), answer);
    json_decref (s_answer);
    s_answer = talk_unpack (stele_pack_data (answer), stele_pack_size (answer));
    stele_pack_destroy (&request);
    stele_pack_destroy (&answer);
    return s_answer;
}

static json_t *
s_ask_ok (s_world_t *self, const char *json)
{
    s_ask (self, json);
    if (!talk_is_ok (s_answer))
        fail_msg ("%s: %s", json, talk_text (s_answer, "error/message"));
    assert_int_equal (talk_number (s_answer, "position"), HEAD);
    return s_answer;
}

static void
s_assert_error (s_world_t *self, const char *json, const char *code, const char *message)
{
    s_ask (self, json);
    assert_true (json_is_false (talk_at (s_answer, "ok")));
    assert_string_equal (talk_text (s_answer, "error/code"), code);
    assert_string_equal (talk_text (s_answer, "error/message"), message);
    assert_int_equal (json_object_size (s_answer), 2);
}

//  The texts of one key of all rows: "c b a"

static const char *
s_column (json_t *answer, const char *list, const char *key)
{
    static char text [1024];
    text [0] = '\0';
    json_t *rows = talk_at (answer, list);
    assert_true (json_is_array (rows));
    for (size_t i = 0; i < json_array_size (rows); i++) {
        json_t *value = talk_at (json_array_get (rows, i), key);
        if (i)
            strcat (text, " ");
        if (json_is_integer (value))
            snprintf (text + strlen (text), 32, "%lld", (long long) json_integer_value (value));
        else
            strcat (text, json_is_string (value)? json_string_value (value): "-");
    }
    return text;
}

//  -- tests ----------------------------------------------------------------------------

static void
test_operations_unknown_is_refused_with_the_names_of_all (void **state)
{
    s_ask (*state, "{'op':'no.such'}");
    assert_string_equal (talk_text (s_answer, "error/code"), "unknown_op");
    assert_string_equal (talk_text (s_answer, "error/field"), "op");
    const char *message = talk_text (s_answer, "error/message");
    for (size_t i = 0; i < STELE_OPERATION_REQUESTS; i++)
        assert_non_null (strstr (message, stele_operations [i].name));
    assert_null (strstr (message, "follower"));
    //  Operations between actors cannot be requested
    s_ask (*state, "{'op':'follower','name':'x','position':1}");
    assert_string_equal (talk_text (s_answer, "error/code"), "unknown_op");
}

static void
test_operations_malformed_is_refused (void **state)
{
    (void) state;
    static const char *const bodies [] = { "", "\xc1", "\x01", "\x81\xa2op", "\x80", "\x81\xa2op\x07" };
    for (size_t i = 0; i < sizeof bodies / sizeof bodies [0]; i++) {
        stele_params_t params;
        assert_null (stele_operation_check (&params, bodies [i], strlen (bodies [i]), &s_ignored));
        assert_int_equal (params.refusal.code, STELE_EBAD_REQUEST);
    }
}

//  Each operation that a worker gets has a handler; the writer, the cache and the backup have their own

static void
test_operations_have_what_their_route_needs (void **state)
{
    (void) state;
    for (int id = 0; id < STELE_OPERATION_REQUESTS; id++) {
        const stele_operation_t *operation = &stele_operations [id];
        bool mailed = operation->route == STELE_ROUTE_WRITER || operation->route == STELE_ROUTE_CACHE
            || operation->route == STELE_ROUTE_BACKUP;
        assert_true (mailed == !operation->handler);
        assert_ptr_equal (stele_operation_find (operation->name, strlen (operation->name)), operation);
        stele_pack_t *request = talk_pack ("{'op':'%s'}", operation->name);
        assert_int_equal (stele_operation_id (stele_pack_data (request), stele_pack_size (request)), id);
        stele_pack_destroy (&request);
    }
    stele_pack_t *request = talk_pack ("{'op':'pause'}");
    assert_int_equal (stele_operation_id (stele_pack_data (request), stele_pack_size (request)), STELE_OPERATION_PAUSE);
    stele_pack_destroy (&request);
}

//  Each parameter with a value that no kind takes, and each required one absent

static void
test_operations_wrong_types_and_missing_parameters_are_named (void **state)
{
    for (int id = 0; id < STELE_OPERATION_REQUESTS; id++)
        for (const stele_param_t *param = stele_operations [id].params; param->name; param++) {
            char json [200];
            snprintf (json, sizeof json, "{'op':'%s','%s':{'x':1}}", stele_operations [id].name, param->name);
            s_ask (*state, json);
            assert_string_equal (talk_text (s_answer, "error/code"), "bad_request");
            assert_string_equal (talk_text (s_answer, "error/field"), param->name);
            if (!param->required)
                continue;
            snprintf (json, sizeof json, "{'op':'%s','%s':null}", stele_operations [id].name, param->name);
            s_ask (*state, json);
            assert_string_equal (talk_text (s_answer, "error/code"), "bad_request");
            assert_non_null (strstr (talk_text (s_answer, "error/message"), " is missing: it takes "));
            assert_true (talk_at (s_answer, "error/field") != NULL);
        }
}

//  A misspelt filter filters nothing: the answer says so

static void
test_operations_parameters_that_do_nothing_are_named (void **state)
{
    s_world_t *self = *state;
    s_ask_ok (self, "{'op':'task.list','states':'failed','min_position':1,'timeout_ms':10,'limit':2}");
    assert_int_equal (s_ignored.count, 0);
    s_ask_ok (self, "{'op':'task.list','state':'failed','order':'created_asc','ro\\nles':['coder'],'limit':1}");
    assert_int_equal (json_array_size (talk_at (s_answer, "tasks")), 1);
    assert_int_equal (s_ignored.count, 2);
    assert_string_equal (s_ignored.names [0], "state");
    assert_string_equal (s_ignored.names [1], "ro?les");
    //  At most 16 are kept
    s_ask_ok (self, "{'op':'ping','a':1,'b':1,'c':1,'d':1,'e':1,'f':1,'g':1,'h':1,'i':1,'j':1,'k':1,'l':1,"
        "'m':1,'n':1,'o':1,'p':1,'q':{'op':1},'r':[[]]}");
    assert_int_equal (s_ignored.count, 16);
}

static void
test_operations_too_many_elements_are_refused (void **state)
{
    (void) state;
    stele_pack_t *request = stele_pack_new ();
    for (int of_publish = 0; of_publish < 2; of_publish++) {
        stele_pack_clear (request);
        stele_pack_map (request, 3);
        stele_pack_key_string (request, "op", of_publish? "publish": "task.list");
        stele_pack_key_string (request, "producer", "p");
        stele_pack_string (request, "events");
        stele_pack_array (request, 20000);
        for (int i = 0; i < 20000; i++)
            stele_pack_integer (request, i);
        stele_params_t params;
        assert_non_null (stele_operation_check (&params, stele_pack_data (request), stele_pack_size (request), &s_ignored));
        assert_int_equal (params.refusal.code, of_publish? 0: STELE_EBAD_REQUEST);
    }
    stele_pack_destroy (&request);
}

static void
test_operations_task_get_gives_the_full_record (void **state)
{
    json_t *answer = s_ask_ok (*state, "{'op':'task.get','task_id':'a'}");
    assert_string_equal (talk_text (answer, "task/state"), "failed");
    assert_string_equal (talk_text (answer, "task/description"), "first");
    assert_string_equal (talk_text (answer, "task/last_error"), "broke");
    assert_int_equal (talk_number (answer, "task/metadata/k"), 1);
    assert_int_equal (talk_number (answer, "task/started_at"), 4000000);
    assert_int_equal (talk_number (answer, "task/position"), 9);
}

static void
test_operations_task_get_at_gives_the_past (void **state)
{
    s_world_t *self = *state;
    json_t *answer = s_ask_ok (self, "{'op':'task.get','task_id':'a','at':3}");
    assert_string_equal (talk_text (answer, "task/state"), "queued");
    answer = s_ask_ok (self, "{'op':'task.get','task_id':'a','at':'1970-01-01T00:00:04Z'}");
    assert_string_equal (talk_text (answer, "task/state"), "running");
    s_assert_error (self, "{'op':'task.get','task_id':'a','at':14}", "not_found",
        "position 14 does not exist yet; the last one is 13");
    s_assert_error (self, "{'op':'task.get','task_id':'b','at':1}", "not_found",
        "there was no task 'b' at position 1");
    s_assert_error (self, "{'op':'task.get','task_id':'b','at':'1970-01-01T00:00:01Z'}",
        "not_found", "there was no task 'b' at 1970-01-01T00:00:01.000000Z");
    s_assert_error (self, "{'op':'task.get','task_id':'a','at':0}", "bad_request",
        "at takes a position of at least 1, or a time, not 0");
    s_assert_error (self, "{'op':'task.get','task_id':'a','at':'noon'}", "bad_request",
        "at takes a time (RFC 3339 text such as 2026-01-31T23:59:59Z, microseconds since 1970, or a timestamp), "
        "not 'noon'");
}

static void
test_operations_task_unknown_is_not_found (void **state)
{
    s_world_t *self = *state;
    s_assert_error (self, "{'op':'task.get','task_id':'z'}", "not_found", "there is no task 'z'");
    s_assert_error (self, "{'op':'task.status','task_id':'z'}", "not_found",
        "there is no task 'z'");
    s_assert_error (self, "{'op':'task.history','task_id':'z'}", "not_found",
        "there is no task 'z'");
    s_assert_error (self, "{'op':'session.commands','session_id':'z'}", "not_found",
        "there is no session 'z'");
    s_assert_error (self, "{'op':'session.get','session_id':'z'}", "not_found",
        "there is no session 'z'");
    s_assert_error (self, "{'op':'preference.get'}", "not_found",
        "user 'default' has set no preferences");
}

static void
test_operations_task_status_without_redis_is_from_sqlite (void **state)
{
    json_t *answer = s_ask_ok (*state, "{'op':'task.status','task_id':'a'}");
    assert_string_equal (talk_text (answer, "source"), "sqlite");
    assert_string_equal (talk_text (answer, "task/state"), "failed");
    assert_null (talk_at (answer, "task/description"));
}

static void
test_operations_task_list_filters_and_orders (void **state)
{
    s_world_t *self = *state;
    static const struct { const char *more; const char *ids; } lists [] = {
        { "", "c b a" },
        { ",'order':'oldest'", "a b c" },
        { ",'order':'updated'", "a c b" },
        { ",'order':'completed_asc','states':'failed'", "a" },
        { ",'states':['queued','running']", "c b" },
        { ",'roles':'coder'", "c a" },
        { ",'roles':['coder','tester'],'models':['m']", "c" },
        { ",'providers':['x']", "a" },
        { ",'providers':['nobody']", "" },
        { ",'user_id':'ann'", "b" },
        { ",'parent_id':'a'", "b" },
        { ",'date_from':2000000", "c b" },
        { ",'date_to':'1970-01-01T00:00:02Z'", "b a" },
        { ",'limit':1", "c" },
        { ",'limit':1,'offset':1", "b" }
    };
    for (size_t i = 0; i < sizeof lists / sizeof lists [0]; i++) {
        char request [256];
        snprintf (request, sizeof request, "{'op':'task.list'%s}", lists [i].more);
        const char *ids = s_column (s_ask_ok (self, request), "tasks", "task_id");
        if (strcmp (ids, lists [i].ids) != 0)
            fail_msg ("%s: %s, not %s", request, ids, lists [i].ids);
    }
}

static void
test_operations_task_list_pages_and_total (void **state)
{
    s_world_t *self = *state;
    char request [256] = "{'op':'task.list','limit':2,'total':true}";
    json_t *answer = s_ask_ok (self, request);
    assert_string_equal (s_column (answer, "tasks", "task_id"), "c b");
    assert_int_equal (talk_number (answer, "total"), 3);
    snprintf (request, sizeof request, "{'op':'task.list','limit':2,'cursor':'%s'}",
        talk_text (answer, "next"));
    answer = s_ask_ok (self, request);
    assert_string_equal (s_column (answer, "tasks", "task_id"), "a");
    assert_true (json_is_null (talk_at (answer, "next")));
    assert_null (talk_at (answer, "total"));
}

static void
test_operations_task_list_wrong_parameters_are_named (void **state)
{
    s_world_t *self = *state;
    s_assert_error (self, "{'op':'task.list','limit':1001}", "bad_request",
        "limit takes an integer from 1 to 1000, not 1001");
    s_assert_error (self, "{'op':'task.list','order':'random'}", "bad_request",
        "order takes created, updated or completed with _desc or _asc (or newest, oldest), "
        "not 'random'");
    s_assert_error (self, "{'op':'task.list','cursor':'updated_asc.1.1.1.0'}", "bad_request",
        "the cursor is of a list in order updated_asc, this one is in order created_desc: "
        "keep the order from page to page");
    s_assert_error (self, "{'op':'task.list','cursor':'created_desc.1.1.1.0','offset':1}",
        "bad_request", "use either cursor or offset, not both");
    static const char *const cursors [] = {
        "", "created_desc", "created_desc.1", "created_desc.1.", "created_desc.1.1.1.0x", "created_desc.1.1", "created_desc.1.1.-1.0",
        "created_desc. 1.1.1.0", "created_desc.99999999999999999999.1.1.0", "1.1"
    };
    for (size_t i = 0; i < sizeof cursors / sizeof cursors [0]; i++) {
        char request [256];
        snprintf (request, sizeof request, "{'op':'task.list','cursor':'%s'}", cursors [i]);
        assert_string_equal (talk_text (s_ask (self, request), "error/code"), "bad_request");
        assert_string_equal (talk_text (s_answer, "error/field"), "cursor");
    }
}

static void
test_operations_page_too_large_ends_early (void **state)
{
    s_world_t *self = *state;
    //  Room for about one row: pages end by size, and the next ones continue there
    assert_int_equal (stele_settings_set (self->settings, "message-bytes", "300", NULL), 0);
    static const struct { const char *op; const char *list; const char *key; const char *all; }
    lists [] = {
        { "'task.list'", "tasks", "task_id", "c b a" },
        { "'session.list'", "sessions", "session_id", "s2 s1" },
        { "'task.history','task_id':'a'", "history", "id", "1 4 9" },
        { "'task.history','task_id':'a','order':'desc'", "history", "id", "9 4 1" },
        { "'events.read'", "events", "position", "1 2 3 4 5 6 7 8 9 10 11 12 13" }
    };
    for (size_t i = 0; i < sizeof lists / sizeof lists [0]; i++) {
        char all [1024] = "", cursor [128] = "";
        int pages = 0;
        do {
            char request [256];
            snprintf (request, sizeof request, "{'op':%s%s%s}", lists [i].op,
                cursor [0]? i == 4? ",'after':": ",'cursor':": "", cursor);
            json_t *answer = s_ask_ok (self, request);
            if (pages++)
                strcat (all, " ");
            strcat (all, s_column (answer, lists [i].list, lists [i].key));
            json_t *next = talk_at (answer, "next");
            cursor [0] = '\0';
            if (json_is_string (next))
                snprintf (cursor, sizeof cursor, "'%s'", json_string_value (next));
            if (json_is_integer (next))
                snprintf (cursor, sizeof cursor, "%lld", (long long) json_integer_value (next));
        } while (cursor [0] && pages < 20);
        assert_string_equal (all, lists [i].all);
        assert_true (pages > 1);
    }
}

static void
test_operations_chains_filter_order_and_page (void **state)
{
    s_world_t *self = *state;
    json_t *answer = s_ask_ok (self, "{'op':'task.history','task_id':'a'}");
    assert_string_equal (s_column (answer, "history", "state_to"), "queued running failed");
    assert_string_equal (s_column (answer, "history", "state_from"), "- queued running");
    assert_true (json_is_null (talk_at (answer, "next")));
    answer = s_ask_ok (self, "{'op':'task.history','task_id':'a','types':'task.created'}");
    assert_string_equal (s_column (answer, "history", "id"), "1");
    answer = s_ask_ok (self, "{'op':'task.history','task_id':'a','limit':2}");
    assert_int_equal (talk_number (answer, "next"), 4);
    answer = s_ask_ok (self, "{'op':'task.outputs','task_id':'a'}");
    assert_string_equal (talk_text (answer, "outputs/0/content"), "hello");
    assert_string_equal (talk_text (answer, "outputs/1/content/$bin"), "AAEC");
    answer = s_ask_ok (self, "{'op':'task.outputs','task_id':'a','types':['stderr']}");
    assert_string_equal (s_column (answer, "outputs", "id"), "6");
    answer = s_ask_ok (self, "{'op':'task.metrics','task_id':'a','names':['tokens']}");
    assert_string_equal (s_column (answer, "metrics", "value"), "7");
    answer = s_ask_ok (self, "{'op':'task.outputs','task_id':'b'}");
    assert_int_equal (json_array_size (talk_at (answer, "outputs")), 0);
    s_assert_error (self, "{'op':'task.outputs','task_id':'a','order':'up'}", "bad_request",
        "order takes asc (oldest first, the default) or desc, not 'up'");
}

static void
test_operations_sessions_and_preferences (void **state)
{
    s_world_t *self = *state;
    json_t *answer = s_ask_ok (self, "{'op':'session.list'}");
    assert_string_equal (s_column (answer, "sessions", "session_id"), "s2 s1");
    answer = s_ask_ok (self, "{'op':'session.list','task_id':'a'}");
    assert_string_equal (s_column (answer, "sessions", "session_id"), "s1");
    answer = s_ask_ok (self, "{'op':'session.list','states':['running']}");
    assert_string_equal (s_column (answer, "sessions", "session_id"), "");
    answer = s_ask_ok (self, "{'op':'session.get','session_id':'s1'}");
    assert_int_equal (talk_number (answer, "session/command_count"), 1);
    answer = s_ask_ok (self, "{'op':'session.commands','session_id':'s1'}");
    assert_string_equal (talk_text (answer, "commands/0/command"), "ls");
    answer = s_ask_ok (self, "{'op':'preference.get','user_id':'ann'}");
    assert_string_equal (talk_text (answer, "preferences/preferred_provider"), "x");
}

static void
test_operations_log_is_read_in_order (void **state)
{
    s_world_t *self = *state;
    json_t *answer = s_ask_ok (self, "{'op':'events.read','after':10}");
    assert_string_equal (s_column (answer, "events", "position"), "11 12 13");
    assert_int_equal (talk_number (answer, "head"), HEAD);
    assert_true (json_is_null (talk_at (answer, "next")));
    answer = s_ask_ok (self, "{'op':'events.read','limit':2}");
    assert_string_equal (s_column (answer, "events", "type"), "task.created task.created");
    assert_int_equal (talk_number (answer, "next"), 2);
    answer = s_ask_ok (self, "{'op':'events.read','types':['preference.set']}");
    assert_string_equal (s_column (answer, "events", "position"), "13");
    answer = s_ask_ok (self, "{'op':'events.read','after':99}");
    assert_int_equal (json_array_size (talk_at (answer, "events")), 0);
    answer = s_ask_ok (self, "{'op':'rejected.list'}");
    assert_string_equal (talk_text (answer, "rejected/0/code"), "illegal_transition");
    answer = s_ask_ok (self, "{'op':'rejected.list','producer':'nobody'}");
    assert_int_equal (json_array_size (talk_at (answer, "rejected")), 0);
}

static void
test_operations_info_says_what_runs (void **state)
{
    s_world_t *self = *state;
    self->context = talk_pack ("{'endpoints':{'requests':'tcp://there'}}");
    self->query.context = stele_pack_data (self->context);
    self->query.context_size = stele_pack_size (self->context);
    json_t *answer = s_ask_ok (self, "{'op':'info'}");
    assert_string_equal (talk_text (answer, "version"), STELE_VERSION);
    assert_int_equal (talk_number (answer, "protocol"), STELE_PROTOCOL);
    assert_string_equal (talk_text (answer, "ledger"), self->query.ledger_id);
    assert_string_equal (talk_text (answer, "mode"), "sqlite");
    assert_int_equal (talk_number (answer, "limits/message_bytes"), 16777216);
    assert_int_equal (talk_number (answer, "limits/list_limit"), 1000);
    assert_string_equal (talk_text (answer, "endpoints/requests"), "tcp://there");
    assert_true (json_is_string (talk_at (answer, "parts/zmq")));
    assert_true (json_is_string (talk_at (answer, "parts/sqlite")));
}

static void
test_operations_stats_counts_and_joins_parts (void **state)
{
    s_world_t *self = *state;
    json_t *answer = s_ask_ok (self, "{'op':'stats'}");
    assert_int_equal (talk_number (answer, "tasks/total"), 3);
    assert_int_equal (talk_number (answer, "tasks/by_state/queued"), 2);
    assert_int_equal (talk_number (answer, "tasks/by_state/failed"), 1);
    assert_int_equal (json_object_size (talk_at (answer, "tasks/by_state")), 10);
    assert_int_equal (talk_number (answer, "tasks/by_role/coder"), 2);
    assert_int_equal (json_object_size (talk_at (answer, "tasks/by_provider")), 1);
    assert_int_equal (talk_number (answer, "sessions/total"), 2);
    assert_int_equal (talk_number (answer, "ledger/position"), HEAD);
    assert_int_equal (talk_number (answer, "ledger/rejected"), 1);
    assert_string_equal (talk_text (answer, "redis/state"), "off");
    assert_int_equal (json_object_size (talk_at (answer, "recovery")), 0);

    self->context = talk_pack ("{'writer':{'ingest':{'events':5},'producers':{'p':{}}},"
        "'cache':{'state':'live'},'feed':{},'pipeline':{},'requests':{'total':9},"
        "'recovery':{'restored':1},'consistency':{'checked':2}}");
    self->query.context = stele_pack_data (self->context);
    self->query.context_size = stele_pack_size (self->context);
    self->query.has_cache = true;
    answer = s_ask_ok (self, "{'op':'stats'}");
    assert_int_equal (talk_number (answer, "ingest/events"), 5);
    assert_non_null (talk_at (answer, "producers/p"));
    assert_string_equal (talk_text (answer, "redis/state"), "live");
    assert_int_equal (talk_number (answer, "requests/total"), 9);
    assert_int_equal (talk_number (answer, "recovery/restored"), 1);
    assert_int_equal (talk_number (answer, "consistency/checked"), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, s_setup, s_teardown)

int
main (void)
{
    const struct CMUnitTest tests [] = {
        TEST (test_operations_unknown_is_refused_with_the_names_of_all),
        TEST (test_operations_malformed_is_refused),
        TEST (test_operations_have_what_their_route_needs),
        TEST (test_operations_wrong_types_and_missing_parameters_are_named),
        TEST (test_operations_parameters_that_do_nothing_are_named),
        TEST (test_operations_too_many_elements_are_refused),
        TEST (test_operations_task_get_gives_the_full_record),
        TEST (test_operations_task_get_at_gives_the_past),
        TEST (test_operations_task_unknown_is_not_found),
        TEST (test_operations_task_status_without_redis_is_from_sqlite),
        TEST (test_operations_task_list_filters_and_orders),
        TEST (test_operations_task_list_pages_and_total),
        TEST (test_operations_task_list_wrong_parameters_are_named),
        TEST (test_operations_page_too_large_ends_early),
        TEST (test_operations_chains_filter_order_and_page),
        TEST (test_operations_sessions_and_preferences),
        TEST (test_operations_log_is_read_in_order),
        TEST (test_operations_info_says_what_runs),
        TEST (test_operations_stats_counts_and_joins_parts)
    };
    int failed = cmocka_run_group_tests (tests, NULL, NULL);
    json_decref (s_answer);
    return failed;
}
