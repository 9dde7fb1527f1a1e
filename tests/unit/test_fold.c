/*  test_fold - a ledger that folds what another one decided is equal to it

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "ledger_fixture.h"
#include "broker/ingest/fold.h"
#include "wire/event/decisions.h"

typedef struct {
    fixture_t *writer, *node;
    stele_fold_t *fold;
    stele_batch_end_t end;          // Of the log, as the writer has it
    stele_batch_end_t folded;       // As the node has it
    stele_batch_t batch;            // The last one
    void *frame;
    uint64_t random;
} desk_t;

static int
s_setup (void **state)
{
    desk_t *self = calloc (1, sizeof *self);
    assert_non_null (self);
    void *fixture;
    assert_int_equal (fixture_new (&fixture), 0);
    self->writer = fixture;
    assert_int_equal (fixture_new (&fixture), 0);
    self->node = fixture;
    assert_int_equal (stele_ledger_replay_id (self->node->ledger, stele_ledger_id (self->writer->ledger), NULL), 0);
    assert_int_equal (stele_ledger_record (self->writer->ledger, true), 0);
    assert_int_equal (stele_ledger_share (self->writer->ledger), 0);
    assert_int_equal (stele_ledger_share (self->node->ledger), 0);
    self->fold = stele_fold_new (self->node->ledger);
    stele_batch_start (&self->end, stele_ledger_id (self->writer->ledger), 0);
    self->folded = self->end;
    self->random = 88172645463325252;
    *state = self;
    return 0;
}

static int
s_teardown (void **state)
{
    desk_t *self = *state;
    free (self->frame);
    stele_fold_destroy (&self->fold);
    void *fixture = self->writer;
    fixture_destroy (&fixture);
    fixture = self->node;
    fixture_destroy (&fixture);
    free (self);
    return 0;
}

static int
s_random (desk_t *self, int below)
{
    self->random ^= self->random << 13;
    self->random ^= self->random >> 7;
    self->random ^= self->random << 17;
    return (int) (self->random % (uint64_t) below);
}

//  Seal what the open batch of the writer decided, as the next batch of the log, and commit it
static void
s_seal (desk_t *self)
{
    size_t size, count;
    const void *operations = stele_ledger_decisions (self->writer->ledger, &size, &count);
    assert_non_null (operations);
    free (self->frame);
    self->writer->clock += 1000;
    self->batch = (stele_batch_t) {
        .last = stele_ledger_last (self->writer->ledger), .epoch = 1, .time_us = self->writer->clock, .format = 1
    };
    self->frame = stele_batch_compress (operations, size, 1, &self->batch.size);
    self->batch.data = self->frame;
    stele_batch_seal (&self->batch, &self->end);
    stele_batch_advance (&self->batch, &self->end);
    assert_int_equal (stele_fold_mark (self->writer->ledger, &self->batch), 0);
    assert_int_equal (stele_ledger_commit (self->writer->ledger, self->writer->clock), 0);
    self->writer->in_batch = false;
}

static void
s_fold (desk_t *self)
{
    stele_refusal_t refusal = { 0 };
    if (stele_batch_check (&self->batch, &self->folded, &refusal) || stele_fold_batch (self->fold, &self->batch, &refusal))
        fail_msg ("%s", refusal.message);
    stele_batch_advance (&self->batch, &self->folded);
}

static void
s_seal_and_fold (desk_t *self)
{
    s_seal (self);
    s_fold (self);
}

//  Every table has the same rows, but for what each ledger makes for itself
static void
s_assert_equal (const desk_t *self)
{
    sqlite3 *db;
    char sql [300];
    assert_int_equal (sqlite3_open (self->writer->path, &db), SQLITE_OK);
    snprintf (sql, sizeof sql, "ATTACH '%s' AS node", self->node->path);
    assert_int_equal (stele_sql_exec (db, sql), 0);
    //  A counter that went back to 0 stays as a row, if it was written in between. Zones have bounds with room to grow.
    assert_int_equal (stele_sql_exec (db, "CREATE TEMP VIEW main_counts AS SELECT * FROM main.task_counts WHERE count > 0;"
        "CREATE TEMP VIEW node_counts AS SELECT * FROM node.task_counts WHERE count > 0"), 0);
    assert_int_equal (stele_sql_integer (db, "SELECT (SELECT count (*) FROM main_counts) - (SELECT count (*) FROM node_counts)"
        " + (SELECT count (*) FROM (SELECT * FROM main_counts EXCEPT SELECT * FROM node_counts))", -1), 0);
    sqlite3_stmt *tables = stele_sql_prepare (db, "SELECT name FROM main.sqlite_schema WHERE type = 'table'"
        " AND name NOT LIKE 'sqlite%' AND name NOT IN ('meta', 'zones', 'settled', 'commits', 'producer_rows', 'task_count_rows')"
        " OR name IN ('commits_view', 'producers')");
    int count = 0;
    while (sqlite3_step (tables) == SQLITE_ROW) {
        const char *name = (const char *) sqlite3_column_text (tables, 0);
        snprintf (sql, sizeof sql, "SELECT (SELECT count (*) FROM main.%s) - (SELECT count (*) FROM node.%s) + "
            "(SELECT count (*) FROM (SELECT * FROM main.%s EXCEPT SELECT * FROM node.%s))", name, name, name, name);
        if (stele_sql_integer (db, sql, -1) != 0)
            fail_msg ("%s differs", name);
        count++;
    }
    assert_true (count > 15);
    assert_int_equal (stele_sql_integer (db, "SELECT count (*) FROM main.meta m JOIN node.meta n USING (key, value)"
        " WHERE key IN ('log', 'ledger_id')", -1), 2);
    sqlite3_finalize (tables);
    sqlite3_close (db);
}

//  -- streams -----------------------------------------------------------------------------

static void
test_fold_of_every_event_is_equal (void **state)
{
    desk_t *self = *state;
    for (int i = 0; i < FIXTURE_EVENTS_ALL; i++) {
        fixture_begin (self->writer);
        fixture_append (self->writer, "%s", fixture_events_all [i]);
        s_seal_and_fold (self);
    }
    s_assert_equal (self);
}

static void
s_event_of (desk_t *self, int64_t producer)
{
    static const char *const states [] = { "queued", "starting", "running", "completing", "passed", "failed", "cancelled" };
    char text [8000];
    int kind = s_random (self, 10), task = s_random (self, 40);
    if (kind == 0)
        snprintf (text, sizeof text, "{'type':'task.created','task_id':'t%d','title':'T %d','description':'d','role':'r%d',"
            "'user_id':'u%d'}", task, s_random (self, 5), s_random (self, 3), s_random (self, 4));
    else if (kind < 5)
        snprintf (text, sizeof text, "{'type':'task.state_changed','task_id':'t%d','state':'%s','details':{'n':%d}}", task,
            states [s_random (self, 7)], s_random (self, 1000));
    else if (kind < 7)
        snprintf (text, sizeof text, "{'type':'task.output_added','task_id':'t%d','output_type':'stdout','content':'%0*d'}",
            task, 1 + s_random (self, 6000), s_random (self, 10));
    else if (kind == 7)
        snprintf (text, sizeof text, "{'type':'task.metric_recorded','task_id':'t%d','name':'m%d','value':%d.5}", task,
            s_random (self, 3), s_random (self, 100));
    else if (kind == 8)
        snprintf (text, sizeof text, "{'type':'session.started','session_id':'s%d','cli_tool':'c','mode':'m',"
            "'current_directory':'/','task_id':'t%d'}", s_random (self, 5), task);
    else
        snprintf (text, sizeof text, "{'type':'task.updated','task_id':'t%d','model':'m%d'}", task, s_random (self, 5));
    fixture_decode (self->writer, text);
    stele_record_set_integer (self->writer->event, STELE_TIME, 1000000 + self->writer->clock + s_random (self, 100000));
    //  Half of them as the broker takes them from a producer
    if (s_random (self, 2)) {
        self->writer->event->time_assumed = true;
        self->writer->event->source = stele_pack_data (self->writer->pack);
        self->writer->event->source_size = stele_pack_size (self->writer->pack);
    }
    int64_t position;
    stele_refusal_t refusal = { 0 };
    int rc = stele_ledger_append (self->writer->ledger, self->writer->event, producer, &position, &refusal);
    if (rc < 0) {
        assert_int_equal (refusal.code, rc);
        assert_int_equal (stele_ledger_reject (self->writer->ledger, producer, s_random (self, 100), &refusal,
            self->writer->clock, stele_pack_data (self->writer->pack), stele_pack_size (self->writer->pack), NULL), 0);
    }
}

static void
s_batch (desk_t *self, stele_producer_t *producers, int count)
{
    stele_ledger_t *ledger = self->writer->ledger;
    for (int i = s_random (self, 30); i > 0; i--) {
        stele_producer_t *producer = &producers [s_random (self, count)];
        int kind = s_random (self, 30);
        if (producer->id == 0 || kind == 0) {
            producer->sequence += s_random (self, 10);
            producer->status = 1 + (stele_producer_status_t) s_random (self, 4);
            producer->seen_at = self->writer->clock;
            snprintf (producer->instance, sizeof producer->instance, "%d", s_random (self, 3));
            producer->anonymous = s_random (self, 2);
            assert_int_equal (stele_ledger_producer_save (ledger, producer), 0);
        }
        else if (kind == 1)
            assert_int_equal (stele_ledger_fence (ledger, producer->id, producer->instance, self->writer->clock), 0);
        else if (kind == 2)
            assert_true (stele_ledger_interrupt (ledger, producer->id, "interrupted", self->writer->clock, INT64_MAX) >= 0);
        else if (kind == 3)
            assert_int_equal (stele_ledger_producer_advance (ledger, producer->id, ++producer->sequence), 0);
        else if (kind == 4)
            assert_int_equal (stele_ledger_follower_save (ledger, "pipeline", i, self->writer->clock), 0);
        else if (kind == 5 && stele_ledger_last_rejected (ledger))
            assert_int_equal (stele_ledger_rejected_done (ledger, 1 + s_random (self,
                (int) stele_ledger_last_rejected (ledger)), self->writer->clock, s_random (self, 2)), 0);
        else
            s_event_of (self, producer->id);
    }
}

static void
test_fold_of_random_batches_is_equal (void **state)
{
    desk_t *self = *state;
    stele_producer_t producers [6] = { { .id = 0 } };
    for (int i = 0; i < 6; i++)
        snprintf (producers [i].name, sizeof producers [i].name, "producer %d", i);
    for (int i = 0; i < 250; i++) {
        stele_producer_t before [6];
        memcpy (before, producers, sizeof before);
        fixture_begin (self->writer);
        s_batch (self, producers, 6);
        //  Some are rolled back: nothing of them is in the next one
        if (s_random (self, 8) == 0) {
            stele_ledger_rollback (self->writer->ledger);
            memcpy (producers, before, sizeof before);
            continue;
        }
        s_seal_and_fold (self);
    }
    assert_true (stele_ledger_head (self->node->ledger) > 1000);
    assert_true (stele_ledger_last_rejected (self->node->ledger) > 10);
    s_assert_equal (self);
    fixture_assert_intact (self->node);
}

static void
test_fold_into_a_ledger_that_was_closed_continues_after_the_mark (void **state)
{
    desk_t *self = *state;
    stele_refusal_t refusal = { 0 };
    stele_batch_end_t end;
    assert_int_equal (stele_fold_end (self->node->ledger, stele_ledger_id (self->node->ledger), &end, &refusal), 0);
    assert_memory_equal (&end, &self->folded, sizeof end);
    for (int i = 0; i < 3; i++) {
        fixture_begin (self->writer);
        fixture_append (self->writer, "%s", fixture_events_all [i]);
        s_seal_and_fold (self);
    }
    stele_fold_destroy (&self->fold);
    stele_ledger_close (&self->node->ledger);
    self->node->ledger = stele_ledger_open (self->node->path, STELE_CHECK_FULL, &refusal);
    assert_non_null (self->node->ledger);
    self->fold = stele_fold_new (self->node->ledger);
    assert_int_equal (stele_fold_end (self->node->ledger, stele_ledger_id (self->node->ledger), &end, &refusal), 0);
    assert_memory_equal (&end, &self->folded, sizeof end);
    fixture_begin (self->writer);
    fixture_append (self->writer, "%s", fixture_events_all [3]);
    s_seal_and_fold (self);
    s_assert_equal (self);
}

//  The node has got the id of the log after its open: the file with that id is still its own
static void
test_fold_continues_after_the_log_was_copied_into_the_file (void **state)
{
    desk_t *self = *state;
    for (int i = 0; i < 3; i++) {
        fixture_begin (self->writer);
        fixture_append (self->writer, "%s", fixture_events_all [i]);
        s_seal_and_fold (self);
        assert_int_equal (stele_ledger_make_room (self->node->ledger), 0);
    }
    s_assert_equal (self);
}

//  -- what does not fit -------------------------------------------------------------------

//  The code of folding an operation that is packed by hand, and the refusal
static int
s_fold_operation (desk_t *self, const void *operation, size_t size, stele_refusal_t *refusal)
{
    stele_pack_t *pack = stele_pack_new ();
    stele_pack_array (pack, 1);
    stele_pack_packed (pack, operation, size);
    stele_batch_t batch = { .number = 7, .last = 0, .time_us = 1, .format = 1 };
    void *frame = stele_batch_compress (stele_pack_data (pack), stele_pack_size (pack), 1, &batch.size);
    batch.data = frame;
    int code = stele_fold_batch (self->fold, &batch, refusal);
    assert_int_equal (stele_ledger_head (self->node->ledger), 0);
    free (frame);
    stele_pack_destroy (&pack);
    return code;
}

static void
test_fold_stops_at_an_operation_of_a_later_version (void **state)
{
    desk_t *self = *state;
    stele_refusal_t refusal;
    //  An unknown letter; more values than this version knows; a value of another kind
    static const struct { const char *bytes; size_t size; } later [] = {
        { "\x92\x5a\x01", 3 }, { "\x94\x53\x01\x02\x03", 5 }, { "\x93\x53\xa1x\x02", 5 }, { "\xa1x", 2 }
    };
    for (size_t i = 0; i < sizeof later / sizeof *later; i++) {
        assert_int_equal (s_fold_operation (self, later [i].bytes, later [i].size, &refusal), STELE_EPROTOCOL);
        assert_non_null (strstr (refusal.message, "batch 7 of the log has an operation"));
        assert_non_null (strstr (refusal.message, "upgrade this node"));
    }
}

static void
test_fold_stops_at_an_outcome_that_differs (void **state)
{
    desk_t *self = *state;
    stele_refusal_t refusal;
    //  The state of a task that does not exist is no event; the log has it as one
    fixture_begin (self->writer);
    fixture_append (self->writer, "{'type':'task.created','time':1,'task_id':'t','title':'T','description':'','role':'r'}");
    s_seal_and_fold (self);
    fixture_begin (self->writer);
    fixture_append (self->writer, "{'type':'task.state_changed','time':2,'task_id':'t','state':'passed'}");
    s_seal (self);
    fixture_begin (self->node);
    fixture_append (self->node, "{'type':'task.state_changed','time':2,'task_id':'t','state':'cancelled'}");
    fixture_commit (self->node);
    assert_int_equal (stele_fold_batch (self->fold, &self->batch, &refusal), STELE_ELEDGER);
    assert_non_null (strstr (refusal.message, "does not fit the ledger of this node, at position 3"));
    assert_int_equal (stele_ledger_head (self->node->ledger), 2);
}

static void
test_fold_refuses_frames_that_are_none (void **state)
{
    desk_t *self = *state;
    stele_refusal_t refusal;
    stele_batch_t batch = { .number = 7, .data = "not a frame of zstd", .size = 19 };
    assert_int_equal (stele_fold_batch (self->fold, &batch, &refusal), STELE_ELEDGER);
    assert_non_null (strstr (refusal.message, "not a complete zstd frame"));
    batch.data = stele_batch_compress ("\xc1", 1, 1, &batch.size);
    assert_int_equal (stele_fold_batch (self->fold, &batch, &refusal), STELE_ELEDGER);
    assert_non_null (strstr (refusal.message, "not a list of operations"));
    free ((void *) batch.data);
}

static void
test_fold_end_refuses_another_ledger (void **state)
{
    desk_t *self = *state;
    stele_refusal_t refusal;
    stele_batch_end_t end;
    assert_int_equal (stele_fold_end (self->node->ledger, "another", &end, &refusal), STELE_ELEDGER);
    assert_non_null (strstr (refusal.message, "the log is that of ledger another"));
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test_setup_teardown (test_fold_of_every_event_is_equal, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_fold_of_random_batches_is_equal, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_fold_into_a_ledger_that_was_closed_continues_after_the_mark, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_fold_continues_after_the_log_was_copied_into_the_file, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_fold_stops_at_an_operation_of_a_later_version, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_fold_stops_at_an_outcome_that_differs, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_fold_refuses_frames_that_are_none, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_fold_end_refuses_another_ledger, s_setup, s_teardown),
    };
    return cmocka_run_group_tests_name ("fold", tests, NULL, NULL);
}
