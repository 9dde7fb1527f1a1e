/*  shared_log - the head of the log, and its readers

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include "base/memory.h"
#include "log/shared_log_internal.h"

#define SCHEME "postgres:"
#define UNDEFINED_TABLE "42P01"     // SQLSTATE
#define PAGE_BATCHES "256"
#define PAGE_BYTES "8000000"

static const stele_statement_t s_head = { "head", "SELECT " STELE_HEAD_COLUMNS " FROM stele_heads WHERE name = $1" };

static const stele_statement_t s_page = { "page",
    "SELECT number, first, last, epoch, time, format, hash, batch FROM ("
        "SELECT *, sum (octet_length (batch)) OVER (ORDER BY number) - octet_length (batch) AS before FROM ("
            "SELECT * FROM stele_log WHERE ledger = $1::text::uuid AND number > $2 AND number <= $3"
            " ORDER BY number LIMIT " PAGE_BATCHES ") AS page) AS sized"
    " WHERE before < " PAGE_BYTES " ORDER BY number" };

static const stele_statement_t s_oldest = { "oldest", "SELECT min (number) FROM stele_log WHERE ledger = $1::text::uuid" };

static bool
s_is_name (const char *name)
{
    return *name && strlen (name) <= STELE_NODE_NAME_MAX
        && strspn (name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == strlen (name);
}

static char *
s_copy (const char *text)
{
    return stele_memory_copy (text, strlen (text));
}

stele_shared_log_t *
stele_shared_log_new (const stele_shared_log_options_t *options, stele_refusal_t *refusal)
{
    const char *const fields [] = { "shared-log-name", options->name, "node", options->node };
    for (size_t i = 0; i < 4; i += 2)
        if (!s_is_name (fields [i + 1])) {
            stele_refuse (refusal, STELE_EINVALID_FIELD, fields [i], "'%.80s' is not a name: use 1 to %d letters, digits, and -_.",
                fields [i + 1], STELE_NODE_NAME_MAX);
            return NULL;
        }
    if (strncmp (options->url, SCHEME, strlen (SCHEME))) {
        stele_refuse (refusal, STELE_EINVALID_FIELD, "shared-log", "shared-log takes none or postgres:CONNINFO, where CONNINFO "
            "is a connection string of PostgreSQL, such as host=db1,db2 dbname=stele");
        return NULL;
    }
    if (strlen (options->endpoints) > STELE_NODE_ENDPOINTS_MAX) {
        stele_refuse (refusal, STELE_EINVALID_FIELD, "advertise", "the endpoints have more than %d bytes", STELE_NODE_ENDPOINTS_MAX);
        return NULL;
    }
    stele_shared_log_t *self = STELE_NEW (stele_shared_log_t);
    self->options = *options;
    self->name = s_copy (options->name);
    self->node = s_copy (options->node);
    self->endpoints = s_copy (options->endpoints);
    unsigned char random [16];
    if (getrandom (random, sizeof random, 0) != sizeof random)
        memset (random, 0, sizeof random);  // Never for so few bytes
    for (size_t i = 0; i < sizeof random; i++)
        snprintf (self->instance + 2 * i, 3, "%02x", random [i]);
    char application [sizeof "steled " + STELE_NODE_NAME_MAX];
    snprintf (application, sizeof application, "steled %s", options->node);
    self->postgres = stele_postgres_new (options->url + strlen (SCHEME), application, options->timeout_ms);
    return self;
}

void
stele_shared_log_destroy (stele_shared_log_t **self_p)
{
    assert (self_p);
    stele_shared_log_t *self = *self_p;
    if (!self)
        return;
    stele_postgres_destroy (&self->postgres);
    free (self->name);
    free (self->node);
    free (self->endpoints);
    free (self);
    *self_p = NULL;
}

const char *
stele_shared_log_error (const stele_shared_log_t *self)
{
    return *self->error? self->error: stele_postgres_error (self->postgres);
}

int
stele_shared_log_fail (stele_shared_log_t *self, int code, const char *text)
{
    snprintf (self->error, sizeof self->error, "%s", text);
    return code;
}

int
stele_shared_log_connect (stele_shared_log_t *self)
{
    *self->error = 0;
    int rc = stele_postgres_connect (self->postgres);
    if (rc == 1) {
        //  Another session: the lock is not held any more, and it has to listen again. It may be that of another server,
        //  of which nothing is known to be safe yet: a primary that was replaced, and came back.
        self->listening = false;
        self->safe = 0;
        stele_shared_log_deposed (self);
    }
    if (rc >= 0)
        rc = stele_shared_log_settle (self);
    return rc < 0? rc: 0;
}

//  -- the head ----------------------------------------------------------------------------

void
stele_shared_log_take_head (const PGresult *result, stele_log_head_t *head)
{
    *head = (stele_log_head_t) { .silent_ms = stele_postgres_integer (result, 0, 8) };
    stele_postgres_text (result, 0, 0, head->ledger_id, sizeof head->ledger_id);
    head->end.epoch = stele_postgres_integer (result, 0, 1);
    head->end.number = stele_postgres_integer (result, 0, 2);
    head->end.position = stele_postgres_integer (result, 0, 3);
    if (PQgetlength (result, 0, 4) == STELE_BATCH_HASH)
        memcpy (head->end.hash, PQgetvalue (result, 0, 4), STELE_BATCH_HASH);
    head->safe = stele_postgres_integer (result, 0, 5);
    stele_postgres_text (result, 0, 6, head->writer, sizeof head->writer);
    stele_postgres_text (result, 0, 7, head->endpoints, sizeof head->endpoints);
    head->expired = stele_postgres_bool (result, 0, 9);
}

//  Listen for announcements. A standby has none: its head is read instead.
static void
s_listen (stele_shared_log_t *self)
{
    if (self->listening || self->leads)
        return;
    self->listening = true;
    char statement [sizeof "LISTEN \"stele_\"" + STELE_NODE_NAME_MAX];
    snprintf (statement, sizeof statement, "LISTEN \"" STELE_LOG_CHANNEL "%s\"", self->name);
    stele_postgres_run_all (self->postgres, statement);
}

int
stele_shared_log_head (stele_shared_log_t *self, stele_log_head_t *head)
{
    if (stele_shared_log_connect (self))
        return STELE_EUNAVAILABLE;
    //  Before the head is read: what is announced later arrives
    s_listen (self);
    stele_parameters_t parameters = { 0 };
    stele_parameters_text (&parameters, self->name);
    PGresult *result = stele_postgres_run (self->postgres, &s_head, &parameters);
    if (!result)
        return strcmp (stele_postgres_state (self->postgres), UNDEFINED_TABLE)? STELE_EUNAVAILABLE: 0;
    int found = PQntuples (result) == 1;
    if (found) {
        stele_shared_log_take_head (result, head);
        snprintf (self->ledger_id, sizeof self->ledger_id, "%s", head->ledger_id);
        if (head->safe > self->safe)
            self->safe = head->safe;
    }
    PQclear (result);
    return found;
}

//  -- readers -----------------------------------------------------------------------------

int64_t
stele_shared_log_safe (stele_shared_log_t *self)
{
    int64_t number = 0;
    while (stele_postgres_notified (self->postgres, &number))
        if (number > self->safe)
            self->safe = number;
    return self->safe;
}

int
stele_shared_log_fd (const stele_shared_log_t *self)
{
    return stele_postgres_fd (self->postgres);
}

static int
s_take_batch (const PGresult *result, int row, stele_batch_t *batch, int64_t after, stele_refusal_t *refusal)
{
    *batch = (stele_batch_t) {
        .number = stele_postgres_integer (result, row, 0), .first = stele_postgres_integer (result, row, 1),
        .last = stele_postgres_integer (result, row, 2), .epoch = stele_postgres_integer (result, row, 3),
        .time_us = stele_postgres_integer (result, row, 4), .format = (int32_t) stele_postgres_integer (result, row, 5),
        .data = PQgetvalue (result, row, 7), .size = (size_t) PQgetlength (result, row, 7)
    };
    if (PQgetlength (result, row, 6) != STELE_BATCH_HASH)
        return stele_refuse (refusal, STELE_ELEDGER, "shared-log", "batch %" PRId64 " of the log, after batch %" PRId64
            ", has no SHA-256", batch->number, after);
    memcpy (batch->hash, PQgetvalue (result, row, 6), STELE_BATCH_HASH);
    return 0;
}

//  The first batch after *end is not there: were older ones removed, or is it missing?
static int
s_missing (stele_shared_log_t *self, const stele_batch_end_t *end, stele_refusal_t *refusal)
{
    stele_parameters_t parameters = { 0 };
    stele_parameters_text (&parameters, self->ledger_id);
    PGresult *result = stele_postgres_run (self->postgres, &s_oldest, &parameters);
    if (!result)
        return STELE_EUNAVAILABLE;
    int64_t oldest = stele_postgres_integer (result, 0, 0);
    PQclear (result);
    if (oldest > end->number + 1)
        return stele_refuse (refusal, STELE_EBEHIND, "shared-log", "the log begins with batch %" PRId64 ", this node has batches up to "
            "%" PRId64 ": start it from a snapshot", oldest, end->number);
    return stele_refuse (refusal, STELE_ELEDGER, "shared-log", "batch %" PRId64 " is missing in the log: restore the log, or start "
        "this node from a snapshot", end->number + 1);
}

struct stele_log_page {
    PGresult *result;
    int row;                        // The next one
};

int
stele_shared_log_fetch (stele_shared_log_t *self, const stele_batch_end_t *end, int64_t upto, stele_log_page_t **page,
    stele_refusal_t *refusal)
{
    *self->error = 0;
    //  'upto' is safe on this server, perhaps not on the one of another connection
    if (!stele_postgres_connected (self->postgres) || stele_shared_log_settle (self))
        return STELE_EUNAVAILABLE;
    stele_parameters_t parameters = { 0 };
    stele_parameters_text (&parameters, self->ledger_id);
    stele_parameters_integer (&parameters, end->number);
    stele_parameters_integer (&parameters, upto);
    PGresult *result = stele_postgres_run (self->postgres, &s_page, &parameters);
    if (!result)
        return STELE_EUNAVAILABLE;
    if (PQntuples (result) == 0 || stele_postgres_integer (result, 0, 0) != end->number + 1) {
        PQclear (result);
        return s_missing (self, end, refusal);
    }
    *page = STELE_NEW (stele_log_page_t);
    (*page)->result = result;
    return 0;
}

int
stele_log_page_next (stele_log_page_t *self, const stele_batch_end_t *end, stele_batch_t *batch, stele_refusal_t *refusal)
{
    if (self->row == PQntuples (self->result))
        return 0;
    int code = s_take_batch (self->result, self->row, batch, end->number, refusal);
    if (code == 0)
        code = stele_batch_check (batch, end, refusal);
    self->row++;
    return code? code: 1;
}

int64_t
stele_log_page_last (const stele_log_page_t *self)
{
    return stele_postgres_integer (self->result, PQntuples (self->result) - 1, 0);
}

void
stele_log_page_destroy (stele_log_page_t **self_p)
{
    assert (self_p);
    if (*self_p)
        PQclear ((*self_p)->result);
    free (*self_p);
    *self_p = NULL;
}

int
stele_shared_log_read (stele_shared_log_t *self, stele_batch_end_t *end, int64_t upto,
    stele_shared_log_fn *fn, void *arg, stele_refusal_t *refusal)
{
    int code = 0;
    *self->error = 0;
    while (code == 0 && end->number < upto) {
        stele_log_page_t *page = NULL;
        stele_batch_t batch;
        code = stele_shared_log_fetch (self, end, upto, &page, refusal);
        while (code == 0 && (code = stele_log_page_next (page, end, &batch, refusal)) == 1) {
            code = fn (&batch, arg);
            if (code == 0)
                stele_batch_advance (&batch, end);
        }
        stele_log_page_destroy (&page);
    }
    return code;
}
