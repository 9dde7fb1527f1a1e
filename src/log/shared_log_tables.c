/*  shared_log_tables - the tables of the log

    stele_heads     one row per log: its end, its writer. The only row that changes
    stele_log       the batches: partitions per ledger, and in them of STELE_LOG_PARTITION numbers, so that old batches
                    are removed by dropping a table
    stele_nodes     one row per node, which it writes once a second

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "log/shared_log_internal.h"

#define AHEAD 2                     // Partitions that are there before they are needed

//  One transaction at a time creates tables: CREATE IF NOT EXISTS alone fails if two do
#define ALONE "SELECT pg_advisory_xact_lock (hashtextextended ('stele tables', 0)); "

//  Bytes are not compressed again: they are zstd frames. Few of them change in the row of the head.
static const char s_tables [] = ALONE
    "CREATE TABLE IF NOT EXISTS stele_heads (ledger uuid PRIMARY KEY, name text NOT NULL UNIQUE, "
        "epoch bigint NOT NULL, number bigint NOT NULL, position bigint NOT NULL, hash bytea NOT NULL, "
        "safe bigint NOT NULL, format int NOT NULL, writer text NOT NULL, instance text NOT NULL, endpoints text NOT NULL, "
        "locked boolean NOT NULL, seen timestamptz NOT NULL, lease_ms bigint NOT NULL) WITH (fillfactor = 10); "
    "CREATE TABLE IF NOT EXISTS stele_log (ledger uuid NOT NULL, number bigint NOT NULL, first bigint NOT NULL, "
        "last bigint NOT NULL, epoch bigint NOT NULL, time bigint NOT NULL, format int NOT NULL, hash bytea NOT NULL, "
        "batch bytea NOT NULL, PRIMARY KEY (ledger, number)) PARTITION BY LIST (ledger); "
    "CREATE TABLE IF NOT EXISTS stele_nodes (ledger uuid NOT NULL, node text NOT NULL, role text NOT NULL, endpoints text NOT NULL, "
        "version text NOT NULL, epoch bigint NOT NULL, number bigint NOT NULL, position bigint NOT NULL, format int NOT NULL, "
        "seen timestamptz NOT NULL, PRIMARY KEY (ledger, node)) WITH (fillfactor = 10); "
    "ALTER TABLE stele_log ALTER COLUMN batch SET STORAGE EXTERNAL";

static const stele_statement_t s_found = { "found",
    "INSERT INTO stele_heads (ledger, name, epoch, number, position, hash, safe, format, writer, instance, endpoints, locked, seen, lease_ms)"
    " VALUES ($1::text::uuid, $2, 0, 0, $3, $4, 0, $5, '', '', '', false, to_timestamp (0), $6) ON CONFLICT DO NOTHING" };

void
stele_shared_log_table_name (const char *ledger_id, char *name, size_t size)
{
    size_t used = (size_t) snprintf (name, size, "stele_log_");
    for (; *ledger_id && used + 1 < size; ledger_id++)
        if (*ledger_id != '-')
            name [used++] = *ledger_id;
    name [used] = 0;
}

static int
s_create_tables (stele_shared_log_t *self, const char *ledger_id)
{
    char table [64], statements [300];
    stele_shared_log_table_name (ledger_id, table, sizeof table);
    snprintf (statements, sizeof statements, ALONE "CREATE TABLE IF NOT EXISTS %s PARTITION OF stele_log "
        "FOR VALUES IN ('%s') PARTITION BY RANGE (number)", table, ledger_id);
    bool made = stele_postgres_run_all (self->postgres, s_tables) && stele_postgres_run_all (self->postgres, statements);
    return made? 0: STELE_EUNAVAILABLE;
}

int
stele_shared_log_create (stele_shared_log_t *self, const char *ledger_id, int64_t position)
{
    if (stele_shared_log_connect (self) || s_create_tables (self, ledger_id))
        return STELE_EUNAVAILABLE;
    stele_batch_end_t start;
    stele_batch_start (&start, ledger_id, position);
    stele_parameters_t parameters = { 0 };
    stele_parameters_text (&parameters, ledger_id);
    stele_parameters_text (&parameters, self->name);
    stele_parameters_integer (&parameters, position);
    stele_parameters_bytes (&parameters, start.hash, sizeof start.hash);
    stele_parameters_integer (&parameters, STELE_BATCH_FORMAT);
    stele_parameters_integer (&parameters, self->options.lease_ms);
    PGresult *result = stele_postgres_run (self->postgres, &s_found, &parameters);
    if (!result)
        return STELE_EUNAVAILABLE;
    PQclear (result);
    stele_log_head_t head;
    int found = stele_shared_log_head (self, &head);
    if (found < 0)
        return found;
    if (found && strcmp (head.ledger_id, ledger_id) == 0)
        return 0;
    char text [300];
    snprintf (text, sizeof text, found? "the log '%s' is that of ledger %s, not of ledger %s: use another name (shared-log-name)":
        "the ledger %.0s%s has a log of another name in this database, not '%s'", found? self->name: "",
        found? head.ledger_id: ledger_id, found? ledger_id: self->name);
    return stele_shared_log_fail (self, STELE_ELEDGER, text);
}

bool
stele_shared_log_has_room (const stele_shared_log_t *self, int64_t number)
{
    return self->partition >= number / STELE_LOG_PARTITION + AHEAD;
}

int
stele_shared_log_make_room (stele_shared_log_t *self, int64_t number)
{
    int64_t wanted = number / STELE_LOG_PARTITION + AHEAD;
    char table [64], statements [800];
    if (stele_shared_log_has_room (self, number))
        return 0;
    stele_shared_log_table_name (self->ledger_id, table, sizeof table);
    if (self->partition < number / STELE_LOG_PARTITION)
        self->partition = number / STELE_LOG_PARTITION;
    for (; self->partition < wanted; self->partition++) {
        char part [96];
        snprintf (part, sizeof part, "%s_%" PRId64, table, self->partition);
        //  A later append is synchronous, and makes it durable too. To attach does not wait for those who read the log, such as
        //  pg_dump, as CREATE TABLE ... PARTITION OF does.
        snprintf (statements, sizeof statements, "SELECT set_config ('synchronous_commit', 'off', true); "
            "DO $$ BEGIN IF to_regclass ('%s') IS NULL THEN CREATE TABLE %s (LIKE %s INCLUDING STORAGE); "
            "ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM (%" PRId64 ") TO (%" PRId64 "); END IF; END $$",
            part, part, table, table, part, self->partition * STELE_LOG_PARTITION, (self->partition + 1) * STELE_LOG_PARTITION);
        if (!stele_postgres_run_all (self->postgres, statements))
            return STELE_EUNAVAILABLE;
    }
    return 0;
}
