/*  query - dispatch of one request to its handler, and what handlers share

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
#include "wire/event_codec.h"

//  What a request that a worker answers may hold; a publish goes elsewhere
#define ELEMENTS_MAX 10000
#define IGNORED_MAX 16              // Names that an answer repeats

const stele_operation_t stele_operations [] = {
#define OP_ROW(name, route, handler) { name, STELE_ROUTE_##route, handler },
    STELE_OPS (OP_ROW)
#undef OP_ROW
};

const size_t stele_operation_count = sizeof stele_operations / sizeof stele_operations [0];

#define OP_NAME(name, route, handler) " " name
const char stele_operation_names [] = STELE_OPS (OP_NAME);
#undef OP_NAME

const stele_operation_t *
stele_operation_find (const char *name, size_t size)
{
    for (size_t i = 0; i < stele_operation_count; i++)
        if (strlen (stele_operations [i].name) == size && memcmp (stele_operations [i].name, name, size) == 0)
            return &stele_operations [i];
    return NULL;
}

//  -- open, close ---------------------------------------------------------------------

int
stele_query_open (stele_query_t *self, const stele_requests_args_t *args, stele_refusal_t *refusal)
{
    const stele_settings_t *settings = args->settings;
    *self = (stele_query_t) {
        .settings = settings,
        .ledger_id = args->ledger_id,
        .started_at_us = args->started_at_us,
        .opened_us = stele_clock_steady_us (),
        .has_cache = args->has_cache,
        .record = stele_record_new (),
        .reader = stele_reader_open (settings->ledger, refusal)
    };
    assert (self->record);
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

//  What the request has and this operation does not take: a filter that is misspelt gives more rows
//  than were asked for
static int
s_pack_ignored (const stele_params_t *params, stele_pack_t *pack)
{
    char name [80];
    stele_scan_t scan = stele_params_scan (params);
    const char *next = stele_params_ignored (params, &scan, name);
    if (!next)
        return 0;
    stele_pack_string (pack, "ignored");
    size_t mark = stele_pack_open_array (pack), count = 0;
    for (; next && count < IGNORED_MAX; next = stele_params_ignored (params, &scan, name), count++)
        stele_pack_string (pack, next);
    stele_pack_close (pack, mark, count);
    return 1;
}

static int
s_run (stele_query_t *self, const stele_operation_t *op, stele_params_t *params, stele_pack_t *pack)
{
    size_t mark = stele_answer_open (pack, self->head);
    int entries = op->handler (self, params, pack);
    if (entries >= 0)
        entries += s_pack_ignored (params, pack);
    //  What else is asked for says it itself
    if (entries >= 0 && !stele_route_informs (op->route) && stele_query_in_mode (self, "redis")) {
        stele_pack_key_string (pack, "mode", "redis");
        entries++;
    }
    if (entries >= 0)
        stele_answer_close (pack, mark, (size_t) entries);
    return entries < 0? entries: 0;
}

static int
s_run_in_snapshot (stele_query_t *self, const stele_operation_t *op, stele_params_t *params,
    stele_pack_t *pack)
{
    stele_reader_set_deadline (self->reader, self->settings->request_ms);
    int rc = stele_reader_begin (self->reader);
    if (rc)
        return stele_query_failed (self, params, rc);
    self->head = stele_reader_head (self->reader);
    if (self->head < 0)
        rc = stele_query_failed (self, params, (int) self->head);
    else
        rc = s_run (self, op, params, pack);
    stele_reader_end (self->reader);
    return rc;
}

static const stele_operation_t *
s_find_op (stele_params_t *params)
{
    stele_token_t token = stele_scan_find (params->map, params->size, "op", NULL, NULL);
    const stele_operation_t *op = NULL;
    if (token.kind == STELE_SCAN_TEXT)
        op = stele_operation_find (token.data, token.size);
    if (!op || !op->handler) {
        stele_params_fail (params, STELE_EUNKNOWN_OP, "op", "no such operation");
        return NULL;
    }
    return op;
}

void
stele_query_answer (stele_query_t *self, const void *request, size_t size, stele_pack_t *pack)
{
    stele_params_t params;
    int rc = stele_params_check (&params, request, size, ELEMENTS_MAX);
    if (rc == 0) {
        const stele_operation_t *op = s_find_op (&params);
        rc = op? s_run_in_snapshot (self, op, &params, pack): params.refusal.code;
    }
    if (rc) {
        stele_pack_clear (pack);
        stele_answer_refuse (pack, &params.refusal, stele_query_in_mode (self, "redis")? "redis": NULL);
    }
}

zframe_t *
stele_query_reply (stele_query_t *self, zframe_t *request, stele_pack_t *pack)
{
    stele_pack_clear (pack);
    stele_query_answer (self, zframe_data (request), zframe_size (request), pack);
    return zframe_new (stele_pack_data (pack), stele_pack_size (pack));
}

int
stele_query_failed (stele_query_t *self, stele_params_t *params, int code)
{
    if (code == STELE_ETIMEOUT)
        return stele_params_fail (params, code, NULL,
            "not done within %" PRId64 " ms: ask for less, or raise request-ms",
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
    stele_pack_string (pack, name);
    self->mark = stele_pack_open_array (pack);
}

int
stele_rows_add (const stele_record_t *row, void *arg)
{
    stele_rows_t *self = arg;
    size_t size = stele_pack_size (self->pack);
    stele_record_pack (row, self->pack);
    //  The first row is given whatever its size: what was published can be read
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
    stele_pack_string (self->pack, "next");
    if (cursor)
        stele_pack_integer (self->pack, cursor);
    else
        stele_pack_nil (self->pack);
}
