/*  query - answer one request from the ledger

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <inttypes.h>
#include <string.h>
#include "broker/common/answer.h"
#include "broker/operations/query.h"
#include "base/clock.h"
#include "wire/event/event_codec.h"

//  -- open, close ---------------------------------------------------------------------

int
stele_query_open (stele_query_t *self, const stele_query_args_t *args, stele_refusal_t *refusal)
{
    const stele_settings_t *settings = args->settings;
    *self = (stele_query_t) {
        .settings = settings,
        .ledger_id = args->ledger_id,
        .started_at_us = args->started_at_us,
        .opened_us = stele_clock_steady_us (),
        .opened_head = args->head,
        .has_cache = args->has_cache,
        .record = stele_record_new (),
        .reader = stele_reader_open (settings->ledger, refusal)
    };
    if (!self->reader)
        return -1;
    if (!args->has_cache)
        return 0;
    stele_cache_options_t options = {
        .url = settings->redis,
        .prefix = settings->redis_prefix,
        .legacy_keys = settings->legacy_keys,
        .terminal_ttl_s = settings->terminal_ttl_s
    };
    self->live = stele_live_new (&options, refusal);
    return self->live? 0: -1;
}

void
stele_query_close (stele_query_t *self)
{
    stele_live_destroy (&self->live);
    stele_reader_close (&self->reader);
    stele_record_destroy (&self->record);
}

//  -- the mode ------------------------------------------------------------------------

bool
stele_query_in_mode (const stele_query_t *self, const char *word)
{
    if (self->context_size == 0)
        return false;
    stele_token_t mode = stele_scan_find (self->context, self->context_size, "mode", NULL, NULL);
    return mode.kind == STELE_SCAN_TEXT && mode.size == strlen (word) && memcmp (mode.data, word, mode.size) == 0;
}

//  -- dispatch ------------------------------------------------------------------------

static int
s_run (stele_query_t *self, const stele_operation_t *operation, stele_params_t *params, stele_pack_t *pack)
{
    stele_answer_begin (pack, self->head);
    int rc = operation->handler (self, params, pack);
    if (rc)
        return rc;
    //  info and stats contain every mode themselves
    if (!stele_route_informs (operation->route) && stele_query_in_mode (self, "redis"))
        stele_pack_key_string (pack, "mode", "redis");
    stele_pack_map_end (pack);
    return 0;
}

static int
s_run_in_snapshot (stele_query_t *self, const stele_operation_t *operation, stele_params_t *params,
    stele_pack_t *pack)
{
    if (stele_operation_check_scope (operation, params))
        return params->refusal.code;
    stele_reader_set_users (self->reader, self->identity->users, self->identity->user_count);
    stele_reader_set_deadline (self->reader, self->settings->request_ms);
    if (self->together)
        return s_run (self, operation, params, pack);
    int rc = stele_reader_begin (self->reader);
    if (rc)
        return stele_query_failed (self, params, rc);
    self->head = stele_reader_head (self->reader);
    if (self->head < 0)
        rc = stele_query_failed (self, params, (int) self->head);
    else
        rc = s_run (self, operation, params, pack);
    stele_reader_end (self->reader);
    return rc;
}

void
stele_query_begin_together (stele_query_t *self)
{
    //  Those of an earlier request were in its bytes, which are gone
    stele_reader_set_users (self->reader, NULL, 0);
    stele_reader_set_deadline (self->reader, self->settings->request_ms);
    if (stele_reader_begin (self->reader))
        return;
    self->head = stele_reader_head (self->reader);
    self->together = self->head >= 0;
    if (!self->together)
        stele_reader_end (self->reader);
}

void
stele_query_expect (stele_query_t *self, const void *request, size_t size)
{
    stele_token_t id = stele_scan_find (request, size, "task_id", NULL, NULL);
    if (self->together && self->live && id.kind == STELE_SCAN_TEXT && !stele_query_in_mode (self, "sqlite"))
        stele_live_expect (self->live, id.data, id.size);
}

void
stele_query_end_together (stele_query_t *self)
{
    if (!self->together)
        return;
    stele_reader_end (self->reader);
    self->together = false;
    if (self->live)
        stele_live_forget (self->live);
}

void
stele_query_answer (stele_query_t *self, const stele_identity_t *key, const void *request, size_t size,
    stele_pack_t *pack)
{
    stele_params_t params;
    stele_params_start (&params, request, size);
    self->identity = stele_delegate_identity (&self->delegate, key, request, size, &params.refusal);
    params.identity = self->identity;
    stele_operation_id_t id = stele_operation_id (request, size);
    assert (id >= 0 && id < STELE_OPERATION_REQUESTS && stele_operations [id].handler);
    if (!self->identity || s_run_in_snapshot (self, &stele_operations [id], &params, pack))
        stele_answer_refuse (pack, &params.refusal, stele_query_in_mode (self, "redis")? "redis": NULL, 0);
}

zframe_t *
stele_query_reply (stele_query_t *self, const stele_identity_t *key, zframe_t *request, stele_pack_t *pack)
{
    stele_pack_clear (pack);
    stele_query_answer (self, key, zframe_data (request), zframe_size (request), pack);
    return zframe_new (stele_pack_data (pack), stele_pack_size (pack));
}

int
stele_query_failed (stele_query_t *self, stele_params_t *params, int code)
{
    if (code == STELE_ETIMEOUT)
        return stele_params_fail (params, code, NULL,
            "not done within %" PRId64 " ms: request less, or raise request-ms",
            self->settings->request_ms);
    return stele_params_fail (params, code, NULL, "the ledger cannot be read: %s",
        stele_reader_error (self->reader));
}

int64_t
stele_query_limit (stele_query_t *self, stele_params_t *params)
{
    int64_t most = self->settings->list_limit;
    return stele_params_number (params, "limit", most < 100? most: 100, 1, most);
}

//  -- pages ------------------------------------------------------------------------------

void
stele_rows_open (stele_rows_t *self, stele_query_t *query, stele_pack_t *pack,
    const char *name, stele_field_t key)
{
    memset (self, 0, sizeof *self);
    self->pack = pack;
    self->size_max = (size_t) query->settings->message_bytes;
    self->key = key;
    stele_pack_key (pack, name);
    self->mark = stele_pack_open_array (pack);
    self->start = stele_pack_size (pack);
}

void
stele_rows_again (stele_rows_t *self)
{
    stele_pack_rewind (self->pack, self->start);
    self->count = 0;
    self->last = 0;
    self->full = false;
}

int
stele_rows_add (const stele_record_t *row, void *arg)
{
    stele_rows_t *self = arg;
    size_t size = stele_pack_size (self->pack);
    stele_record_pack (row, self->pack);
    //  The first row is packed whatever its size: whatever was published can be read
    if (self->count && stele_pack_size (self->pack) > self->size_max) {
        stele_pack_rewind (self->pack, size);
        self->full = true;
        return 1;
    }
    self->count++;
    if (self->key != STELE_FIELD_NONE)
        self->last = stele_record_integer (row, self->key, 0);
    return 0;
}

void
stele_rows_close (stele_rows_t *self)
{
    stele_pack_close (self->pack, self->mark, self->count);
}

void
stele_rows_next (stele_rows_t *self, int64_t cursor)
{
    stele_pack_key (self->pack, "next");
    if (cursor)
        stele_pack_integer (self->pack, cursor);
    else
        stele_pack_nil (self->pack);
}
