/*  snapshots - the snapshots of a repository: names, what was verified of each, which to keep

    repository.h has the layout. A snapshot counts only if both of its files are there: the ledger, compressed, and
    the JSON object with what was verified, which is written last:

      {"format":1, "ledger_id":UUID, "position":P, "time":TIME, "committed_at":TIME, "schema":N, "rejected":N,
       "producers":N, "db_bytes":N, "file_bytes":N, "verified_at":TIME, "version":"0.2.0", "archives":[...]}

    If the ledger has archives, archive_copies.h has the last one, and the files: the snapshot counts only if they are there.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_SNAPSHOTS_H_INCLUDED
#define STELE_SNAPSHOTS_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "ledger/snapshot.h"
#include "model/refusal.h"
#include "repository/archive_copies.h"

#define STELE_SNAPSHOT_NAME 48      // Bytes of a buffer for the name without its ending

typedef struct {
    char name [STELE_SNAPSHOT_NAME];// PPPPPPPPPPPPPPPP-yyyymmddThhmmssZ
    stele_snapshot_facts_t facts;
    int64_t time_us;                // When it was begun, microseconds since the Unix epoch
    int64_t verified_us;
    int64_t file_bytes;             // Of the compressed file, as it was verified
    stele_archive_copies_t archives;
    bool readable;                  // Its JSON object is, or there is none
    bool sound;                     // The files are there and have their sizes, and its JSON object is readable
    char fault [200];               // Otherwise: what is wrong
} stele_snapshot_entry_t;

/*  All snapshots of the repository at 'path', in the order of their positions, then of their names. Returns their
    number, or a code with the refusal. Caller frees *entries.               */
int64_t
    stele_snapshots_list (const char *path, stele_snapshot_entry_t **entries, stele_refusal_t *refusal);

/*  Write the name for a snapshot of that position and time to 'name'.       */
void
    stele_snapshots_name (int64_t position, int64_t time_us, char name [STELE_SNAPSHOT_NAME]);

/*  Path of a file of a snapshot with that ending: "db.zst", "json". Caller frees return value. */
char *
    stele_snapshots_path (const char *path, const char *name, const char *ending);

/*  Make the snapshot count: write its JSON object, durably. Returns 0, or a code with the refusal.  */
int
    stele_snapshots_publish (const char *path, const stele_snapshot_entry_t *entry, stele_refusal_t *refusal);

/*  Remove a snapshot: first the JSON object, so that it does not count any more. Returns 0, or a code with the refusal. */
int
    stele_snapshots_remove (const char *path, const stele_snapshot_entry_t *entry, stele_refusal_t *refusal);

/*  Remove the copies of archives that only these removed snapshots name, of those that were listed: remove [i] tells
    which. Returns 0, or a code with the refusal.                            */
int
    stele_snapshots_remove_archives (const char *path, const stele_snapshot_entry_t *entries, size_t count,
        const bool *remove, stele_refusal_t *refusal);

/*  Create the folders of the snapshots if they are missing, and remove what an interrupted backup left there. Only for the
    program that takes the snapshots. Returns 0, or a code with the refusal. */
int
    stele_snapshots_prepare (const char *path, stele_refusal_t *refusal);

/*  How many to keep: the newest of each of the last so many days, weeks and months (UTC) that have one. */
typedef struct {
    int64_t daily, weekly, monthly;
} stele_retention_t;

/*  Decide which of the snapshots, in the order of stele_snapshots_list, are to be removed: sets remove [i]. The order is
    that of positions, and the present time does not matter, so a clock that jumps ahead removes nothing. The newest
    sound one is always kept, and so is one whose time is later than that of a snapshot after it: one of the two times
    is wrong. Those that are not sound are not counted and not removed. Returns the number to remove.       */
size_t
    stele_retention_choose (const stele_retention_t *self, const stele_snapshot_entry_t *entries, size_t count,
        bool *remove);

#endif
