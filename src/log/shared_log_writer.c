/*  shared_log_writer - lead, append, renew, resign

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "log/shared_log_internal.h"

//  The writer holds it as long as its session lasts: another node that gets it need not wait for the lease
#define LOCK "pg_try_advisory_lock (hashtextextended ('stele ' || $1::text, 0))"

//  For statements that need not reach a standby: the setting holds for their transaction
#define UNSYNCED "set_config ('synchronous_commit', 'off', true)"

//  A session whose client gave up waits on for a lock, while an append waits for its standby: without the limit, each attempt
//  to lead leaves one, until PostgreSQL has no connections left. It ends no wait for a standby.
static const stele_statement_t s_conditions = { "conditions",
    "SELECT pg_is_in_recovery (), current_setting ('synchronous_commit'), current_setting ('synchronous_standby_names'), "
    "current_setting ('fsync'), set_config ('lock_timeout', $1, false)" };

static const stele_statement_t s_lock = { "lock", "SELECT " LOCK };
static const stele_statement_t s_unlock = { "unlock", "SELECT pg_advisory_unlock_all ()" };

static const stele_statement_t s_lead = { "lead",
    "UPDATE stele_heads SET epoch = epoch + 1, writer = $2, instance = $6, endpoints = $3, lease_ms = $4, locked = $5, seen = clock_timestamp ()"
    " WHERE name = $1 AND (instance = $6 OR (locked AND $5) OR seen < clock_timestamp () - lease_ms * interval '1 ms')"
    " RETURNING " STELE_HEAD_COLUMNS };

//  One statement checks the epoch and the end of the log, and appends. The batches before it are confirmed, so safe.
static const stele_statement_t s_append = { "append",
    "WITH head AS (UPDATE stele_heads SET number = $3, position = $5, hash = $8, safe = $3 - 1, seen = clock_timestamp ()"
        " WHERE ledger = $1::text::uuid AND epoch = $2 AND number = $3 - 1 AND hash = $10"
        " AND ($11 OR (current_setting ('synchronous_standby_names') <> '' AND current_setting ('synchronous_commit') IN ('on', 'remote_apply')"
        " AND current_setting ('fsync') = 'on')) RETURNING 1)"
    " INSERT INTO stele_log (ledger, number, first, last, epoch, time, format, hash, batch)"
    " SELECT $1::text::uuid, $3, $4::bigint, $5, $2, $6::bigint, $7::int, $8, $9::bytea FROM head" };

static const stele_statement_t s_renew = { "renew",
    "UPDATE stele_heads SET seen = clock_timestamp (), safe = $3, locked = locked OR " LOCK
    " WHERE name = $1 AND epoch = $2 RETURNING " UNSYNCED };

//  The lock goes with it: a node that leads then has to hold it, or its end is noticed by its lease only
static const stele_statement_t s_resign = { "resign",
    "UPDATE stele_heads SET seen = to_timestamp (0), safe = $3, writer = '', instance = '', endpoints = ''"
    " WHERE name = $1 AND epoch = $2 RETURNING " UNSYNCED ", pg_advisory_unlock_all ()" };

//  Readers that listen get the number at once, others find it in the head
static const stele_statement_t s_announce = { "announce",
    "UPDATE stele_heads SET safe = $3, seen = clock_timestamp () WHERE name = $1 AND epoch = $2"
    " RETURNING pg_notify ('" STELE_LOG_CHANNEL "' || $1, safe::text), " UNSYNCED };

bool
stele_shared_log_leads (const stele_shared_log_t *self)
{
    return self->leads && stele_postgres_connected (self->postgres);
}

bool
stele_shared_log_replicated (const stele_shared_log_t *self)
{
    return self->replicated;
}

void
stele_shared_log_deposed (stele_shared_log_t *self)
{
    self->leads = false;
    self->outstanding = NULL;
    self->announcing = false;
}

//  In doubt: nothing that this connection still does concerns this node
static int
s_doubt (stele_shared_log_t *self)
{
    stele_postgres_drop (self->postgres);
    stele_shared_log_deposed (self);
    return STELE_EUNAVAILABLE;
}

//  1, 0: not yet, or STELE_EUNAVAILABLE
static int
s_settle (stele_shared_log_t *self, int64_t wait_ms)
{
    PGresult *result;
    int rc = self->announcing? stele_postgres_result (self->postgres, wait_ms, &result): 1;
    if (rc < 0)
        return s_doubt (self);
    if (rc == 1 && self->announcing)
        PQclear (result);
    self->announcing = self->announcing && rc == 0;
    return rc;
}

int
stele_shared_log_settle (stele_shared_log_t *self)
{
    return s_settle (self, INT64_MAX) < 0? STELE_EUNAVAILABLE: 0;
}

bool
stele_shared_log_settled (stele_shared_log_t *self, int64_t wait_ms)
{
    return stele_shared_log_has_room (self, self->end.number) && s_settle (self, wait_ms) != 0;
}

//  -- lead --------------------------------------------------------------------------------

//  Does an ack of an append hold if the primary is lost? 0 or a code.
static int
s_check_conditions (stele_shared_log_t *self)
{
    stele_parameters_t parameters = { 0 };
    char commit [32], standbys [128], sync [8], text [500], limit [24];
    //  It counts for each lock, and to lead may wait for two
    snprintf (limit, sizeof limit, "%" PRId64, self->options.timeout_ms / 3 + 1);
    stele_parameters_text (&parameters, limit);
    PGresult *result = stele_postgres_run (self->postgres, &s_conditions, &parameters);
    if (!result)
        return s_doubt (self);
    bool standby = stele_postgres_bool (result, 0, 0);
    stele_postgres_text (result, 0, 1, commit, sizeof commit);
    stele_postgres_text (result, 0, 2, standbys, sizeof standbys);
    stele_postgres_text (result, 0, 3, sync, sizeof sync);
    PQclear (result);
    if (standby)
        return stele_shared_log_fail (self, STELE_EUNAVAILABLE, "this PostgreSQL is a standby, which takes no appends");
    bool on = strcmp (commit, "on") == 0 || strcmp (commit, "remote_apply") == 0;
    self->replicated = on && *standbys && strcmp (sync, "on") == 0;
    if (self->options.unreplicated || self->replicated)
        return 0;
    snprintf (text, sizeof text, "commits of this PostgreSQL are not synchronous (synchronous_commit = %s, "
        "synchronous_standby_names = '%s', fsync = %s): set them to on, a standby, and on; or, where an ack may be lost with "
        "the primary, set shared-log-unreplicated = yes", commit, standbys, sync);
    return stele_shared_log_fail (self, STELE_EUNAUTHORIZED, text);
}

//  Try to hold the lock of the writer. 1, 0 or STELE_EUNAVAILABLE.
static int
s_try_lock (stele_shared_log_t *self)
{
    stele_parameters_t parameters = { 0 };
    stele_parameters_text (&parameters, self->name);
    PGresult *result = stele_postgres_run (self->postgres, &s_lock, &parameters);
    if (!result)
        return s_doubt (self);
    int locked = stele_postgres_bool (result, 0, 0);
    PQclear (result);
    return locked;
}

//  Raise the epoch. Only when this has returned 1 is all of the log known to be on the standby.
static int
s_take_over (stele_shared_log_t *self, bool locked, stele_log_head_t *head)
{
    stele_parameters_t parameters = { 0 };
    PGresult *result;
    stele_parameters_text (&parameters, self->name);
    stele_parameters_text (&parameters, self->node);
    stele_parameters_text (&parameters, self->endpoints);
    stele_parameters_integer (&parameters, self->options.lease_ms);
    stele_parameters_bool (&parameters, locked);
    stele_parameters_text (&parameters, self->instance);
    if (!stele_postgres_send (self->postgres, &s_lead, &parameters)
    ||  stele_postgres_result (self->postgres, INT64_MAX, &result) < 0)
        return s_doubt (self);
    int leads = PQntuples (result) == 1;
    if (leads)
        stele_shared_log_take_head (result, head);
    PQclear (result);
    return leads;
}

//  Another node leads, as *head has it. Its lock is released, if it was free for a moment.
static int
s_stand_back (stele_shared_log_t *self, bool locked, stele_log_head_t *head)
{
    static const stele_parameters_t none = { 0 };
    PGresult *result = locked? stele_postgres_run (self->postgres, &s_unlock, &none): NULL;
    if (locked && !result)
        return s_doubt (self);
    PQclear (result);
    int found = stele_shared_log_head (self, head);
    if (found == 0)
        return stele_shared_log_fail (self, STELE_ENOT_FOUND, "there is no log of that name in this database");
    return found < 0? found: 0;
}

int
stele_shared_log_lead (stele_shared_log_t *self, stele_log_head_t *head)
{
    int code = stele_shared_log_connect (self);
    if (code == 0)
        code = s_check_conditions (self);
    if (code)
        return code;
    stele_shared_log_deposed (self);
    int locked = s_try_lock (self);
    int leads = locked < 0? locked: s_take_over (self, locked, head);
    if (leads < 0)
        return leads;
    if (leads == 0)
        return s_stand_back (self, locked, head);
    snprintf (self->ledger_id, sizeof self->ledger_id, "%s", head->ledger_id);
    self->end = head->end;
    self->safe = head->safe = head->end.number;
    self->announced = 0;
    self->leads = true;
    //  What was created without a standby may be lost with a primary
    self->partition = 0;
    if (stele_shared_log_make_room (self, self->end.number) || !stele_postgres_prepare (self->postgres, &s_append)
    ||  !stele_postgres_prepare (self->postgres, &s_announce))
        return s_doubt (self);
    stele_shared_log_announce (self);
    return self->leads? 1: STELE_EUNAVAILABLE;
}

//  -- append ------------------------------------------------------------------------------

int
stele_shared_log_send (stele_shared_log_t *self, stele_batch_t *batch)
{
    if (!self->leads || self->outstanding)
        return stele_shared_log_fail (self, STELE_EFENCED, "this node does not lead");
    if (stele_shared_log_settle (self))
        return STELE_EUNAVAILABLE;
    //  A writer that appends all the time does not renew
    if (stele_shared_log_make_room (self, self->end.number))
        return s_doubt (self);
    batch->epoch = self->end.epoch;
    stele_batch_seal (batch, &self->end);
    stele_parameters_t parameters = { 0 };
    stele_parameters_text (&parameters, self->ledger_id);
    stele_parameters_integer (&parameters, batch->epoch);
    stele_parameters_integer (&parameters, batch->number);
    stele_parameters_integer (&parameters, batch->first);
    stele_parameters_integer (&parameters, batch->last);
    stele_parameters_integer (&parameters, batch->time_us);
    stele_parameters_integer (&parameters, batch->format);
    stele_parameters_bytes (&parameters, batch->hash, sizeof batch->hash);
    stele_parameters_bytes (&parameters, batch->data, batch->size);
    stele_parameters_bytes (&parameters, self->end.hash, sizeof self->end.hash);
    stele_parameters_bool (&parameters, self->options.unreplicated);
    if (!stele_postgres_send (self->postgres, &s_append, &parameters))
        return s_doubt (self);
    self->outstanding = batch;
    return 0;
}

//  The append found no row to change: does another node lead, or are commits not synchronous any more?
static int
s_refused (stele_shared_log_t *self)
{
    stele_log_head_t head;
    int64_t epoch = self->end.epoch;
    int found = stele_shared_log_head (self, &head);
    stele_shared_log_deposed (self);
    if (found < 0)
        return found;
    if (found && head.end.epoch == epoch && head.end.number == self->end.number)
        return stele_shared_log_fail (self, STELE_EUNAVAILABLE,
            "synchronous_standby_names was emptied, or synchronous_commit or fsync is not on any more: an append would not reach a standby");
    return stele_shared_log_fail (self, STELE_EFENCED, "another node leads");
}

int
stele_shared_log_poll (stele_shared_log_t *self, int64_t wait_ms)
{
    if (!self->outstanding)
        return stele_shared_log_fail (self, STELE_EFENCED, "this node does not lead");
    PGresult *result;
    int rc = stele_postgres_result (self->postgres, wait_ms, &result);
    if (rc == 0)
        return 0;
    if (rc < 0)
        return s_doubt (self);
    bool appended = strcmp (PQcmdTuples (result), "1") == 0;
    PQclear (result);
    if (!appended)
        return s_refused (self);
    stele_batch_advance (self->outstanding, &self->end);
    self->outstanding = NULL;
    self->safe = self->end.number;
    return 1;
}

//  -- the lease ---------------------------------------------------------------------------

//  Run a statement on the head, while this node leads
static int
s_update_head (stele_shared_log_t *self, const stele_statement_t *statement)
{
    if (!self->leads)
        return stele_shared_log_fail (self, STELE_EFENCED, "this node does not lead");
    if (stele_shared_log_settle (self))
        return STELE_EUNAVAILABLE;
    stele_parameters_t parameters = { 0 };
    stele_parameters_text (&parameters, self->name);
    stele_parameters_integer (&parameters, self->end.epoch);
    stele_parameters_integer (&parameters, self->end.number);
    PGresult *result = stele_postgres_run (self->postgres, statement, &parameters);
    if (!result)
        return s_doubt (self);
    int rows = PQntuples (result);
    PQclear (result);
    if (rows == 1)
        return 0;
    stele_shared_log_deposed (self);
    return stele_shared_log_fail (self, STELE_EFENCED, "another node leads");
}

int
stele_shared_log_renew (stele_shared_log_t *self)
{
    int code = s_update_head (self, &s_renew);
    if (code == 0 && stele_shared_log_make_room (self, self->end.number))
        code = s_doubt (self);
    if (code == 0)
        stele_shared_log_announce (self);
    return code;
}

int
stele_shared_log_resign (stele_shared_log_t *self)
{
    int code = s_update_head (self, &s_resign);
    if (code == 0)
        stele_shared_log_deposed (self);
    return code;
}

void
stele_shared_log_announce (stele_shared_log_t *self)
{
    if (!self->leads || self->outstanding || self->announcing || self->announced == self->end.number)
        return;
    stele_parameters_t parameters = { 0 };
    stele_parameters_text (&parameters, self->name);
    stele_parameters_integer (&parameters, self->end.epoch);
    stele_parameters_integer (&parameters, self->end.number);
    if (!stele_postgres_send (self->postgres, &s_announce, &parameters)) {
        s_doubt (self);
        return;
    }
    self->announced = self->end.number;
    self->announcing = true;
}
