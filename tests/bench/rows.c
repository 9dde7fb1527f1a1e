/*  rows - the statements of the ledger, run by the ledger and by a bare writer

    The statements of the ledger for a workload are recorded once (those that write, with their
    values), and then replayed by a loop that does nothing else: this is the limit of a broker
    with these rows, and follows every change of the schema.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sqlite3.h>
#include "bench.h"
#include "ledger/ledger.h"
#include "base/clock.h"
#include "wire/event/event_codec.h"
#include "wire/scan.h"

#define STATEMENTS_MAX 64

typedef struct { int statement; char *sql; } s_said_t;

static struct {
    bool on;
    sqlite3_stmt *of [STATEMENTS_MAX];      // Of the ledger's connection
    char *sql [STATEMENTS_MAX];
    int statement_count;
    s_said_t *said;
    size_t count, room;
} s_record;

//  -- recording -------------------------------------------------------------------------

static int
s_trace (unsigned type, void *context, void *stmt, void *text)
{
    (void) type;
    (void) context;
    bool is_trigger = strncmp (text, "--", 2) == 0;
    if (!s_record.on || is_trigger || (sqlite3_stmt_readonly (stmt) && strncmp (text, "BEGIN", 5) != 0
    &&  strncmp (text, "COMMIT", 6) != 0))
        return 0;
    int number = 0;
    while (number < s_record.statement_count && s_record.of [number] != stmt)
        number++;
    if (number == s_record.statement_count) {
        if (number == STATEMENTS_MAX)
            bench_die ("the ledger has more statements than bench knows");
        s_record.of [number] = stmt;
        s_record.sql [number] = strdup (sqlite3_sql (stmt));
        s_record.statement_count++;
    }
    if (s_record.count == s_record.room) {
        s_record.room = s_record.room? s_record.room * 2: 4096;
        s_record.said = realloc (s_record.said, s_record.room * sizeof *s_record.said);
        assert (s_record.said);
    }
    s_record.said [s_record.count++] = (s_said_t) { number, sqlite3_expanded_sql (stmt) };
    return 0;
}

static int
s_on_open (sqlite3 *db, const char **error, const void *api)
{
    (void) error;
    (void) api;
    sqlite3_trace_v2 (db, SQLITE_TRACE_STMT, s_trace, NULL);
    return SQLITE_OK;
}

static void
s_forget (void)
{
    for (size_t i = 0; i < s_record.count; i++)
        sqlite3_free (s_record.said [i].sql);
    for (int i = 0; i < s_record.statement_count; i++)
        free (s_record.sql [i]);
    free (s_record.said);
    memset (&s_record, 0, sizeof s_record);
}

//  -- the ledger -------------------------------------------------------------------

typedef struct { double decode_s, room_s; } s_times_t;

//  Run the workload's messages through the ledger, one batch per message.
static s_times_t
s_run_ledger (const bench_messages_t *messages)
{
    stele_refusal_t refusal = { 0 };
    bench_ledger_remove ("rows.db");
    stele_ledger_t *ledger = stele_ledger_open ("rows.db", STELE_CHECK_NONE, &refusal);
    if (!ledger)
        bench_die ("rows: %s", refusal.message);
    stele_producer_t producer = { .name = "bench", .instance = "1", .status = STELE_PRODUCER_PRESENT };
    stele_record_t *event = stele_record_new ();
    s_times_t times = { 0 };
    int code = stele_ledger_begin (ledger);
    if (code == 0)
        code = stele_ledger_producer_save (ledger, &producer);
    if (code == 0)
        code = stele_ledger_commit (ledger, 1);
    s_record.on = true;
    for (size_t i = 0; i < messages->count && code == 0; i++) {
        size_t begin = i? messages->ends [i - 1]: 0, size;
        const void *events;
        stele_token_t array = stele_scan_find (messages->bytes + begin, messages->ends [i] - begin,
            "events", &events, &size);
        for (int pass = 0; pass < 2 && code == 0; pass++) {
            //  First decoding alone, then decoding and storing: the difference is the ledger
            double start = bench_now ();
            stele_scan_t scan = stele_scan_start (events, size);
            stele_scan_next (&scan);
            if (pass == 1)
                code = stele_ledger_begin (ledger);
            for (uint32_t n = 0; n < array.count && code >= 0; n++) {
                const void *data;
                size_t data_size;
                int64_t position;
                stele_scan_skip (&scan, &data, &data_size);
                stele_record_clear (event);
                code = stele_event_decode_record (data, data_size, event, &refusal);
                if (!stele_record_has (event, STELE_TIME))
                    stele_record_set_integer (event, STELE_TIME, stele_clock_us ());
                if (pass == 1 && code == 0)
                    code = stele_ledger_append (ledger, event, producer.id, &position, &refusal);
            }
            code = code > 0? 0: code;
            if (pass == 1 && code == 0)
                code = stele_ledger_producer_advance (ledger, producer.id, messages->last [i]);
            if (pass == 1 && code == 0)
                code = stele_ledger_commit (ledger, stele_clock_us ());
            if (pass == 1 && code == 0)
                code = stele_ledger_idle (ledger, 0);
            *(pass? &times.room_s: &times.decode_s) += bench_now () - start;
        }
    }
    s_record.on = false;
    if (code)
        bench_die ("rows: %s %s", refusal.message, stele_ledger_error (ledger));
    stele_record_destroy (&event);
    stele_ledger_close (&ledger);
    times.room_s -= times.decode_s;
    return times;
}

//  -- bare ------------------------------------------------------------------------------

//  Bind the literal at *text to the parameter, as the ledger bound it; moves *text past it.
static void
s_bind_literal (sqlite3_stmt *stmt, int index, const char **text)
{
    const char *at = *text;
    bool is_blob = *at == 'x' && at [1] == '\'';
    if (is_blob || *at == '\'') {
        const char *end = at + (is_blob? 2: 1);
        char *value = malloc (strlen (end) + 1);
        assert (value);
        size_t size = 0;
        for (; *end != '\'' || end [1] == '\''; end++) {
            if (*end == '\'')
                end++;
            value [size++] = *end;
        }
        if (is_blob) {
            for (size_t i = 0; i < size / 2; i++) {
                char pair [3] = { value [i * 2], value [i * 2 + 1], 0 };
                value [i] = (char) strtol (pair, NULL, 16);
            }
            sqlite3_bind_blob (stmt, index, value, (int) size / 2, free);
        }
        else
            sqlite3_bind_text (stmt, index, value, (int) size, free);
        *text = end + 1;
    }
    else
    if (strncmp (at, "NULL", 4) == 0) {
        sqlite3_bind_null (stmt, index);
        *text = at + 4;
    }
    else
    if (strncmp (at, "zeroblob(", 9) == 0) {
        char *end;
        sqlite3_bind_zeroblob (stmt, index, (int) strtol (at + 9, &end, 10));
        *text = end + 1;
    }
    else {
        char *end;
        size_t length = strspn (at, "+-.0123456789eE");
        if (memchr (at, '.', length) || memchr (at, 'e', length))
            sqlite3_bind_double (stmt, index, strtod (at, &end));
        else
            sqlite3_bind_int64 (stmt, index, strtoll (at, &end, 10));
        *text = at + length;
    }
}

//  Find the values in the expanded text by walking the template beside it.
static void
s_bind (sqlite3_stmt *stmt, const char *form, const char *text)
{
    while (*form) {
        if (*form == '?' && isdigit ((unsigned char) form [1])) {
            char *end;
            int index = (int) strtol (form + 1, &end, 10);
            form = end;
            s_bind_literal (stmt, index, &text);
        }
        else {
            form++;
            text++;
        }
    }
}

static double
s_run_bare (int64_t events)
{
    //  The time of binding the values is not counted
    sqlite3 *db;
    sqlite3_stmt *stmts [STATEMENTS_MAX] = { NULL };
    if (sqlite3_open ("rows.db", &db) != SQLITE_OK)
        bench_die ("rows: cannot open the bare writer's file");
    sqlite3_exec (db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = OFF;"
        "PRAGMA wal_autocheckpoint = 10000; PRAGMA cache_size = -65536", NULL, NULL, NULL);
    for (int i = 0; i < s_record.statement_count; i++)
        if (sqlite3_prepare_v2 (db, s_record.sql [i], -1, &stmts [i], NULL) != SQLITE_OK)
            bench_die ("rows: %s", sqlite3_errmsg (db));
    double spent = 0;
    for (size_t i = 0; i < s_record.count; i++) {
        sqlite3_stmt *stmt = stmts [s_record.said [i].statement];
        s_bind (stmt, s_record.sql [s_record.said [i].statement], s_record.said [i].sql);
        double begin = bench_now ();
        int rc = sqlite3_step (stmt);
        sqlite3_reset (stmt);
        spent += bench_now () - begin;
        if (rc != SQLITE_DONE && rc != SQLITE_ROW)
            bench_die ("rows: %s: %s", s_record.said [i].sql, sqlite3_errmsg (db));
    }
    for (int i = 0; i < s_record.statement_count; i++)
        sqlite3_finalize (stmts [i]);
    sqlite3_close (db);
    return (double) events / spent;
}

bench_rows_t
bench_limit_rows (int batch, int64_t tasks)
{
    bench_workload_t workload = {
        .producers = 1, .batch = batch, .in_flight = 256, .tasks = tasks, .events_a_task = 6, .seed = 11
    };
    bench_messages_t messages = bench_workload_messages (&workload, 0);
    s_times_t times = s_run_ledger (&messages);

    //  Again with the recorder on, then the same into a ledger that only has the producer
    sqlite3_auto_extension ((void (*) (void)) s_on_open);
    s_run_ledger (&messages);
    bench_messages_t none = { 0 };
    sqlite3_cancel_auto_extension ((void (*) (void)) s_on_open);
    s_run_ledger (&none);
    bench_rows_t rows = {
        .bare = s_run_bare (messages.events),
        .room = (double) messages.events / times.room_s,
        .decode = (double) messages.events / times.decode_s
    };
    s_forget ();
    bench_ledger_remove ("rows.db");
    bench_messages_clear (&messages);
    return rows;
}
