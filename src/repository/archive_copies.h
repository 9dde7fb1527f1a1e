/*  archive_copies - the copies of a ledger's archives in a repository

    archives/YEAR-yyyymmddThhmmss.ffffffZ-AAAAAAAA.db.zst is the archive of a year (ledger/archive.h), compressed, as of a time; A are
    the first digits of its id. The JSON object of a snapshot names the copies that belong to it:

      "archives":[{"archive_id":ID, "db_bytes":N, "file":NAME, "file_bytes":N, "position":P, "sha256":HEX, "state":TEXT,
                   "tasks":N, "year":Y}, ...]

    'tasks' and 'position' are what the ledger of the snapshot has of the archive, sha256 is that of the file. While the state of an
    archive is the same (ledger/snapshot.h), the next snapshot names the same copy. A copy is removed with the last
    snapshot that names it.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_ARCHIVE_COPIES_H_INCLUDED
#define STELE_ARCHIVE_COPIES_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "ledger/snapshot.h"
#include "model/refusal.h"
#include "repository/packed_file.h"
#include "wire/map.h"
#include "wire/pack.h"

#define STELE_REPOSITORY_ARCHIVES "archives"

typedef struct {
    stele_snapshot_archive_t archive;
    char file [64];
    char state [STELE_ARCHIVE_STATE];
    char sha256 [65];
    int64_t file_bytes, db_bytes;
} stele_archive_copy_t;

typedef struct {
    int count;                      // -1: the snapshot is of an earlier version, which copied no archives
    stele_archive_copy_t items [STELE_SNAPSHOT_ARCHIVES];
} stele_archive_copies_t;

/*  Read the key "archives" of the object of a snapshot. False: it is damaged. */
bool
    stele_archive_copies_read (stele_archive_copies_t *self, const stele_map_t *map);

/*  Write its value.                                                         */
void
    stele_archive_copies_pack (const stele_archive_copies_t *self, stele_pack_t *pack);

/*  Write the name for a copy that is made at that time.                     */
void
    stele_archive_copy_name (stele_archive_copy_t *self, int64_t time_us);

/*  Path of a copy of that repository, with an ending after its name or "". Caller frees return value. */
char *
    stele_archive_copy_path (const stele_archive_copy_t *self, const char *path, const char *ending);

/*  Compute the SHA-256 of a file as hex digits. 'stop', unless it is NULL, is called per portion, and ends it if it returns true.
    Returns 0, or a code with the refusal (STELE_ETIMEOUT: stopped).         */
int
    stele_archive_copy_hash (const char *file, char sha256 [65], stele_packed_stop_fn *stop, void *arg, stele_refusal_t *refusal);

/*  Is the file there, with that size? Otherwise what is wrong is printed.   */
bool
    stele_archive_copy_sound (const stele_archive_copy_t *self, const char *path, char *fault, size_t size);

/*  The copy of the archive of that year; NULL: none.                        */
const stele_archive_copy_t *
    stele_archive_copies_find (const stele_archive_copies_t *self, int64_t year);

/*  Create the folder if it is missing. Returns 0, or a code with the refusal. */
int
    stele_archive_copies_prepare (const char *path, stele_refusal_t *refusal);

/*  Remove every file of the folder that 'kept' does not want. No folder: nothing is done. Returns 0, or a code with the
    refusal.                                                                 */
typedef bool (stele_archive_kept_fn) (const char *file, void *arg);
int
    stele_archive_copies_prune (const char *path, stele_archive_kept_fn *kept, void *arg, stele_refusal_t *refusal);

#endif
