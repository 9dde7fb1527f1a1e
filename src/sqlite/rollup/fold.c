/*  fold - count a portion of the log in memory

    Only changes of tasks and metrics are counted. Both are read in the order of their positions, so that a
    metric counts for the role that its task had then.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#define _GNU_SOURCE
#include <math.h>
#include <stdlib.h>
#include <string.h>
#define HASH_NONFATAL_OOM 1         // An entry that could not be added has no table
#include "base/memory.h"
#include "sqlite/rollup/fold.h"

#define READ_EVENTS 1024            // Per read of the ledger: a read pins its write-ahead log
#define DAY_US ((int64_t) 24 * 3600 * 1000000)

//  -- names of metrics ------------------------------------------------------------------

//  What is summed: names that clients of language models use, among them those of OpenTelemetry. doc/PROTOCOL.md lists them.
static const struct { const char *name; int sum; } s_names [] = {
    { "prompt_tokens", ROLLUP_TOKENS_IN }, { "input_tokens", ROLLUP_TOKENS_IN }, { "tokens_in", ROLLUP_TOKENS_IN },
    { "gen_ai.usage.input_tokens", ROLLUP_TOKENS_IN }, { "gen_ai.usage.prompt_tokens", ROLLUP_TOKENS_IN },
    { "completion_tokens", ROLLUP_TOKENS_OUT }, { "output_tokens", ROLLUP_TOKENS_OUT },
    { "tokens_out", ROLLUP_TOKENS_OUT }, { "gen_ai.usage.output_tokens", ROLLUP_TOKENS_OUT },
    { "gen_ai.usage.completion_tokens", ROLLUP_TOKENS_OUT },
    { "cost", ROLLUP_COST }, { "cost_usd", ROLLUP_COST }, { "total_cost", ROLLUP_COST }, { "gen_ai.usage.cost", ROLLUP_COST },
    { "gen_ai.client.token.usage", ROLLUP_SUMS }        // Which way: its key gen_ai.token.type
};
#define NAMES (sizeof s_names / sizeof s_names [0])
#define TYPE_KEY "\"gen_ai.token.type\":"

typedef struct { int64_t words [NAMES]; } s_words_t;

static void
s_find_words (stele_reader_t *reader, s_words_t *words)
{
    for (size_t i = 0; i < NAMES; i++)
        words->words [i] = reader_word_id (reader, s_names [i].name, strlen (s_names [i].name));
}

//  -- steps -----------------------------------------------------------------------------

int64_t
stele_step_us (stele_step_t step)
{
    static const int64_t lengths [] = { 60 * 1000000ll, 3600 * 1000000ll, 86400 * 1000000ll };
    return lengths [step];
}

int64_t
rollup_since (stele_step_t step, int64_t newest_us)
{
    int64_t kept = step == STELE_STEP_MINUTE? 2 * DAY_US: 90 * DAY_US, length = stele_step_us (step);
    if (step == STELE_STEP_DAY || newest_us < kept)
        return 0;
    return (newest_us - kept + length - 1) / length * length;
}

//  When an event counts; the bounds are those of ledger/rollup.h
static int64_t
s_when (stele_reader_t *reader, int64_t position, int64_t time)
{
    int64_t first, last, commit;
    if (reader_commit_of (reader, position, &first, &last, &commit) == 1 && time > commit + DAY_US)
        time = commit;
    return time < 0? 0: time;
}

//  -- cells -----------------------------------------------------------------------------

//  NULL: the call fails
static rollup_counts_t *
s_cell (rollup_fold_t *self, const rollup_place_t *place)
{
    rollup_cell_t *cell;
    HASH_FIND (hh, self->cells, place, sizeof *place, cell);
    if (cell)
        return &cell->counts;
    cell = calloc (1, sizeof *cell);
    if (cell) {
        cell->place = *place;
        HASH_ADD (hh, self->cells, place, sizeof cell->place, cell);
        if (cell->hh.tbl)
            return &cell->counts;
        free (cell);
    }
    reader_fail (self->reader, STELE_ENO_MEMORY, "out of memory");
    return NULL;
}

//  The cell of the shortest step that is kept at that time
static rollup_counts_t *
s_cell_at (rollup_fold_t *self, int64_t time, stele_series_by_t by, int64_t key)
{
    stele_step_t step = STELE_STEP_MINUTE;
    while (time < rollup_since (step, self->newest_us))
        step++;
    rollup_place_t place = { .step = step, .time = time - time % stele_step_us (step), .by = by, .key = key };
    return s_cell (self, &place);
}

//  The cells of an event of a task at that time: of all, of its role, provider and model
#define CELLS 4
static bool
s_cells (rollup_fold_t *self, int64_t time, const rollup_life_t *life, rollup_counts_t *cells [CELLS])
{
    cells [0] = s_cell_at (self, time, STELE_SERIES_ALL, ROLLUP_NONE);
    cells [1] = s_cell_at (self, time, STELE_SERIES_ROLE, life->role);
    cells [2] = s_cell_at (self, time, STELE_SERIES_PROVIDER, life->provider);
    cells [3] = s_cell_at (self, time, STELE_SERIES_MODEL, life->model);
    return cells [0] && cells [1] && cells [2] && cells [3];
}

//  Add the cells of a step to those of the next one
static void
s_lengthen (rollup_fold_t *self, stele_step_t step)
{
    for (rollup_cell_t *cell = self->cells; cell && self->reader->status == 0; cell = cell->hh.next) {
        if (cell->place.step != (int64_t) step)
            continue;
        rollup_place_t place = cell->place;
        place.step++;
        place.time -= place.time % stele_step_us (step + 1);
        rollup_counts_t *counts = s_cell (self, &place);
        if (counts && rollup_counts_add (counts, &cell->counts))
            reader_fail (self->reader, STELE_ENO_MEMORY, "out of memory");
    }
}

//  -- lives ------------------------------------------------------------------------------

static rollup_life_t *
s_slot (rollup_fold_t *self, int64_t task)
{
    uint64_t hash = (uint64_t) task * 0x9e3779b97f4a7c15u;
    return &self->lives [hash >> 48 & (ROLLUP_LIVES - 1)];
}

//  The life of a task after its event at 'position'
static rollup_life_t *
s_life (rollup_fold_t *self, int64_t task, int64_t position)
{
    rollup_life_t *life = s_slot (self, task);
    if (life->task != task)
        rollup_life_read (self->reader, task, position, life);
    return life;
}

//  The fields of the task after an event
static void
s_read_words (rollup_fold_t *self, const rollup_change_t *change, rollup_life_t *life)
{
    rollup_life_t now;
    rollup_life_read (self->reader, change->task, change->position, &now);
    life->role = now.role;
    life->provider = now.provider;
    life->model = now.model;
}

//  -- changes of tasks --------------------------------------------------------------------

static void
s_add_failure (rollup_fold_t *self, int64_t time, int64_t task, sqlite3_stmt *statement)
{
    rollup_failure_t *failures = stele_array_grow (self->failures, &self->failure_room, self->failure_count + 1,
        sizeof *failures);
    if (!failures) {
        reader_fail (self->reader, STELE_ENO_MEMORY, "out of memory");
        return;
    }
    self->failures = failures;
    rollup_failure_t *failure = &failures [self->failure_count++];
    *failure = (rollup_failure_t) { .time = time, .task = task };
    size_t size;
    const char *text = reader_column_text (self->reader, statement, ROLLUP_CHANGE_COUNT, &size);
    failure->size = text? stele_fingerprint (text, size, failure->fingerprint): 0;
}

static int
s_count_move (rollup_counts_t *counts, const rollup_change_t *change, const rollup_life_t *before,
    const rollup_life_t *life)
{
    int code = 0;
    counts->numbers [ROLLUP_ENTERED + change->to]++;
    bool goes_on = change->from < STELE_TASK_TERMINAL_FROM;
    if (change->to == STELE_TASK_RUNNING && !(goes_on && before->started_at)) {
        counts->numbers [ROLLUP_STARTED]++;
        if (life->queued_at)
            code = rollup_spread_add (&counts->wait, change->time - life->queued_at);
    }
    if (change->to >= STELE_TASK_TERMINAL_FROM && goes_on && life->started_at)
        code = rollup_spread_add (&counts->run, change->time - life->started_at);
    return code;
}

static void
s_take_words (rollup_fold_t *self, const rollup_change_t *change, sqlite3_stmt *statement, rollup_life_t *life)
{
    //  What its task.created gave is in the row of the task
    if (change->from == 0 || change->kind == STELE_HISTORY_CREATED)
        s_read_words (self, change, life);
    else
    if (change->kind == STELE_HISTORY_UPDATED)
        rollup_life_take (self->reader, statement, ROLLUP_CHANGE_COUNT + 1, life);
    else {
        life->provider = change->provider? change->provider: life->provider;
        life->model = change->model? change->model: life->model;
    }
}

static void
s_fold_change (rollup_fold_t *self, sqlite3_stmt *statement)
{
    rollup_change_t change;
    rollup_change_fill (&change, statement);
    rollup_life_t *life = s_slot (self, change.task);
    if (change.from == 0)
        *life = (rollup_life_t) { .task = change.task };
    else
        life = s_life (self, change.task, change.position - 1);
    s_take_words (self, &change, statement, life);
    rollup_life_t before = *life;
    rollup_life_move (life, &change);

    rollup_counts_t *cells [CELLS];
    int64_t time = s_when (self->reader, change.position, change.time);
    if (self->reader->status || !s_cells (self, time, life, cells))
        return;
    for (int i = 0; i < CELLS; i++) {
        cells [i]->numbers [ROLLUP_CREATED] += change.kind == STELE_HISTORY_CREATED;
        cells [i]->numbers [ROLLUP_INTERRUPTED] += change.kind == STELE_HISTORY_INTERRUPTED;
        if (rollup_change_moves (&change) && s_count_move (cells [i], &change, &before, life))
            reader_fail (self->reader, STELE_ENO_MEMORY, "out of memory");
    }
    if (rollup_change_moves (&change) && (change.to == STELE_TASK_FAILED || change.to == STELE_TASK_ERROR
    ||  change.to == STELE_TASK_TIMEOUT))
        s_add_failure (self, time, change.task, statement);
}

//  -- metrics -----------------------------------------------------------------------------

//  ROLLUP_SUMS: it is not summed
static int
s_sum_of (rollup_fold_t *self, const s_words_t *words, sqlite3_stmt *statement)
{
    int64_t word = sqlite3_column_int64 (statement, 2);
    size_t i = 0, size;
    while (i < NAMES && words->words [i] != word)
        i++;
    if (i == NAMES || s_names [i].sum != ROLLUP_SUMS)
        return i == NAMES? ROLLUP_SUMS: s_names [i].sum;
    const char *extra = reader_column_text (self->reader, statement, 5, &size);
    const char *type = extra? memmem (extra, size, TYPE_KEY, sizeof TYPE_KEY - 1): NULL;
    size_t left = type? size - (size_t) (type - extra) - (sizeof TYPE_KEY - 1): 0;
    type = type? type + sizeof TYPE_KEY - 1: NULL;
    return left > 7 && memcmp (type, "\"input\"", 7) == 0? ROLLUP_TOKENS_IN:
        left > 8 && memcmp (type, "\"output\"", 8) == 0? ROLLUP_TOKENS_OUT: ROLLUP_SUMS;
}

static void
s_fold_metric (rollup_fold_t *self, const s_words_t *words, sqlite3_stmt *statement)
{
    int sum = s_sum_of (self, words, statement);
    //  Numbers that a column cannot hold are text there
    double value = sqlite3_column_type (statement, 3) == SQLITE_TEXT? NAN: sqlite3_column_double (statement, 3);
    if (sum == ROLLUP_SUMS || !isfinite (value))
        return;
    int64_t position = sqlite3_column_int64 (statement, 0);
    const rollup_life_t *life = s_life (self, sqlite3_column_int64 (statement, 1), position);
    int64_t time = s_when (self->reader, position, sqlite3_column_int64 (statement, 4));
    rollup_counts_t *cells [CELLS];
    if (self->reader->status || !s_cells (self, time, life, cells))
        return;
    for (int i = 0; i < CELLS; i++)
        cells [i]->sums [sum] += value;
}

//  -- refused events ----------------------------------------------------------------------

static void
s_fold_rejected (rollup_fold_t *self)
{
    sqlite3_stmt *statement = reader_with_key (self->reader, SLOT_ROLLUP_REJECTED,
        "SELECT id, time FROM rejected_events WHERE id > ?1 ORDER BY id LIMIT ?2", self->rejected);
    if (statement)
        sqlite3_bind_int64 (statement, 2, STELE_ROLLUP_PORTION);
    while (reader_step (self->reader, statement) == 1) {
        int64_t time = sqlite3_column_int64 (statement, 1);
        rollup_counts_t *cell = s_cell_at (self, time < 0? 0: time, STELE_SERIES_ALL, ROLLUP_NONE);
        if (!cell)
            break;
        cell->numbers [ROLLUP_REJECTED]++;
        self->rejected = sqlite3_column_int64 (statement, 0);
    }
}

//  -- the portion -------------------------------------------------------------------------

int
rollup_fold_open (rollup_fold_t *self, stele_reader_t *reader)
{
    *self = (rollup_fold_t) { .reader = reader, .lives = calloc (ROLLUP_LIVES, sizeof *self->lives) };
    return self->lives? 0: STELE_ENO_MEMORY;
}

void
rollup_fold_clear (rollup_fold_t *self, bool lives)
{
    rollup_cell_t *cell, *next;
    HASH_ITER (hh, self->cells, cell, next) {
        HASH_DELETE (hh, self->cells, cell);
        rollup_counts_free (&cell->counts);
        free (cell);
    }
    self->failure_count = 0;
    if (lives)
        memset (self->lives, 0, ROLLUP_LIVES * sizeof *self->lives);
}

void
rollup_fold_close (rollup_fold_t *self)
{
    if (self->lives)
        rollup_fold_clear (self, false);
    free (self->lives);
    free (self->failures);
}

static sqlite3_stmt *
s_between (stele_reader_t *reader, int slot, const char *sql, int64_t after, int64_t upto)
{
    sqlite3_stmt *statement = reader_with_key (reader, slot, sql, after);
    if (statement)
        sqlite3_bind_int64 (statement, 2, upto);
    return statement;
}

static int
s_fold_events (rollup_fold_t *self, int64_t after, int64_t upto)
{
    stele_reader_t *reader = self->reader;
    int code = reader_enter (reader);
    if (code)
        return code;
    s_words_t words;
    s_find_words (reader, &words);
    sqlite3_stmt *changes = s_between (reader, SLOT_ROLLUP_HISTORY, "SELECT " ROLLUP_CHANGE_COLUMNS ", h.error_message, h.changes"
        " FROM history_plain h WHERE h.position > ?1 AND h.position <= ?2 ORDER BY h.position", after, upto);
    sqlite3_stmt *metrics = s_between (reader, SLOT_ROLLUP_METRICS, "SELECT position, task, name, value, time, extra"
        " FROM metrics_plain WHERE position > ?1 AND position <= ?2 ORDER BY position", after, upto);
    bool change = reader_step (reader, changes) == 1, metric = reader_step (reader, metrics) == 1;
    while ((change || metric) && reader->status == 0) {
        bool is_change = change && (!metric
            || sqlite3_column_int64 (changes, 0) < sqlite3_column_int64 (metrics, 0));
        if (is_change) {
            s_fold_change (self, changes);
            change = reader_step (reader, changes) == 1;
        }
        else {
            s_fold_metric (self, &words, metrics);
            metric = reader_step (reader, metrics) == 1;
        }
    }
    return (int) reader_leave (reader, 0);
}

int
rollup_fold_read (rollup_fold_t *self, int64_t after, int64_t upto)
{
    int code = 0;
    for (int64_t at = after; at < upto && code == 0; at += READ_EVENTS)
        code = s_fold_events (self, at, upto - at < READ_EVENTS? upto: at + READ_EVENTS);
    if (code == 0)
        code = reader_enter (self->reader);
    if (code)
        return code;
    s_fold_rejected (self);
    s_lengthen (self, STELE_STEP_MINUTE);
    s_lengthen (self, STELE_STEP_HOUR);
    return (int) reader_leave (self->reader, 0);
}
