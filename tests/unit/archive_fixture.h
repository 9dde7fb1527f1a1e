/*  archive_fixture - a ledger with an ended task that has a session, another task that goes on, and moves to the archive of 1970

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef ARCHIVE_FIXTURE_H_INCLUDED
#define ARCHIVE_FIXTURE_H_INCLUDED

#include "ledger_fixture.h"
#include "ledger/archive.h"
#include "sqlite/write/ledger_internal.h"

#define LONG_AFTER 1000000

static inline int
archive_new (void **state)
{
    fixture_new (state);
    fixture_t *self = *state;
    fixture_append (self, "{'type':'task.created','time':1,'task_id':'t','title':'T','description':'','role':'r','user_id':'ann'}");
    fixture_append (self, "{'type':'task.output_added','time':2,'task_id':'t','output_type':'stdout','content':'a'}");
    fixture_append (self, "{'type':'session.started','time':3,'session_id':'s','cli_tool':'c','mode':'m','current_directory':'/',"
        "'task_id':'t'}");
    fixture_append (self, "{'type':'task.metric_recorded','time':4,'task_id':'t','name':'n','value':1}");
    fixture_append (self, "{'type':'task.state_changed','time':5,'task_id':'t','state':'failed','error_message':'e'}");
    fixture_append (self, "{'type':'task.created','time':6,'task_id':'live','title':'L','description':'','role':'r'}");
    return 0;
}

static inline int
archive_destroy (void **state)
{
    fixture_t *self = *state;
    static const char *const suffixes [] = { "1970", "1970-wal", "1970-shm", "1971", "1971-wal", "1971-shm" };
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes [0]; i++) {
        char name [160];
        snprintf (name, sizeof name, "%s.archive-%s", self->path, suffixes [i]);
        unlink (name);
    }
    return fixture_destroy (state);
}

//  Copy what ended. Returns what stele_archiver_copy does.
static inline int
archive_copy (fixture_t *self, stele_archive_step_t *step, stele_refusal_t *refusal)
{
    stele_archiver_t *archiver = stele_archiver_new (self->path, 0600, self->reader);
    assert_non_null (archiver);
    int count = stele_archiver_copy (archiver, LONG_AFTER, step, refusal);
    stele_archiver_destroy (&archiver);
    return count;
}

static inline void
archive_tasks (fixture_t *self)
{
    stele_archive_step_t step;
    stele_refusal_t refusal = { 0 };
    assert_int_equal (archive_copy (self, &step, &refusal), 1);
    fixture_begin (self);
    assert_int_equal (stele_ledger_archive (self->ledger, &step), 1);
    fixture_commit (self);
}

//  Each position once, and so many events here and in the archive
static inline void
archive_assert_events (fixture_t *self, int64_t events, int64_t archived)
{
    json_t *log = fixture_events (self, 0, 100, 0);
    assert_int_equal (json_array_size (log), events);
    for (int64_t i = 0; i < events; i++)
        assert_int_equal (json_integer_value (json_object_get (json_array_get (log, (size_t) i), "position")), i + 1);
    json_decref (log);
    assert_int_equal (fixture_ask (self, "SELECT (SELECT ifnull (sum (events), 0) FROM archived_tasks)"
        " + (SELECT ifnull (sum (events), 0) FROM archived_sessions)"), archived);
    assert_int_equal (fixture_ask (self, "SELECT (SELECT count (*) FROM task_history) + (SELECT count (*) FROM task_outputs)"
        " + (SELECT count (*) FROM task_metrics) + (SELECT count (*) FROM cli_session_history)"
        " + (SELECT count (*) FROM cli_session_commands)"), events - archived);
    assert_int_equal (fixture_ask (self, "SELECT sum (count) FROM task_counts"), 2);
}

#endif
