/*  shared_log_nodes - the nodes of a log: what each has, and when it was last seen

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "log/shared_log_internal.h"
#include "stele_library.h"

#define AS_TEXT(number) AS_TEXT_ (number)
#define AS_TEXT_(number) #number

#define NODES \
    "SELECT n.node, n.role, n.endpoints, n.version, n.epoch, n.number, n.position, n.format, " \
    "(extract (epoch FROM clock_timestamp () - n.seen) * 1000)::bigint" \
    " FROM stele_nodes n JOIN stele_heads h ON h.ledger = n.ledger"

static const stele_statement_t s_list = { "nodes",
    NODES " WHERE h.name = $1 ORDER BY n.node LIMIT " AS_TEXT (STELE_LOG_NODES) };

//  The list is that before the note. The row need not reach a standby: it is written again soon.
static const stele_statement_t s_note = { "note",
    "WITH noted AS (INSERT INTO stele_nodes (ledger, node, role, endpoints, version, epoch, number, position, format, seen)"
        " SELECT ledger, $2, $3, $4, $5, $6::bigint, $7::bigint, $8::bigint, $9::int, clock_timestamp () FROM stele_heads WHERE name = $1"
        " ON CONFLICT (ledger, node) DO UPDATE SET role = $3, endpoints = $4, version = $5, epoch = $6::bigint, number = $7::bigint,"
        " position = $8::bigint, format = $9::int, seen = clock_timestamp ()"
        " RETURNING set_config ('synchronous_commit', 'off', true)) "
    NODES ", (SELECT count (*) FROM noted) AS done WHERE h.name = $1 ORDER BY n.node LIMIT " AS_TEXT (STELE_LOG_NODES) };

static int
s_take (PGresult *result, stele_log_node_t *nodes)
{
    int count = PQntuples (result);
    for (int row = 0; row < count; row++) {
        stele_log_node_t *node = &nodes [row];
        stele_postgres_text (result, row, 0, node->name, sizeof node->name);
        stele_postgres_text (result, row, 1, node->role, sizeof node->role);
        stele_postgres_text (result, row, 2, node->endpoints, sizeof node->endpoints);
        stele_postgres_text (result, row, 3, node->version, sizeof node->version);
        node->epoch = stele_postgres_integer (result, row, 4);
        node->number = stele_postgres_integer (result, row, 5);
        node->position = stele_postgres_integer (result, row, 6);
        node->format = stele_postgres_integer (result, row, 7);
        node->silent_ms = stele_postgres_integer (result, row, 8);
    }
    PQclear (result);
    return count;
}

int
stele_shared_log_nodes (stele_shared_log_t *self, stele_log_node_t *nodes)
{
    if (stele_shared_log_connect (self))
        return STELE_EUNAVAILABLE;
    stele_parameters_t parameters = { 0 };
    stele_parameters_text (&parameters, self->name);
    PGresult *result = stele_postgres_run (self->postgres, &s_list, &parameters);
    return result? s_take (result, nodes): STELE_EUNAVAILABLE;
}

int
stele_shared_log_note (stele_shared_log_t *self, const char *role, const stele_batch_end_t *end, stele_log_node_t *nodes)
{
    if (!stele_postgres_connected (self->postgres) || self->outstanding || stele_shared_log_settle (self))
        return STELE_EUNAVAILABLE;
    stele_parameters_t parameters = { 0 };
    stele_parameters_text (&parameters, self->name);
    stele_parameters_text (&parameters, self->node);
    stele_parameters_text (&parameters, role);
    stele_parameters_text (&parameters, self->endpoints);
    stele_parameters_text (&parameters, STELE_VERSION);
    stele_parameters_integer (&parameters, end->epoch);
    stele_parameters_integer (&parameters, end->number);
    stele_parameters_integer (&parameters, end->position);
    stele_parameters_integer (&parameters, STELE_BATCH_FORMAT);
    PGresult *result = stele_postgres_run (self->postgres, &s_note, &parameters);
    return result? s_take (result, nodes): STELE_EUNAVAILABLE;
}

const char *
stele_shared_log_node (const stele_shared_log_t *self)
{
    return self->node;
}
