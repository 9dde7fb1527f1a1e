/*  shared_log_internal - what the files of a shared log have in common

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_SHARED_LOG_INTERNAL_H_INCLUDED
#define STELE_SHARED_LOG_INTERNAL_H_INCLUDED

#include "log/postgres.h"
#include "log/shared_log.h"

#define STELE_LOG_CHANNEL "stele_"  // Of announcements: the name of the log follows

#define STELE_LOG_PARTITION 100000  // Batches

/*  For stele_shared_log_take_head                                           */
#define STELE_HEAD_COLUMNS \
    "ledger::text, epoch, number, position, hash, safe, writer, endpoints, " \
    "(extract (epoch FROM clock_timestamp () - seen) * 1000)::bigint, seen < clock_timestamp () - lease_ms * interval '1 ms'"

struct stele_shared_log {
    stele_shared_log_options_t options; // Its texts are those of the caller: not used after the constructor
    char *name, *node, *endpoints;
    char instance [33];             // Random, hex: of this object, which may lead again whenever it led last
    stele_postgres_t *postgres;
    char ledger_id [40];            // Of the last head
    bool listening;                 // This connection receives announcements, or cannot
    int64_t safe;
    char error [600];               // Of this class; "": of the connection
    //  The writer
    bool leads;
    bool replicated;
    stele_batch_end_t end;          // Of the log, with what was appended and confirmed
    const stele_batch_t *outstanding;   // Sent, without an outcome
    int64_t announced;              // Number of the last announcement
    bool announcing;                // Its result is outstanding
    int64_t partition;              // The next partition to create
};

/*  Keep the text as the last error. Returns 'code'.                         */
int
    stele_shared_log_fail (stele_shared_log_t *self, int code, const char *text);

/*  Connect unless there is a connection, and take the result of what still runs on it. Returns 0 or
    STELE_EUNAVAILABLE.                                                      */
int
    stele_shared_log_connect (stele_shared_log_t *self);
int
    stele_shared_log_settle (stele_shared_log_t *self);

/*  This node does not lead any more.                                        */
void
    stele_shared_log_deposed (stele_shared_log_t *self);

/*  Read a result over STELE_HEAD_COLUMNS.                                   */
void
    stele_shared_log_take_head (const PGresult *result, stele_log_head_t *head);

/*  Name of the table of a ledger: its id without the hyphens.               */
void
    stele_shared_log_table_name (const char *ledger_id, char *name, size_t size);

/*  Create partitions for the batches after that number, unless they exist. Returns 0 or STELE_EUNAVAILABLE. */
int
    stele_shared_log_make_room (stele_shared_log_t *self, int64_t number);

/*  Would that create none?                                                  */
bool
    stele_shared_log_has_room (const stele_shared_log_t *self, int64_t number);

#endif
