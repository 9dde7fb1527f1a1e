/*  shared_log_trim - the ends of the log: remove old batches, continue after lost ones

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "log/shared_log_internal.h"

static const stele_statement_t s_first = { "first",
    "SELECT number, first, last, epoch, hash FROM stele_log WHERE ledger = $1::text::uuid ORDER BY number LIMIT 1" };

//  Without the batch that has the position: those after it may have none, and still be later
static const stele_statement_t s_before = { "before",
    "SELECT number FROM stele_log WHERE ledger = $1::text::uuid AND last < $2 ORDER BY number DESC LIMIT 1" };

static const stele_statement_t s_remove = { "remove", "DELETE FROM stele_log WHERE ledger = $1::text::uuid AND number <= $2" };

static const stele_statement_t s_forget = { "forget",
    "DELETE FROM stele_nodes WHERE ledger = $1::text::uuid AND seen < clock_timestamp () - interval '" STELE_NODE_GONE_S "s'" };

static const stele_statement_t s_event = { "event",
    "SELECT last, time FROM stele_log WHERE ledger = $1::text::uuid AND last >= first ORDER BY number DESC LIMIT 1" };

static const stele_statement_t s_heal = { "heal",
    "UPDATE stele_heads SET epoch = greatest (epoch, $2) + 1, number = $3, position = $4, hash = $5, safe = $3, writer = '', instance = '',"
    " endpoints = '', locked = false, seen = to_timestamp (0)"
    " WHERE name = $1 AND (number < $3 OR (number = $3 AND hash = $5)) AND seen < clock_timestamp () - lease_ms * interval '1 ms' RETURNING number" };

//  A text parameter, and a number unless it is -1
static PGresult *
s_run (stele_shared_log_t *self, const stele_statement_t *statement, int64_t number)
{
    stele_parameters_t parameters = { 0 };
    stele_parameters_text (&parameters, self->ledger_id);
    if (number >= 0)
        stele_parameters_integer (&parameters, number);
    return stele_postgres_run (self->postgres, statement, &parameters);
}

int
stele_shared_log_oldest (stele_shared_log_t *self, stele_batch_end_t *end)
{
    PGresult *result = s_run (self, &s_first, -1);
    if (!result)
        return STELE_EUNAVAILABLE;
    int found = PQntuples (result);
    if (found && stele_postgres_integer (result, 0, 0) == 1)
        stele_batch_start (end, self->ledger_id, stele_postgres_integer (result, 0, 1) - 1);
    else
    if (found) {
        *end = (stele_batch_end_t) { .number = stele_postgres_integer (result, 0, 0), .position = stele_postgres_integer (result, 0, 2),
            .epoch = stele_postgres_integer (result, 0, 3) };
        if (PQgetlength (result, 0, 4) == STELE_BATCH_HASH)
            memcpy (end->hash, PQgetvalue (result, 0, 4), STELE_BATCH_HASH);
    }
    PQclear (result);
    return found;
}

int64_t
stele_shared_log_before (stele_shared_log_t *self, int64_t position)
{
    PGresult *result = s_run (self, &s_before, position);
    if (!result)
        return STELE_EUNAVAILABLE;
    int64_t number = PQntuples (result)? stele_postgres_integer (result, 0, 0): 0;
    PQclear (result);
    return number;
}

//  Drop the partitions that have only batches from 'number' up to 'upto'. Nothing appends while a drop waits for a
//  reader, so it does not wait for long.
static int
s_drop (stele_shared_log_t *self, int64_t number, int64_t upto)
{
    char table [64], statements [300];
    stele_shared_log_table_name (self->ledger_id, table, sizeof table);
    for (int64_t i = number / STELE_LOG_PARTITION; (i + 1) * STELE_LOG_PARTITION - 1 <= upto; i++) {
        snprintf (statements, sizeof statements, "SELECT set_config ('lock_timeout', '1000', true); DROP TABLE IF EXISTS %s_%" PRId64,
            table, i);
        if (!stele_postgres_run_all (self->postgres, statements))
            return STELE_EUNAVAILABLE;
    }
    return 0;
}

int64_t
stele_shared_log_trim (stele_shared_log_t *self, int64_t upto)
{
    stele_batch_end_t oldest;
    int found = stele_shared_log_oldest (self, &oldest);
    if (found <= 0)
        return found;
    int64_t number = oldest.number? oldest.number: 1;
    if (number > upto)
        return 0;
    if (s_drop (self, number, upto))
        return STELE_EUNAVAILABLE;
    PGresult *result = s_run (self, &s_remove, upto);
    if (!result)
        return STELE_EUNAVAILABLE;
    PQclear (result);
    PQclear (s_run (self, &s_forget, -1));
    return upto - number + 1;
}

//  --------------------------------------------------------------------------------------------

int
stele_shared_log_last_event (stele_shared_log_t *self, int64_t *position, int64_t *time_us)
{
    PGresult *result = s_run (self, &s_event, -1);
    if (!result)
        return STELE_EUNAVAILABLE;
    int found = PQntuples (result);
    if (found) {
        *position = stele_postgres_integer (result, 0, 0);
        *time_us = stele_postgres_integer (result, 0, 1);
    }
    PQclear (result);
    return found;
}

int
stele_shared_log_heal (stele_shared_log_t *self, const stele_batch_end_t *end)
{
    stele_parameters_t parameters = { 0 };
    stele_parameters_text (&parameters, self->name);
    stele_parameters_integer (&parameters, end->epoch);
    stele_parameters_integer (&parameters, end->number);
    stele_parameters_integer (&parameters, end->position);
    stele_parameters_bytes (&parameters, end->hash, sizeof end->hash);
    PGresult *result = stele_postgres_run (self->postgres, &s_heal, &parameters);
    if (!result)
        return STELE_EUNAVAILABLE;
    int healed = PQntuples (result);
    PQclear (result);
    return healed && stele_shared_log_trim (self, end->number) < 0? STELE_EUNAVAILABLE: healed;
}
