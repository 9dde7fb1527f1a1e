/*  reports - stats.tasks, session.times, command.list

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <string.h>
#include "broker/operations/query.h"
#include "wire/event/event_codec.h"

//  -- stats.tasks -----------------------------------------------------------------------

static const char *const s_groupings [] = {
    [STELE_REPORT_STATE] = "state", [STELE_REPORT_ROLE] = "role",
    [STELE_REPORT_PROVIDER] = "provider", [STELE_REPORT_MODEL] = "model",
    [STELE_REPORT_HOUR] = "hour", [STELE_REPORT_DAY] = "day", [STELE_REPORT_ERROR] = "error"
};

static stele_report_by_t
s_read_grouping (stele_params_t *params)
{
    return (stele_report_by_t) stele_params_choice (params, "group_by", s_groupings,
        sizeof s_groupings / sizeof s_groupings [0], STELE_REPORT_STATE,
        "state, role, provider, model, hour, day or error");
}

typedef struct {
    stele_pack_t *pack;
    stele_report_by_t by;
    size_t mark;
    size_t count;
    size_t groups;
    bool in_slowest;
} s_report_t;

static void
s_pack_spread (stele_pack_t *pack, const char *key, const stele_spread_t *spread)
{
    stele_pack_key (pack, key);
    stele_pack_map_begin (pack);
    stele_pack_key_integer (pack, "count", spread->count);
    if (spread->count) {
        stele_pack_key_integer (pack, "p50", spread->p50);
        stele_pack_key_integer (pack, "p90", spread->p90);
        stele_pack_key_integer (pack, "p99", spread->p99);
        stele_pack_key_integer (pack, "max", spread->max);
    }
    stele_pack_map_end (pack);
}

static void
s_pack_tasks (const stele_report_group_t *group, bool by_word, stele_pack_t *pack)
{
    if (by_word)
        stele_pack_key_integer (pack, "tasks", group->now);
    stele_pack_key_integer (pack, "created", group->created);
    stele_pack_key_integer (pack, "completed", group->completed);
    stele_pack_key_integer (pack, "failed", group->failed);
    s_pack_spread (pack, "queue_us", &group->queue_us);
    s_pack_spread (pack, "run_us", &group->run_us);
}

static int
s_pack_group (const stele_report_group_t *group, void *arg)
{
    s_report_t *self = arg;
    stele_pack_t *pack = self->pack;
    bool by_word = self->by <= STELE_REPORT_MODEL, by_error = self->by == STELE_REPORT_ERROR;
    self->count++;
    stele_pack_map_begin (pack);
    stele_pack_key (pack, s_groupings [self->by]);
    if (!by_word && !by_error)
        stele_pack_integer (pack, group->time);
    else
    if (group->name.text)
        stele_pack_text (pack, group->name.text, group->name.size);
    else
        stele_pack_nil (pack);
    if (by_error) {
        stele_pack_key_integer (pack, "failed", group->failed);
        stele_pack_key_integer (pack, "last", group->time);
    }
    else
        s_pack_tasks (group, by_word, pack);
    stele_pack_map_end (pack);
    return 0;
}

//  All groups come before the slow tasks
static void
s_begin_slowest (s_report_t *self)
{
    if (self->in_slowest)
        return;
    self->in_slowest = true;
    stele_pack_close (self->pack, self->mark, self->count);
    self->groups = self->count;
    stele_pack_key (self->pack, "slowest");
    self->mark = stele_pack_open_array (self->pack);
    self->count = 0;
}

static int
s_pack_slow (const stele_record_t *row, void *arg)
{
    s_report_t *self = arg;
    s_begin_slowest (self);
    self->count++;
    stele_record_pack (row, self->pack);
    return 0;
}

int
stele_operation_stats_tasks (stele_query_t *self, stele_params_t *params, stele_pack_t *pack)
{
    stele_report_t ask = {
        .by = s_read_grouping (params),
        .from_us = stele_params_time (params, "from"),
        .to_us = stele_params_time (params, "to"),
        .groups = stele_query_limit (self, params),
        .slowest = stele_params_number (params, "slowest", 10, 0, 100)
    };
    if (params->refusal.code)
        return params->refusal.code;

    s_report_t report = { .pack = pack, .by = ask.by };
    stele_report_end_t end;
    stele_pack_key (pack, "groups");
    report.mark = stele_pack_open_array (pack);
    int rc = stele_reader_report (self->reader, &ask, s_pack_group, s_pack_slow, &report, &end);
    if (rc < 0)
        return stele_query_failed (self, params, rc);
    s_begin_slowest (&report);
    stele_pack_close (pack, report.mark, report.count);
    stele_pack_key_string (pack, "group_by", s_groupings [ask.by]);
    stele_pack_key_integer (pack, "left_out", end.groups - (int64_t) report.groups);
    if (end.cut) {
        stele_pack_key_bool (pack, "complete", false);
        stele_pack_key_integer (pack, "looked_to", end.looked_to);
    }
    return 0;
}

//  -- outputs of commands, in part ---------------------------------------------------------

void
stele_query_read_range (stele_params_t *params, stele_query_range_t *range)
{
    range->wanted = stele_params_has (params, "output_offset") || stele_params_has (params, "output_length");
    range->offset = stele_params_number (params, "output_offset", 0, 0, INT64_MAX);
    range->length = stele_params_number (params, "output_length", INT64_MAX, 0, INT64_MAX);
    range->count = 0;
}

static bool
s_is_inside (const char *text, int64_t size, int64_t at)
{
    return at > 0 && at < size && ((unsigned char) text [at] & 0xc0) == 0x80;
}

//  Cut text between characters: one that begins in the range is whole
static void
s_cut (stele_value_t *value, const stele_query_range_t *range)
{
    int64_t size = value->size;
    int64_t from = range->offset < size? range->offset: size;
    int64_t to = range->length < size - from? from + range->length: size;
    if (value->kind == STELE_VALUE_TEXT) {
        while (s_is_inside (value->text, size, from))
            from++;
        while (s_is_inside (value->text, size, to))
            to++;
        if (to < from)
            to = from;
    }
    value->text = value->text? value->text + from: NULL;
    value->size = (uint32_t) (to - from);
}

int
stele_query_add_ranged (const stele_record_t *row, void *arg)
{
    stele_query_range_t *self = arg;
    if (!self->wanted)
        return stele_rows_add (row, self->rows);
    stele_record_t cut = *row;
    stele_value_t *output = &cut.values [STELE_OUTPUT];
    int64_t size = stele_record_has (row, STELE_OUTPUT)? (int64_t) output->size: -1;
    if (size >= 0)
        s_cut (output, self);
    int rc = stele_rows_add (&cut, self->rows);
    if (rc == 0 && self->count < STELE_QUERY_RANGES)
        self->sizes [self->count++] = size;
    return rc;
}

void
stele_query_pack_ranges (const stele_query_range_t *self, stele_pack_t *pack)
{
    if (!self->wanted)
        return;
    stele_pack_key (pack, "output_sizes");
    stele_pack_array (pack, self->count);
    for (size_t i = 0; i < self->count; i++)
        if (self->sizes [i] < 0)
            stele_pack_nil (pack);
        else
            stele_pack_integer (pack, self->sizes [i]);
}

//  -- command.list -------------------------------------------------------------------------

int
stele_operation_command_list (stele_query_t *self, stele_params_t *params, stele_pack_t *pack)
{
    bool failed = stele_params_bool (params, "failed", false);
    int64_t from_us = stele_params_time (params, "from"), to_us = stele_params_time (params, "to");
    int64_t before = stele_params_number (params, "cursor", 0, 0, INT64_MAX);
    int64_t limit = stele_query_limit (self, params);
    stele_query_range_t range;
    stele_query_read_range (params, &range);
    if (params->refusal.code)
        return params->refusal.code;

    stele_rows_t rows;
    int64_t next = 0;
    range.rows = &rows;
    stele_rows_open (&rows, self, pack, "commands", STELE_ID);
    int rc = stele_reader_commands (self->reader, failed, from_us, to_us, before, limit,
        stele_query_add_ranged, &range, &next);
    if (rc < 0)
        return stele_query_failed (self, params, rc);
    stele_rows_close (&rows);
    stele_rows_next (&rows, rows.full? rows.last: next);
    stele_query_pack_ranges (&range, pack);
    return 0;
}

//  -- session.times -------------------------------------------------------------------------

#define SESSIONS_MAX 100

typedef struct {
    struct { char id [STELE_LIMIT_ID]; size_t size; int state; } sessions [SESSIONS_MAX];
    size_t count;
} s_sessions_t;

static int
s_keep_session (const stele_record_t *row, void *arg)
{
    s_sessions_t *self = arg;
    const stele_value_t *id = &row->values [STELE_SESSION_ID];
    memcpy (self->sessions [self->count].id, id->text, id->size);
    self->sessions [self->count].size = id->size;
    self->sessions [self->count++].state = (int) stele_record_integer (row, STELE_STATE, 1);
    return 0;
}

static int
s_pack_times (stele_query_t *self, const s_sessions_t *sessions, size_t i, stele_pack_t *pack)
{
    stele_session_times_t times;
    int rc = stele_reader_session_times (self->reader, sessions->sessions [i].id,
        sessions->sessions [i].size, &times);
    if (rc != 1)
        return rc;
    stele_pack_map_begin (pack);
    stele_pack_key (pack, "session_id");
    stele_pack_text (pack, sessions->sessions [i].id, sessions->sessions [i].size);
    stele_pack_key_string (pack, "state",
        stele_vocabulary_word (STELE_VOCABULARY_SESSION_STATE, sessions->sessions [i].state));
    stele_pack_key_integer (pack, "wall_us", times.wall_us);
    stele_pack_key (pack, "by_state");
    stele_pack_map_begin (pack);
    for (int state = 1; state < STELE_SESSION_STATE_END; state++)
        if (times.by_state_us [state])
            stele_pack_key_integer (pack, stele_vocabulary_word (STELE_VOCABULARY_SESSION_STATE, state),
                times.by_state_us [state]);
    stele_pack_map_end (pack);
    stele_pack_key_integer (pack, "commands", times.commands);
    stele_pack_key_integer (pack, "failed", times.failed);
    stele_pack_key_real (pack, "execution_time_ms", times.execution_ms);
    stele_pack_map_end (pack);
    return 1;
}

int
stele_operation_session_times (stele_query_t *self, stele_params_t *params, stele_pack_t *pack)
{
    stele_span_t task_id = stele_params_text (params, "task_id");
    uint32_t states = stele_params_words (params, "states", STELE_VOCABULARY_SESSION_STATE);
    int64_t before = stele_params_number (params, "cursor", 0, 0, INT64_MAX);
    int64_t limit = stele_params_number (params, "limit", SESSIONS_MAX, 1, SESSIONS_MAX);
    bool one = stele_params_has (params, "session_id");
    stele_span_t id = one? stele_params_id (params, "session_id"): (stele_span_t) { NULL, 0 };
    if (params->refusal.code)
        return params->refusal.code;

    s_sessions_t sessions = { .count = 0 };
    int64_t next = 0;
    int rc = one?
        stele_reader_session (self->reader, id.text, id.size, s_keep_session, &sessions):
        stele_reader_sessions (self->reader, states, task_id, before, limit, s_keep_session, &sessions, &next);
    char shown [80];
    if (one && rc == 0)
        return stele_params_fail (params, STELE_ENOT_FOUND, NULL, "there is no session '%s'",
            stele_params_show (id, shown));
    stele_pack_key (pack, "times");
    stele_pack_array (pack, sessions.count);
    for (size_t i = 0; i < sessions.count && rc >= 0; i++)
        rc = s_pack_times (self, &sessions, i, pack);
    if (rc < 0)
        return stele_query_failed (self, params, rc);
    stele_pack_key (pack, "next");
    if (next)
        stele_pack_integer (pack, next);
    else
        stele_pack_nil (pack);
    return 0;
}
