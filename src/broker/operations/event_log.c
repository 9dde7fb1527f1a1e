/*  event_log - events.read, table.read, rejected.list, audit.list

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <inttypes.h>
#include <string.h>
#include "broker/operations/query.h"

int
stele_operation_events_read (stele_query_t *self, stele_params_t *params, stele_pack_t *pack)
{
    int64_t after = stele_params_number (params, "after", 0, 0, INT64_MAX);
    uint32_t types = stele_params_words (params, "types", STELE_VOCABULARY_EVENT_TYPE);
    int64_t limit = stele_query_limit (self, params);
    if (params->refusal.code)
        return params->refusal.code;

    stele_rows_t rows;
    stele_rows_open (&rows, self, pack, "events", STELE_POSITION);
    rows.size_max /= 2;             // Clients that close a gap need many small steps
    int rc = stele_reader_events (self->reader, after, limit, types, stele_rows_add, &rows);
    if (rc < 0)
        return stele_query_failed (self, params, rc);
    stele_rows_close (&rows);
    stele_pack_key_integer (pack, "head", self->head);
    bool more = rows.full || (int64_t) rows.count == limit;
    int64_t last = more? rows.last: stele_reader_looked_to (self->reader);
    stele_rows_next (&rows, last < self->head? last: 0);
    return 0;
}

//  -- table.read --------------------------------------------------------------------

static stele_table_t
s_read_table (stele_params_t *params)
{
    static const char *const names [] = {
        [STELE_TABLE_TASKS] = "tasks", [STELE_TABLE_HISTORY] = "task_history",
        [STELE_TABLE_OUTPUTS] = "task_outputs", [STELE_TABLE_METRICS] = "task_metrics",
        [STELE_TABLE_SESSIONS] = "cli_sessions", [STELE_TABLE_COMMANDS] = "cli_session_commands",
        [STELE_TABLE_AUDIT] = "audit_events"
    };
    return (stele_table_t) stele_params_choice (params, "table", names, sizeof names / sizeof names [0],
        STELE_TABLE_TASKS, "tasks, task_history, task_outputs, task_metrics, cli_sessions, cli_session_commands or audit_events");
}

int
stele_operation_table_read (stele_query_t *self, stele_params_t *params, stele_pack_t *pack)
{
    stele_table_t table = s_read_table (params);
    int64_t after = stele_params_number (params, "cursor", 0, 0, INT64_MAX);
    int64_t at = stele_params_number (params, "at", self->head, 0, INT64_MAX);
    int64_t limit = stele_query_limit (self, params);
    if (params->refusal.code)
        return params->refusal.code;
    if (at > self->head)
        return stele_params_fail (params, STELE_ENOT_FOUND, "at",
            "position %" PRId64 " does not exist yet; the last one is %" PRId64, at, self->head);

    stele_rows_t rows;
    bool has_id = table != STELE_TABLE_TASKS && table != STELE_TABLE_SESSIONS;
    int64_t next;
    int rc;
    stele_rows_open (&rows, self, pack, "rows", has_id? STELE_ID: STELE_FIELD_NONE);
    //  A page too large for one answer: where rows do not contain their key, read again as many
    //  as fit
    do {
        next = 0;
        stele_rows_again (&rows);
        rc = stele_reader_table (self->reader, table, after, at, limit, stele_rows_add, &rows, &next);
        limit = (int64_t) rows.count;
    } while (rc >= 0 && rows.full && !has_id);
    if (rc < 0)
        return stele_query_failed (self, params, rc);
    stele_rows_close (&rows);
    stele_rows_next (&rows, rows.full? rows.last: next);
    return 0;
}

//  -- rejected.list -------------------------------------------------------------------

int
stele_operation_rejected_list (stele_query_t *self, stele_params_t *params, stele_pack_t *pack)
{
    char name [STELE_LIMIT_ID + 1] = "";
    bool of_one = stele_params_has (params, "producer");
    if (of_one) {
        stele_span_t producer = stele_params_id (params, "producer");
        memcpy (name, producer.text, producer.size);
        name [producer.size] = '\0';
    }
    bool open_only = stele_params_bool (params, "open", false);
    int64_t after = stele_params_number (params, "cursor", 0, 0, INT64_MAX);
    int64_t limit = stele_query_limit (self, params);
    if (params->refusal.code)
        return params->refusal.code;

    stele_rows_t rows;
    int64_t next = 0;
    stele_rows_open (&rows, self, pack, "rejected", STELE_ID);
    int rc = stele_reader_rejected (self->reader, of_one? name: NULL, open_only, after, limit,
        stele_rows_add, &rows, &next);
    if (rc < 0)
        return stele_query_failed (self, params, rc);
    stele_rows_close (&rows);
    stele_rows_next (&rows, rows.full? rows.last: next);
    return 0;
}

//  -- audit.list ----------------------------------------------------------------------

int
stele_operation_audit_list (stele_query_t *self, stele_params_t *params, stele_pack_t *pack)
{
    stele_audit_filter_t filter = {
        .who = stele_params_text (params, "who"),
        .operation = stele_params_text (params, "operation"),
        .outcome = stele_params_text (params, "outcome"),
        .from_us = stele_params_time (params, "from"),
        .to_us = stele_params_time (params, "to"),
        .before = stele_params_number (params, "cursor", 0, 0, INT64_MAX),
        .limit = stele_query_limit (self, params)
    };
    if (params->refusal.code)
        return params->refusal.code;

    stele_rows_t rows;
    int64_t next = 0;
    stele_rows_open (&rows, self, pack, "events", STELE_ID);
    int rc = stele_reader_audit (self->reader, &filter, stele_rows_add, &rows, &next);
    if (rc < 0)
        return stele_query_failed (self, params, rc);
    stele_rows_close (&rows);
    stele_rows_next (&rows, rows.full? rows.last: next);
    return 0;
}
