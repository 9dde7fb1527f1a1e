/*  test_users - a reader that is restricted to some users

    Random events of several users. What a restricted reader returns must equal what an unrestricted one
    returns, without the rows of other users, by every function, filter, order, page and moment; and the statistics must
    equal those of a ledger that holds nothing else.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "ledger_fixture.h"
#include "sqlite/reader/reader_bounds.h"

#define TASKS    90
#define SESSIONS 30
#define EVENTS   900
#define SPAN(text) { text, sizeof text - 1 }

static const stele_span_t s_users [] = { SPAN ("default"), SPAN ("ann"), SPAN ("bob"), SPAN ("cem"), SPAN ("nobody") };
enum { DEFAULT, ANN, BOB, CEM, NOBODY };
#define USERS 4                     // nobody has no event

//  Sets of users, as bits 1 << index
static const unsigned s_sets [] = {
    1u << ANN, 1u << ANN | 1u << BOB, 1u << DEFAULT, 1u << DEFAULT | 1u << CEM, 1u << NOBODY
};
#define SETS ((int) (sizeof s_sets / sizeof s_sets [0]))

typedef struct {
    fixture_t *fixture;
    int task_users [TASKS], session_users [SESSIONS];   // -1: no event yet
    bool created [TASKS];
    unsigned random;
} s_world_t;

static unsigned
s_random (s_world_t *self, unsigned below)
{
    self->random = self->random * 1103515245 + 12345;
    return (self->random >> 16) % below;
}

static void
s_set_users (fixture_t *self, unsigned set)
{
    static stele_span_t users [8];
    size_t count = 0;
    for (int i = 0; i <= NOBODY; i++)
        if (set & 1u << i)
            users [count++] = s_users [i];
    stele_reader_set_users (self->reader, users, count);
}

//  -- the events ---------------------------------------------------------------------

//  The user as a part of the JSON; now and then without, which means default
static const char *
s_user (s_world_t *self, int user, char *room)
{
    *room = 0;
    if (user != DEFAULT || !s_random (self, 2))
        snprintf (room, 64, "'user_id':'%s',", s_users [user].text);
    return room;
}

static const char *const s_states [] = { "queued", "starting", "running", "failed", "passed", "paused" };

static void
s_add_task (s_world_t *self, int time)
{
    static bool ended [TASKS];
    int task = (int) s_random (self, TASKS), user = self->task_users [task];
    if (time == 1)
        memset (ended, 0, sizeof ended);
    unsigned kind = s_random (self, 6);
    char text [640], room [64];
    bool placeholder = user < 0 && s_random (self, 4) == 0;
    if (user < 0)
        user = (int) s_random (self, USERS);
    //  The task.created of a placeholder may name another user
    if (!self->created [task] && !placeholder && kind > 2)
        kind = 2;
    if (!self->created [task] && kind <= 2) {
        user = (int) s_random (self, USERS);
        self->created [task] = true;
        snprintf (text, sizeof text, "{'type':'task.created','time':%d,%s'task_id':'t%d','title':'%s number %d',"
            "'description':'','role':'r%u'%s}", time, s_user (self, user, room), task, task % 3? "fix": "build", task,
            s_random (self, 3), task % 5 == 0? ",'parent_id':'t1'": "");
    }
    else {
        //  Events of others about the task do not change to whom it belongs
        int by = placeholder? user: (int) s_random (self, USERS);
        s_user (self, by, room);
        const char *state = ended [task]? "queued": s_states [s_random (self, 6)];
        if (kind <= 3) {
            snprintf (text, sizeof text, "{'type':'task.state_changed','time':%d,%s'task_id':'t%d','state':'%s'%s}",
                time, room, task, state, *state == 'f'? ",'error_message':'it broke'": "");
            ended [task] = strcmp (state, "failed") == 0 || strcmp (state, "passed") == 0;
        }
        else
            snprintf (text, sizeof text, kind == 4?
                "{'type':'task.output_added','time':%d,%s'task_id':'t%d','output_type':'log','content':'x'}":
                "{'type':'task.metric_recorded','time':%d,%s'task_id':'t%d','name':'n','value':1}", time, room, task);
    }
    self->task_users [task] = user;
    fixture_append (self->fixture, "%s", text);
}

static void
s_add_session (s_world_t *self, int time)
{
    int session = (int) s_random (self, SESSIONS), user = self->session_users [session];
    char text [640], room [64];
    int by = (int) s_random (self, USERS), task = (int) s_random (self, TASKS);
    s_user (self, by, room);
    if (user < 0 && s_random (self, 3)) {
        //  Without a user of its own it belongs to that of its task
        bool of_task = s_random (self, 2) && self->created [task];
        snprintf (text, sizeof text, "{'type':'session.started','time':%d,%s'session_id':'s%d','cli_tool':'c',"
            "'mode':'m','current_directory':'/','task_id':'t%d'}", time, of_task? "": room, session, task);
        //  It is that of its task as long as the task.created of a placeholder may name another user
        if (!of_task && !*room && !self->created [task] && self->task_users [task] >= 0)
            return;
        //  A task that is created later changes nothing
        user = of_task || (!*room && self->created [task])? self->task_users [task]: by;
    }
    else {
        snprintf (text, sizeof text, "{'type':'session.command_executed','time':%d,%s'session_id':'s%d','command':'ls',"
            "'exit_code':%u}", time, room, session, s_random (self, 2));
        user = user < 0? by: user;
    }
    self->session_users [session] = user;
    fixture_append (self->fixture, "%s", text);
}

static void
s_fill (s_world_t *self, fixture_t *fixture)
{
    memset (self, 0, sizeof *self);
    self->fixture = fixture;
    self->random = 7;
    for (int i = 0; i < TASKS; i++)
        self->task_users [i] = -1;
    for (int i = 0; i < SESSIONS; i++)
        self->session_users [i] = -1;
    fixture_begin (fixture);
    for (int i = 1; i <= EVENTS; i++) {
        if (i % 8 == 0)
            s_add_session (self, i);
        else
            s_add_task (self, i);
        if (i % 100 == 0) {
            fixture_commit (fixture);
            fixture_begin (fixture);
        }
    }
    for (int i = 0; i < USERS; i++)
        fixture_append (fixture, "{'type':'preference.set','time':1,'user_id':'%s','preferred_model':'m'}", s_users [i].text);
    fixture_commit (fixture);
}

//  -- what a set of users may see -----------------------------------------------------

static bool
s_sees (const s_world_t *self, unsigned set, const json_t *row)
{
    const char *task = json_string_value (json_object_get (row, "task_id"));
    const char *session = json_string_value (json_object_get (row, "session_id"));
    const char *user = json_string_value (json_object_get (row, "user_id"));
    int owner = DEFAULT;
    if (session)
        owner = self->session_users [atoi (session + 1)];
    else
    if (task)
        owner = self->task_users [atoi (task + 1)];
    else
        for (int i = 0; user && i < USERS; i++)
            if (strcmp (s_users [i].text, user) == 0)
                owner = i;
    return set >> owner & 1;
}

static json_t *
s_keep (const s_world_t *self, unsigned set, const json_t *rows)
{
    json_t *kept = json_array ();
    for (size_t i = 0; i < json_array_size (rows); i++)
        if (s_sees (self, set, json_array_get (rows, i)))
            json_array_append (kept, json_array_get (rows, i));
    return kept;
}

//  Assert that 'rows' is what the set sees of 'all'. Frees both.
static void
s_assert_seen (const s_world_t *self, unsigned set, json_t *all, json_t *rows, const char *what)
{
    json_t *kept = s_keep (self, set, all);
    if (!json_equal (kept, rows))
        fail_msg ("%s, users %x: %zu rows, %zu expected of %zu", what, set, json_array_size (rows),
            json_array_size (kept), json_array_size (all));
    json_decref (kept);
    json_decref (all);
    json_decref (rows);
}

//  -- the log and the tables ----------------------------------------------------------

static json_t *
s_events (fixture_t *self, int64_t limit)
{
    json_t *rows = json_array ();
    int64_t after = 0, head = stele_reader_head (self->reader);
    while (after < head) {
        size_t before = json_array_size (rows);
        assert_int_equal (stele_reader_events (self->reader, after, limit, 0, fixture_add, rows), 0);
        size_t count = json_array_size (rows);
        after = (int64_t) (count - before) < limit? stele_reader_looked_to (self->reader):
            json_integer_value (json_object_get (json_array_get (rows, count - 1), "position"));
    }
    return rows;
}

static void
test_users_log_and_tables_show_their_rows (void **state)
{
    static s_world_t world;
    fixture_t *self = *state;
    s_fill (&world, self);
    int64_t head = stele_reader_head (self->reader);
    for (int i = 0; i < SETS; i++) {
        s_set_users (self, 0);
        json_t *all = s_events (self, 100);
        s_set_users (self, s_sets [i]);
        s_assert_seen (&world, s_sets [i], all, s_events (self, 100), "events");
        for (int table = STELE_TABLE_TASKS; table <= STELE_TABLE_COMMANDS; table++)
            for (int64_t at = head / 2; at <= head; at += head - head / 2) {
                json_t *rows [2] = { json_array (), json_array () };
                for (int scoped = 0; scoped < 2; scoped++) {
                    s_set_users (self, scoped? s_sets [i]: 0);
                    int64_t next = 0;
                    do {
                        assert_int_equal (stele_reader_table (self->reader, (stele_table_t) table, next, at, 7, fixture_add,
                            rows [scoped], &next), 0);
                    } while (next);
                }
                //  An attempt of a task of another user is not shown
                for (size_t row = 0; table == STELE_TABLE_COMMANDS && row < json_array_size (rows [0]); row++)
                    json_object_del (json_array_get (rows [0], row), "attempt");
                for (size_t row = 0; table == STELE_TABLE_COMMANDS && row < json_array_size (rows [1]); row++)
                    json_object_del (json_array_get (rows [1], row), "attempt");
                s_assert_seen (&world, s_sets [i], rows [0], rows [1], "table");
            }
    }
}

//  -- lists ---------------------------------------------------------------------------

static json_t *
s_list (fixture_t *self, stele_filter_t filter, int64_t *total)
{
    json_t *rows = json_array ();
    stele_page_t next;
    bool complete;
    *total = stele_reader_task_total (self->reader, &filter, &complete);
    assert_true (*total >= 0 && complete);
    do {
        assert_int_equal (stele_reader_tasks (self->reader, &filter, fixture_add, rows, &next), 0);
        filter.has_cursor = true;
        filter.cursor_time = next.time;
        filter.cursor_key = next.key;
        filter.cursor_skip = next.skip;
        filter.position = next.position;
    } while (next.more);
    return rows;
}

static void
test_users_lists_show_their_tasks (void **state)
{
    static s_world_t world;
    fixture_t *self = *state;
    s_fill (&world, self);
    static const stele_span_t roles [] = { SPAN ("r1") };
    const stele_filter_t filters [] = {
        { 0 }, { .states = 1u << STELE_TASK_FAILED }, { .roles = roles, .role_count = 1 },
        { .user_id = SPAN ("ann") }, { .user_id = SPAN ("default") }, { .parent_id = SPAN ("t1") },
        { .search = SPAN ("build") }, { .has_error = 1 }, { .from_us = 100, .to_us = 500 },
        { .updated_from_us = 700, .updated_to_us = 800 }, { .completed_from_us = 500 }, { .heard_to = 700 },
        { .position = 400 }, { .time_us = 400 }, { .position = 400, .states = 1u << STELE_TASK_QUEUED },
        { .time_us = 700, .user_id = SPAN ("ann") }
    };
    static const stele_reader_bounds_t bounds [] = {
        { .units = 100000, .search_units = 35000, .set = 20000, .touched = 2000 },
        { .units = 60, .search_units = 60, .set = 3, .touched = 2 }
    };
    for (size_t f = 0; f < sizeof filters / sizeof filters [0]; f++)
        for (int order = STELE_ORDER_CREATED_DESC; order <= STELE_ORDER_HEARD_ASC; order++) {
            stele_filter_t filter = filters [f];
            int64_t total;
            filter.order = (stele_order_t) order;
            filter.limit = 20;
            stele_reader_set_bounds (self->reader, &bounds [0]);
            s_set_users (self, 0);
            json_t *all = s_list (self, filter, &total);
            for (int i = 0; i < SETS * 2; i++) {
                stele_reader_set_bounds (self->reader, &bounds [i % 2]);
                s_set_users (self, s_sets [i / 2]);
                json_t *rows = s_list (self, filter, &total);
                char what [40];
                snprintf (what, sizeof what, "list %zu order %d bounds %d", f, order, i % 2);
                if (order < STELE_ORDER_HEARD_DESC)
                    assert_int_equal (total, json_array_size (rows));
                s_assert_seen (&world, s_sets [i / 2], json_incref (all), rows, what);
            }
            json_decref (all);
        }
    s_set_users (self, 0);
}

//  -- one record ----------------------------------------------------------------------

static int
s_count (const stele_record_t *row, void *arg)
{
    (void) row;
    ++*(int *) arg;
    return 0;
}

static void
test_users_records_of_others_do_not_exist (void **state)
{
    static s_world_t world;
    fixture_t *self = *state;
    s_fill (&world, self);
    stele_chain_filter_t page = { .limit = 10 };
    int64_t next;
    for (int i = 0; i < SETS; i++) {
        s_set_users (self, s_sets [i]);
        for (int task = 0; task < TASKS; task++) {
            char id [16];
            size_t size = (size_t) snprintf (id, sizeof id, "t%d", task);
            int rows = 0, seen = world.task_users [task] >= 0 && (s_sets [i] >> world.task_users [task] & 1);
            assert_int_equal (stele_reader_task (self->reader, id, size, s_count, &rows), seen);
            assert_int_equal (stele_reader_task_live (self->reader, id, size, s_count, &rows), seen);
            assert_int_equal (stele_reader_task_at (self->reader, id, size, EVENTS, 0, s_count, &rows), seen);
            assert_int_equal (rows, 3 * seen);
            for (int chain = STELE_CHAIN_HISTORY; chain <= STELE_CHAIN_METRICS; chain++)
                assert_int_equal (stele_reader_chain (self->reader, (stele_chain_t) chain, id, size, &page, s_count,
                    &rows, &next), seen);
        }
        for (int session = 0; session < SESSIONS; session++) {
            char id [16];
            size_t size = (size_t) snprintf (id, sizeof id, "s%d", session);
            stele_session_times_t times;
            int rows = 0, seen = world.session_users [session] >= 0 && (s_sets [i] >> world.session_users [session] & 1);
            assert_int_equal (stele_reader_session (self->reader, id, size, s_count, &rows), seen);
            assert_int_equal (stele_reader_session_times (self->reader, id, size, &times), seen);
            assert_int_equal (stele_reader_chain (self->reader, STELE_CHAIN_COMMANDS, id, size, &page, s_count, &rows,
                &next), seen);
        }
        for (int user = 0; user <= NOBODY; user++) {
            int rows = 0;
            assert_int_equal (stele_reader_preferences (self->reader, s_users [user].text, s_users [user].size, s_count,
                &rows), user != NOBODY && (s_sets [i] >> user & 1));
        }
    }
    s_set_users (self, 0);
}

static void
test_users_sessions_and_commands_show_their_rows (void **state)
{
    static s_world_t world;
    fixture_t *self = *state;
    s_fill (&world, self);
    for (int i = 0; i < SETS; i++) {
        json_t *sessions [2] = { json_array (), json_array () }, *commands [2] = { json_array (), json_array () };
        for (int scoped = 0; scoped < 2; scoped++) {
            int64_t next = 0;
            s_set_users (self, scoped? s_sets [i]: 0);
            do {
                assert_int_equal (stele_reader_sessions (self->reader, 0, (stele_span_t) { NULL, 0 }, next, 3,
                    fixture_add, sessions [scoped], &next), 0);
            } while (next);
            do {
                assert_int_equal (stele_reader_commands (self->reader, true, 0, 0, next, 5, fixture_add,
                    commands [scoped], &next), 0);
            } while (next);
            for (size_t row = 0; row < json_array_size (commands [scoped]); row++)
                json_object_del (json_array_get (commands [scoped], row), "attempt");
        }
        s_assert_seen (&world, s_sets [i], sessions [0], sessions [1], "sessions");
        s_assert_seen (&world, s_sets [i], commands [0], commands [1], "commands");
    }
}

//  -- statistics ----------------------------------------------------------------------

static int
s_add_group (const stele_report_group_t *group, void *arg)
{
    json_array_append_new (arg, json_pack ("[s#, I, I, I, I, I, I, I, I]", group->name.text? group->name.text: "",
        (int) group->name.size, (json_int_t) group->time, (json_int_t) group->now, (json_int_t) group->created,
        (json_int_t) group->started, (json_int_t) group->completed, (json_int_t) group->failed,
        (json_int_t) group->queue_us.p50, (json_int_t) group->run_us.max));
    return 0;
}

static int
s_add_slow (const stele_record_t *row, void *arg)
{
    json_t *record = fixture_json (row);
    json_array_append (arg, json_object_get (record, "task_id"));
    json_decref (record);
    return 0;
}

static json_t *
s_report (fixture_t *self, int by)
{
    json_t *rows = json_array ();
    stele_report_end_t end;
    stele_report_t ask = { .by = (stele_report_by_t) by, .from_us = 100, .to_us = 800, .groups = 100, .slowest = 5 };
    assert_int_equal (stele_reader_report (self->reader, &ask, s_add_group, s_add_slow, rows, &end), 0);
    json_array_append_new (rows, json_integer (end.groups));
    return rows;
}

//  A ledger with nothing but the events of these users
static void
test_users_report_equals_that_of_a_ledger_of_their_own (void **state)
{
    static s_world_t world;
    fixture_t *self = *state, *other;
    s_fill (&world, self);
    for (int i = 0; i < SETS; i++) {
        fixture_new ((void **) &other);
        s_set_users (self, s_sets [i]);
        json_t *events = s_events (self, 1000);
        fixture_begin (other);
        for (size_t event = 0; event < json_array_size (events); event++) {
            json_t *row = json_array_get (events, event);
            json_object_del (row, "position");
            char *text = json_dumps (row, 0);
            fixture_append (other, "%s", text);
            free (text);
        }
        fixture_commit (other);
        for (int by = STELE_REPORT_STATE; by <= STELE_REPORT_ERROR; by++) {
            json_t *ours = s_report (self, by), *theirs = s_report (other, by);
            char *one = json_dumps (ours, 0), *two = json_dumps (theirs, 0);
            assert_string_equal (one, two);
            free (one);
            free (two);
            json_decref (ours);
            json_decref (theirs);
        }
        json_decref (events);
        fixture_destroy ((void **) &other);
    }
    s_set_users (self, 0);
}

static void
test_users_what_concerns_all_is_refused (void **state)
{
    fixture_t *self = *state;
    stele_ledger_stats_t stats;
    int64_t next;
    s_set_users (self, 1u << ANN);
    assert_int_equal (stele_reader_stats (self->reader, &stats), STELE_EUNAUTHORIZED);
    assert_int_equal (stele_reader_rejected (self->reader, NULL, false, 0, 1, s_count, NULL, &next), STELE_EUNAUTHORIZED);
    assert_int_equal (stele_reader_rejected_one (self->reader, 1, s_count, NULL), STELE_EUNAUTHORIZED);
    assert_int_equal (stele_reader_losses (self->reader, 1, NULL, NULL), STELE_EUNAUTHORIZED);
    s_set_users (self, 0);
    assert_int_equal (stele_reader_stats (self->reader, &stats), 0);
}

//  -- events of a key that is bound -----------------------------------------------------

//  Hold an event to ann, or ann and bob. Returns the code; *user is then the event's.
static int
s_confine (fixture_t *self, size_t count, const char *json, char *user)
{
    char text [400];
    stele_refusal_t refusal = { 0 };
    snprintf (text, sizeof text, "%s", json);
    fixture_decode (self, text);
    int code = stele_ledger_confine (self->ledger, self->event, &s_users [ANN], count, &refusal);
    const stele_value_t *value = &self->event->values [STELE_USER_ID];
    snprintf (user, 64, "%.*s", stele_record_has (self->event, STELE_USER_ID)? (int) value->size: 0, value->text);
    if (code)
        snprintf (user, 64, "%s", refusal.field);
    return code;
}

static void
test_users_events_are_held_to_the_users_of_the_key (void **state)
{
    fixture_t *self = *state;
    fixture_append (self, "{'type':'task.created','time':1,'user_id':'ann','task_id':'a','title':'A','description':'','role':'r'}");
    fixture_append (self, "{'type':'task.created','time':1,'user_id':'bob','task_id':'b','title':'B','description':'','role':'r'}");
    fixture_append (self, "{'type':'task.created','time':1,'task_id':'d','title':'D','description':'','role':'r'}");
    fixture_append (self, "{'type':'session.command_executed','time':1,'user_id':'ann','session_id':'sa','command':'ls'}");
    fixture_append (self, "{'type':'session.started','time':1,'session_id':'sb','task_id':'b','cli_tool':'c','mode':'m','current_directory':'/'}");
#define STATE(id) "{'type':'task.state_changed','time':2," id ",'state':'running'}"
#define START(id) "{'type':'session.started','time':2," id ",'cli_tool':'c','mode':'m','current_directory':'/'}"
    static const struct { size_t users; const char *event; int code; const char *user; } cases [] = {
        { 1, STATE ("'task_id':'a'"), 0, "ann" },
        { 1, STATE ("'task_id':'new'"), 0, "ann" },
        { 1, STATE ("'task_id':'a','user_id':'ann'"), 0, "ann" },
        { 1, STATE ("'task_id':'a','user_id':'bob'"), STELE_EUNAUTHORIZED, "user_id" },
        { 1, STATE ("'task_id':'new','user_id':'default'"), STELE_EUNAUTHORIZED, "user_id" },
        { 1, STATE ("'task_id':'b'"), STELE_EUNAUTHORIZED, "task_id" },
        { 1, STATE ("'task_id':'b','user_id':'ann'"), STELE_EUNAUTHORIZED, "task_id" },
        { 1, STATE ("'task_id':'d'"), STELE_EUNAUTHORIZED, "task_id" },
        { 1, "{'type':'task.output_added','time':2,'task_id':'b','output_type':'log','content':'x'}", STELE_EUNAUTHORIZED, "task_id" },
        { 1, "{'type':'task.metric_recorded','time':2,'task_id':'b','name':'n','value':1}", STELE_EUNAUTHORIZED, "task_id" },
        { 1, "{'type':'session.command_executed','time':2,'session_id':'sa','command':'ls'}", 0, "ann" },
        { 1, "{'type':'session.command_executed','time':2,'session_id':'sb','command':'ls'}", STELE_EUNAUTHORIZED, "session_id" },
        { 1, START ("'session_id':'new','task_id':'b'"), STELE_EUNAUTHORIZED, "task_id" },
        { 1, START ("'session_id':'new','task_id':'a'"), 0, "ann" },
        { 1, "{'type':'preference.set','time':2,'preferred_model':'m'}", 0, "ann" },
        { 1, "{'type':'preference.set','time':2,'user_id':'bob','preferred_model':'m'}", STELE_EUNAUTHORIZED, "user_id" },
        { 2, STATE ("'task_id':'b'"), 0, "bob" },
        { 2, STATE ("'task_id':'new'"), STELE_EUNAUTHORIZED, "user_id" },
        { 2, STATE ("'task_id':'new','user_id':'bob'"), 0, "bob" },
        { 2, START ("'session_id':'new','task_id':'b'"), 0, "bob" },
        { 2, "{'type':'session.state_changed','time':2,'session_id':'sb','state':'running'}", 0, "bob" }
    };
    fixture_begin (self);
    for (size_t i = 0; i < sizeof cases / sizeof cases [0]; i++) {
        char user [64];
        int code = s_confine (self, cases [i].users, cases [i].event, user);
        if (code != cases [i].code || strcmp (user, cases [i].user) != 0)
            fail_msg ("%s: %d %s", cases [i].event, code, user);
    }
    fixture_commit (self);
}

typedef struct {
    stele_reader_t *reader;
    const char *session;
    char owner [64];
} s_owner_t;

static int
s_feed_owner (const stele_record_t *row, void *arg)
{
    s_owner_t *self = arg;
    const stele_value_t *id = &row->values [STELE_SESSION_ID];
    if (id->kind != STELE_VALUE_TEXT || id->size != strlen (self->session) || memcmp (id->text, self->session, id->size))
        return 0;
    size_t size = 0;
    const char *user = stele_reader_event_user (self->reader, &size);
    snprintf (self->owner, sizeof self->owner, "%.*s", user? (int) size: 0, user);
    return 0;
}

//  The owner of a session, for the filter of the writer, the reader and the feed
static void
s_assert_owner (fixture_t *self, const char *session, const char *owner)
{
    char user [64], event [200];
    fixture_begin (self);
    snprintf (event, sizeof event, "{'type':'session.state_changed','time':9,'session_id':'%s','state':'running'}", session);
    int refused = s_confine (self, 2, event, user);
    fixture_commit (self);
    bool is_default = strcmp (owner, "default") == 0;
    assert_int_equal (refused, is_default? STELE_EUNAUTHORIZED: 0);
    assert_string_equal (user, is_default? "session_id": owner);
    for (int i = 0; i < 3; i++) {
        static const int one [] = { ANN, BOB, DEFAULT };
        s_set_users (self, 1u << one [i]);
        int rows = 0, seen = strcmp (s_users [one [i]].text, owner) == 0;
        assert_int_equal (stele_reader_session (self->reader, session, strlen (session), s_count, &rows), seen);
    }
    s_set_users (self, 0);
    s_owner_t feed = { self->reader, session, "" };
    assert_int_equal (stele_reader_events (self->reader, 0, 1000, 0, s_feed_owner, &feed), 0);
    assert_string_equal (feed.owner, owner);
}

//  A task that is created later takes no session of another user with it
static void
test_users_a_later_task_takes_no_session (void **state)
{
    fixture_t *self = *state;
#define SESSION(id, more) "{'type':'session.started','time':1,'session_id':'" id "'" more ",'cli_tool':'c','mode':'m','current_directory':'/'}"
#define RAN(id, more) "{'type':'session.command_executed','time':1,'session_id':'" id "'" more ",'command':'ls'}"
    fixture_append (self, SESSION ("early", ",'task_id':'t'"));
    fixture_append (self, RAN ("placeholder", ""));
    fixture_append (self, SESSION ("placeholder", ",'task_id':'t'"));
    fixture_append (self, RAN ("of-ann", ",'user_id':'ann'"));
    fixture_append (self, SESSION ("of-ann", ",'task_id':'t'"));
    fixture_append (self, RAN ("raced", ""));
    fixture_append (self, "{'type':'task.created','time':1,'user_id':'bob','task_id':'t','title':'T','description':'','role':'r'}");
    fixture_append (self, SESSION ("late", ",'task_id':'t'"));
    fixture_append (self, SESSION ("raced", ",'task_id':'t'"));
    fixture_append (self, RAN ("named", ""));
    fixture_append (self, SESSION ("named", ",'user_id':'bob'"));
    //  A session that is started again keeps its user
    fixture_append (self, SESSION ("early", ",'task_id':'t'"));
    fixture_append (self, SESSION ("named", ""));
    s_assert_owner (self, "early", "default");
    s_assert_owner (self, "placeholder", "default");
    s_assert_owner (self, "of-ann", "ann");
    s_assert_owner (self, "raced", "default");
    s_assert_owner (self, "late", "bob");
    s_assert_owner (self, "named", "bob");
}

//  A new task of the same batch is known too
static void
test_users_a_task_of_the_open_batch_has_a_user (void **state)
{
    fixture_t *self = *state;
    char user [64];
    fixture_begin (self);
    fixture_append (self, "{'type':'task.state_changed','time':1,'user_id':'bob','task_id':'b','state':'queued'}");
    assert_int_equal (s_confine (self, 1, STATE ("'task_id':'b'"), user), STELE_EUNAUTHORIZED);
    assert_int_equal (s_confine (self, 2, STATE ("'task_id':'b'"), user), 0);
    assert_string_equal (user, "bob");
    fixture_commit (self);
}

int
main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, fixture_new, fixture_destroy)
    const struct CMUnitTest tests [] = {
        TEST (test_users_log_and_tables_show_their_rows),
        TEST (test_users_lists_show_their_tasks),
        TEST (test_users_records_of_others_do_not_exist),
        TEST (test_users_sessions_and_commands_show_their_rows),
        TEST (test_users_report_equals_that_of_a_ledger_of_their_own),
        TEST (test_users_what_concerns_all_is_refused),
        TEST (test_users_events_are_held_to_the_users_of_the_key),
        TEST (test_users_a_later_task_takes_no_session),
        TEST (test_users_a_task_of_the_open_batch_has_a_user)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
