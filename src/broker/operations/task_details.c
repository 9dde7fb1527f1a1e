/*  task_details - task.history, task.outputs, task.metrics, session.commands

    The rows of one task or session.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <string.h>
#include "broker/operations/query.h"

typedef struct {
    stele_chain_t chain;
    const char *id;                 // Parameter with the id of the owner
    const char *owner;              // Kind of the owner, for messages
    const char *rows;               // Key of the answer
} s_chain_t;

static bool
s_read_newest_first (stele_params_t *params)
{
    static const char *const orders [] = { "asc", "desc" };
    return stele_params_choice (params, "order", orders, 2, 0, "asc (oldest first, the default) or desc") == 1;
}

static int
s_answer (stele_query_t *self, stele_params_t *params, stele_pack_t *pack,
    const s_chain_t *chain, stele_chain_filter_t *filter)
{
    stele_span_t id = stele_params_id (params, chain->id);
    filter->after = stele_params_number (params, "cursor", 0, 0, INT64_MAX);
    filter->newest_first = s_read_newest_first (params);
    filter->limit = stele_query_limit (self, params);
    stele_query_range_t range = { .wanted = false };
    if (chain->chain == STELE_CHAIN_COMMANDS)
        stele_query_read_range (params, &range);
    if (params->refusal.code)
        return params->refusal.code;

    stele_rows_t rows;
    int64_t next = 0;
    range.rows = &rows;
    stele_rows_open (&rows, self, pack, chain->rows, STELE_ID);
    int found = stele_reader_chain (self->reader, chain->chain, id.text, id.size, filter,
        stele_query_add_ranged, &range, &next);
    if (found < 0)
        return stele_query_failed (self, params, found);
    char shown [80];
    if (found == 0 && rows.count == 0)
        return stele_params_fail (params, STELE_ENOT_FOUND, NULL, "there is no %s '%s'",
            chain->owner, stele_params_show (id, shown));
    stele_rows_close (&rows);
    stele_rows_next (&rows, rows.full? rows.last: next);
    stele_query_pack_ranges (&range, pack);
    return 0;
}

int
stele_operation_task_history (stele_query_t *self, stele_params_t *params, stele_pack_t *pack)
{
    static const s_chain_t chain = { STELE_CHAIN_HISTORY, "task_id", "task", "history" };
    stele_chain_filter_t filter = { 0 };
    filter.event_types = stele_params_words (params, "types", STELE_VOCABULARY_EVENT_TYPE);
    return s_answer (self, params, pack, &chain, &filter);
}

int
stele_operation_task_outputs (stele_query_t *self, stele_params_t *params, stele_pack_t *pack)
{
    static const s_chain_t chain = { STELE_CHAIN_OUTPUTS, "task_id", "task", "outputs" };
    stele_chain_filter_t filter = { 0 };
    filter.output_types = stele_params_words (params, "types", STELE_VOCABULARY_OUTPUT_TYPE);
    return s_answer (self, params, pack, &chain, &filter);
}

int
stele_operation_task_metrics (stele_query_t *self, stele_params_t *params, stele_pack_t *pack)
{
    static const s_chain_t chain = { STELE_CHAIN_METRICS, "task_id", "task", "metrics" };
    stele_span_t names [STELE_PARAMS_VALUES];
    stele_chain_filter_t filter = { 0 };
    filter.names = names;
    filter.name_count = stele_params_texts (params, "names", names);
    return s_answer (self, params, pack, &chain, &filter);
}

int
stele_operation_session_commands (stele_query_t *self, stele_params_t *params, stele_pack_t *pack)
{
    static const s_chain_t chain = { STELE_CHAIN_COMMANDS, "session_id", "session", "commands" };
    stele_chain_filter_t filter = { 0 };
    return s_answer (self, params, pack, &chain, &filter);
}
