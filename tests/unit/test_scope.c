/*  test_scope - what every operation of the table answers to keys that are bound to users

    Two users whose records hold their name in every text. For each operation and each of its parameters: the answer to
    one of them never holds the name of the other; and a request that names a record of the other is answered like
    one that names a record that does not exist.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <unistd.h>
#include "talk.h"
#include "broker/operations/query.h"
#include "ledger/ledger.h"
#include "wire/event/event_codec.h"

#define SPAN(text) { text, sizeof text - 1 }
static const stele_span_t s_ann = SPAN ("ann-1"), s_bob = SPAN ("bob-1");
static const stele_span_t s_both [] = { SPAN ("ann-1"), SPAN ("bob-1") };
#define OF(spans, count) { .name = "key", .roles = STELE_ROLE_ALL, .users = spans, .user_count = count }
static const stele_identity_t s_of_ann = OF (&s_ann, 1), s_of_bob = OF (&s_bob, 1), s_of_both = OF (s_both, 2);

typedef struct {
    char folder [64];
    char path [128];
    stele_ledger_t *ledger;
    stele_settings_t *settings;
    stele_query_t query;
} s_world_t;

//  % is the user
static const char *const s_story [] = {
    "{'type':'task.created','time':1000000,'task_id':'%-1','user_id':'%-1','title':'%-1','description':'%-1',"
        "'role':'%-1','provider':'%-1','model':'%-1','metadata':{'%':'%'},'branch':'%-1'}",
    "{'type':'task.created','time':2000000,'task_id':'%-2','user_id':'%-1','title':'%-1','description':'',"
        "'role':'%-1','parent_id':'%-1'}",
    "{'type':'task.state_changed','time':3000000,'task_id':'%-1','state':'running','user_id':'%-1'}",
    "{'type':'task.state_changed','time':3000000,'task_id':'%-2','state':'running','user_id':'%-1'}",
    "{'type':'task.created','time':3000000,'task_id':'%-3','user_id':'%-1','title':'','description':'',"
        "'role':'%-1','state':'running'}",
    "{'type':'task.updated','time':3500000,'task_id':'%-1','user_id':'%-1','title':'%-1 again'}",
    "{'type':'task.output_added','time':4000000,'task_id':'%-1','user_id':'%-1','output_type':'log','content':'%'}",
    "{'type':'task.metric_recorded','time':4000000,'task_id':'%-1','user_id':'%-1','name':'%-1','value':7}",
    "{'type':'task.state_changed','time':5000000,'task_id':'%-1','state':'failed','error_message':'%-1','user_id':'%-1'}",
    "{'type':'session.started','time':6000000,'session_id':'%-1','user_id':'%-1','cli_tool':'%','mode':'%',"
        "'current_directory':'/%','task_id':'%-1'}",
    "{'type':'session.started','time':6000000,'session_id':'%-2','cli_tool':'%','mode':'%',"
        "'current_directory':'/%','task_id':'%-1'}",
    "{'type':'session.command_executed','time':6100000,'session_id':'%-1','user_id':'%-1','command':'%','exit_code':1}",
    "{'type':'session.command_executed','time':6200000,'session_id':'%-2','user_id':'%-1','command':'%','exit_code':1}",
    "{'type':'preference.set','time':8000000,'user_id':'%-1','preferred_provider':'%-1'}"
};

static void
s_append (s_world_t *self, const char *story, const char *user, int64_t producer)
{
    char text [1024] = "";
    for (size_t used = 0; *story; story++)
        used += (size_t) snprintf (text + used, sizeof text - used, *story == '%'? "%s": "%.1s",
            *story == '%'? user: story);
    stele_pack_t *pack = talk_pack ("%s", text);
    stele_record_t *event = stele_record_new ();
    stele_refusal_t refusal = { 0 };
    int64_t position;
    if (stele_event_decode_record (stele_pack_data (pack), stele_pack_size (pack), event, &refusal)
    ||  stele_ledger_append (self->ledger, event, producer, &position, &refusal) != 1)
        fail_msg ("%s: %s", text, refusal.message);
    stele_record_destroy (&event);
    stele_pack_destroy (&pack);
}

static int
s_setup (void **state)
{
    s_world_t *self = calloc (1, sizeof *self);
    strcpy (self->folder, "/tmp/stele-scope-XXXXXX");
    assert_non_null (mkdtemp (self->folder));
    snprintf (self->path, sizeof self->path, "%s/ledger.db", self->folder);
    stele_refusal_t refusal = { 0 };
    self->ledger = stele_ledger_open (self->path, STELE_CHECK_QUICK, &refusal);
    assert_non_null (self->ledger);
    stele_producer_t producers [2] = { { .name = "ann-1", .status = STELE_PRODUCER_PRESENT },
        { .name = "bob-1", .status = STELE_PRODUCER_PRESENT } };
    assert_int_equal (stele_ledger_begin (self->ledger), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal (stele_ledger_producer_save (self->ledger, &producers [i]), 0);
    for (size_t i = 0; i < sizeof s_story / sizeof s_story [0]; i++) {
        s_append (self, s_story [i], "ann", producers [0].id);
        s_append (self, s_story [i], "bob", producers [1].id);
    }
    assert_int_equal (stele_ledger_commit (self->ledger, 10000000), 0);
    self->settings = stele_settings_new ();
    self->query.reader = stele_reader_open (self->path, &refusal);
    assert_non_null (self->query.reader);
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
    static const char *const endings [] = { "", "-wal", "-shm", ".lock", ".high-water" };
    for (size_t i = 0; i < sizeof endings / sizeof endings [0]; i++) {
        char path [160];
        snprintf (path, sizeof path, "%s%s", self->path, endings [i]);
        unlink (path);
    }
    assert_int_equal (rmdir (self->folder), 0);
    free (self);
    return 0;
}

//  -- requests of every operation --------------------------------------------------------

//  Values to try for a parameter, # for the name of a record or user; ended by NULL
static const char *const *
s_values (const stele_param_t *param)
{
    static const char *const texts [] = { "'#-1'", "'#-2'", NULL }, *const lists [] = { "['#-1']", NULL };
    static const char *const words [] = { "['running','failed','completed']", NULL };
    static const char *const groups [] = { "'state'", "'role'", "'provider'", "'model'", "'hour'", "'day'", "'error'", NULL };
    static const char *const orders [] = { "'created_asc'", "'updated_desc'", "'completed_asc'", "'desc'", NULL };
    static const char *const tables [] = { "'tasks'", "'task_history'", "'task_outputs'", "'task_metrics'",
        "'cli_sessions'", "'cli_session_commands'", NULL };
    static const char *const numbers [] = { "1", "7", "20", NULL }, *const bools [] = { "true", "false", NULL };
    static const char *const times [] = { "2", "21", "500000", "3000000", "5500000", "2000000000000000", NULL };
    static const char *const none [] = { NULL }, *const zero [] = { "0", NULL };
    static const struct { const char *name; const char *const *values; } by_name [] = {
        { "states", words }, { "types", none }, { "group_by", groups }, { "order", orders }, { "table", tables },
        { "silent_s", zero }, { "cursor", numbers }
    };
    for (size_t i = 0; i < sizeof by_name / sizeof by_name [0]; i++)
        if (strcmp (by_name [i].name, param->name) == 0)
            return by_name [i].values;
    switch (param->kind) {
        case STELE_PARAM_ID: case STELE_PARAM_NAME: case STELE_PARAM_TEXT: return texts;
        case STELE_PARAM_TEXTS: case STELE_PARAM_IDS: return lists;
        case STELE_PARAM_BOOL: return bools;
        case STELE_PARAM_TIME: return times;
        default: return numbers;
    }
}

//  The answer as text, # in the request being 'name'. Caller frees it.
static char *
s_ask (s_world_t *self, const stele_identity_t *key, const char *request, const char *name)
{
    char text [1024] = "";
    for (size_t used = 0; *request; request++)
        used += (size_t) snprintf (text + used, sizeof text - used, *request == '#'? "%s": "%.1s",
            *request == '#'? name: request);
    stele_pack_t *pack = talk_pack ("%s", text), *answer = stele_pack_new ();
    stele_query_answer (&self->query, key, stele_pack_data (pack), stele_pack_size (pack), answer);
    json_t *json = talk_unpack (stele_pack_data (answer), stele_pack_size (answer));
    char *shown = json_dumps (json, JSON_SORT_KEYS);
    json_decref (json);
    stele_pack_destroy (&pack);
    stele_pack_destroy (&answer);
    return shown;
}

//  {'op':..., its required parameters with the values of #, and the given one
static void
s_request (const stele_operation_t *operation, const stele_param_t *extra, const char *value, char *request, size_t size)
{
    size_t used = (size_t) snprintf (request, size, "{'op':'%s'", operation->name);
    for (const stele_param_t *param = operation->params; param->name; param++)
        if (param->required && param != extra)
            used += (size_t) snprintf (request + used, size - used, ",'%s':%s", param->name,
                strcmp (param->name, "table") == 0? "'tasks'": param->kind == STELE_PARAM_IDS? "['ann-1']": "'ann-1'");
    if (extra)
        used += (size_t) snprintf (request + used, size - used, ",'%s':%s", extra->name, value);
    snprintf (request + used, size - used, "}");
}

static void
s_assert_silent (const char *request, const char *answer)
{
    if (strstr (answer, "bob"))
        fail_msg ("%s: %s", request, answer);
}

//  The request that names something of bob's, or nothing that exists
static void
s_assert_no_difference (s_world_t *self, const char *request)
{
    char *other = s_ask (self, &s_of_ann, request, "bob"), *none = s_ask (self, &s_of_ann, request, "zap");
    for (char *name = none; (name = strstr (name, "zap"));)
        memcpy (name, "bob", 3);
    if (strcmp (other, none) != 0)
        fail_msg ("%s: %s\n%s", request, other, none);
    free (other);
    free (none);
}

static void
test_scope_no_answer_shows_a_record_of_another_user (void **state)
{
    s_world_t *self = *state;
    char request [512];
    for (size_t i = 0; i < STELE_OPERATION_REQUESTS; i++) {
        const stele_operation_t *operation = &stele_operations [i];
        if (!operation->handler || operation->scope == STELE_SCOPE_UNBOUND)
            continue;
        s_request (operation, NULL, NULL, request, sizeof request);
        char *answer = s_ask (self, &s_of_ann, request, "");
        s_assert_silent (request, answer);
        free (answer);
        for (const stele_param_t *param = operation->params; param->name; param++)
            for (const char *const *value = s_values (param); *value; value++) {
                s_request (operation, param, *value, request, sizeof request);
                answer = s_ask (self, &s_of_ann, request, "ann");
                s_assert_silent (request, answer);
                free (answer);
                if (strchr (request, '#'))
                    s_assert_no_difference (self, request);
            }
    }
}

//  The test above would pass if nothing was ever answered
static void
test_scope_answers_show_the_records_of_the_users (void **state)
{
    s_world_t *self = *state;
    for (size_t i = 0; i < STELE_OPERATION_REQUESTS; i++) {
        const stele_operation_t *operation = &stele_operations [i];
        char request [512];
        if (!operation->handler || operation->scope != STELE_SCOPE_READS || i == STELE_OPERATION_STATS_TASKS)
            continue;
        s_request (operation, NULL, NULL, request, sizeof request);
        if (i == STELE_OPERATION_TASK_STUCK)
            strcpy (request, "{'op':'task.stuck','silent_s':0}");
        char *answer = s_ask (self, &s_of_ann, request, ""), *both = s_ask (self, &s_of_both, request, "");
        if (!strstr (answer, "\"ok\": true") || !strstr (answer, "ann"))
            fail_msg ("%s: %s", request, answer);
        bool names_one = strstr (request, "ann") || i == STELE_OPERATION_PREFERENCE_GET;
        if (!names_one && !strstr (both, "bob"))
            fail_msg ("%s of both: %s", request, both);
        free (answer);
        free (both);
    }
}

static void
test_scope_a_cursor_of_another_user_shows_nothing_more (void **state)
{
    s_world_t *self = *state;
    static const char *const lists [] = {
        "{'op':'task.list','limit':1%s}", "{'op':'task.list','limit':1,'order':'updated_asc','total':true%s}",
        "{'op':'task.stuck','silent_s':0,'limit':1%s}", "{'op':'session.list','limit':1%s}",
        "{'op':'session.times','limit':1%s}", "{'op':'command.list','limit':1%s}",
        "{'op':'table.read','table':'tasks','limit':1%s}", "{'op':'table.read','table':'task_history','limit':1%s}"
    };
    for (size_t i = 0; i < sizeof lists / sizeof lists [0]; i++) {
        char request [256], cursor [128];
        snprintf (request, sizeof request, lists [i], "");
        char *answer = s_ask (self, &s_of_bob, request, "");
        json_t *json = json_loads (answer, 0, NULL);
        json_t *next = json_object_get (json, "next");
        if (json_is_string (next))
            snprintf (cursor, sizeof cursor, ",'cursor':'%s'", json_string_value (next));
        else
            snprintf (cursor, sizeof cursor, ",'cursor':%lld", (long long) json_integer_value (next));
        assert_true (json_is_string (next) || json_is_integer (next));
        snprintf (request, sizeof request, lists [i], cursor);
        free (answer);
        answer = s_ask (self, &s_of_ann, request, "");
        assert_non_null (strstr (answer, "\"ok\": true"));
        s_assert_silent (request, answer);
        free (answer);
        json_decref (json);
    }
}

static void
test_scope_counts_are_those_of_the_users (void **state)
{
    s_world_t *self = *state;
    json_t *json = NULL;
    static const struct { const char *request, *path; int64_t expected; } cases [] = {
        { "{'op':'task.list','total':true}", "total", 3 },
        { "{'op':'task.list','total':true,'states':['failed']}", "total", 1 },
        { "{'op':'task.list','total':true,'user_id':'bob-1'}", "total", 0 },
        { "{'op':'task.list','total':true,'search':'bob'}", "total", 0 },
        { "{'op':'stats.tasks'}", "groups/0/tasks", 2 },
        { "{'op':'stats.tasks','group_by':'role'}", "groups/0/tasks", 3 },
        { "{'op':'stats.tasks','group_by':'error'}", "groups/0/failed", 1 },
        { "{'op':'stats.tasks','group_by':'day'}", "groups/0/created", 3 },
        { "{'op':'stats.tasks','limit':1}", "left_out", 1 }
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases [0]; i++) {
        char *answer = s_ask (self, &s_of_ann, cases [i].request, "");
        json = json_loads (answer, 0, NULL);
        if (talk_number (json, cases [i].path) != cases [i].expected)
            fail_msg ("%s: %s", cases [i].request, answer);
        json_decref (json);
        free (answer);
    }
}

static void
test_scope_what_concerns_all_users_is_refused (void **state)
{
    s_world_t *self = *state;
    for (size_t i = 0; i < STELE_OPERATION_REQUESTS; i++) {
        const stele_operation_t *operation = &stele_operations [i];
        stele_params_t params;
        stele_params_start (&params, "\x80", 1);
        assert_int_equal (stele_operation_check_scope (operation, &params), 0);
        params.identity = &s_of_ann;
        bool refused = operation->scope == STELE_SCOPE_UNBOUND;
        assert_int_equal (stele_operation_check_scope (operation, &params), refused? STELE_EUNAUTHORIZED: 0);
        //  What changes or repairs the broker is never for a key that is bound
        if (operation->role >= STELE_ROLE_OPERATE)
            assert_true (refused);
        if (!refused || !operation->handler)
            continue;
        char request [256];
        snprintf (request, sizeof request, "{'op':'%s'}", operation->name);
        char *answer = s_ask (self, &s_of_ann, request, "");
        assert_non_null (strstr (answer, "\"unauthorized\""));
        assert_non_null (strstr (answer, "use a key that is not bound to users"));
        free (answer);
    }
}

//  A request of a key that is not bound, after one that is
static void
test_scope_ends_with_the_request (void **state)
{
    s_world_t *self = *state;
    free (s_ask (self, &s_of_ann, "{'op':'task.list'}", ""));
    char *answer = s_ask (self, &stele_identity_local, "{'op':'task.list','total':true}", "");
    json_t *json = json_loads (answer, 0, NULL);
    assert_int_equal (talk_number (json, "total"), 6);
    json_decref (json);
    free (answer);
}

static void
test_scope_info_names_the_users (void **state)
{
    s_world_t *self = *state;
    char *answer = s_ask (self, &s_of_ann, "{'op':'info'}", "");
    assert_non_null (strstr (answer, "\"users\": [\"ann-1\"]"));
    assert_null (strstr (answer, "losses"));
    free (answer);
    answer = s_ask (self, &stele_identity_local, "{'op':'info'}", "");
    assert_null (strstr (answer, "\"users\""));
    assert_non_null (strstr (answer, "losses"));
    free (answer);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_scope_no_answer_shows_a_record_of_another_user),
        cmocka_unit_test (test_scope_answers_show_the_records_of_the_users),
        cmocka_unit_test (test_scope_a_cursor_of_another_user_shows_nothing_more),
        cmocka_unit_test (test_scope_counts_are_those_of_the_users),
        cmocka_unit_test (test_scope_what_concerns_all_users_is_refused),
        cmocka_unit_test (test_scope_ends_with_the_request),
        cmocka_unit_test (test_scope_info_names_the_users)
    };
    return cmocka_run_group_tests (tests, s_setup, s_teardown);
}
