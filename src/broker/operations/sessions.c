/*  sessions - session.list, session.get, preference.get

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "broker/operations/query.h"
#include "wire/event/event_codec.h"

static int
s_pack_row (const stele_record_t *row, void *pack)
{
    stele_record_pack (row, pack);
    return 0;
}

int
stele_operation_session_list (stele_query_t *self, stele_params_t *params, stele_pack_t *pack)
{
    stele_span_t task_id = stele_params_text (params, "task_id");
    uint32_t states = stele_params_words (params, "states", STELE_VOCABULARY_SESSION_STATE);
    int64_t before = stele_params_number (params, "cursor", 0, 0, INT64_MAX);
    int64_t limit = stele_query_limit (self, params);
    if (params->refusal.code)
        return params->refusal.code;

    stele_rows_t rows;
    stele_rows_open (&rows, self, pack, "sessions", STELE_FIELD_NONE);
    int64_t next;
    int rc;
    //  Read a page that is too large for one answer again, with as many rows as fit
    do {
        next = 0;
        stele_rows_again (&rows);
        rc = stele_reader_sessions (self->reader, states, task_id, before, limit,
            stele_rows_add, &rows, &next);
        limit = (int64_t) rows.count;
    } while (rc >= 0 && rows.full);
    if (rc < 0)
        return stele_query_failed (self, params, rc);
    stele_rows_close (&rows);
    stele_rows_next (&rows, next);
    return 0;
}

int
stele_operation_session_get (stele_query_t *self, stele_params_t *params, stele_pack_t *pack)
{
    stele_span_t id = stele_params_id (params, "session_id");
    if (params->refusal.code)
        return params->refusal.code;
    stele_pack_key (pack, "session");
    int found = stele_reader_session (self->reader, id.text, id.size, s_pack_row, pack);
    if (found < 0)
        return stele_query_failed (self, params, found);
    char shown [80];
    if (found == 0)
        return stele_params_fail (params, STELE_ENOT_FOUND, NULL, "there is no session '%s'",
            stele_params_show (id, shown));
    return 0;
}

int
stele_operation_preference_get (stele_query_t *self, stele_params_t *params, stele_pack_t *pack)
{
    stele_span_t id = { "default", 7 };
    if (params->identity->user_count == 1)
        id = params->identity->users [0];
    if (stele_params_has (params, "user_id"))
        id = stele_params_id (params, "user_id");
    if (params->refusal.code)
        return params->refusal.code;
    stele_pack_key (pack, "preferences");
    int found = stele_reader_preferences (self->reader, id.text, id.size, s_pack_row, pack);
    if (found < 0)
        return stele_query_failed (self, params, found);
    char shown [80];
    if (found == 0)
        return stele_params_fail (params, STELE_ENOT_FOUND, NULL,
            "user '%s' has set no preferences", stele_params_show (id, shown));
    return 0;
}
