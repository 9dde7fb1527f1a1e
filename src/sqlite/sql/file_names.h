/*  file_names - suffixes of the files next to a ledger

    The ledger, its archives, and SQLite's two files of each are enough to restore a ledger. The high-water mark cannot be
    rebuilt: without it, a start cannot detect that the ledger became shorter. All other files
    are rebuilt (doc/RELIABILITY.md).

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_FILE_NAMES_H_INCLUDED
#define STELE_FILE_NAMES_H_INCLUDED

#define STELE_WAL_SUFFIX        "-wal"          // SQLite's write-ahead log
#define STELE_SHM_SUFFIX        "-shm"          // SQLite's shared memory: the index of that log
#define STELE_JOURNAL_SUFFIX    "-journal"      // SQLite's rollback journal, of databases without a log
#define STELE_LOCK_SUFFIX       ".lock"         // Held by the one writer
#define STELE_HIGH_WATER_SUFFIX ".high-water"   // Last acked position (wal/high_water.h)
#define STELE_SEARCH_SUFFIX     ".search"       // Text index (ledger/text_index.h), itself a database
#define STELE_SEARCH_VERSION    3               // Its user_version: its tables and its tokenizer. An index of another version is rebuilt
#define STELE_ROLLUP_SUFFIX     ".rollup"       // Counts per minute, hour and day (ledger/rollup.h), itself a database
#define STELE_ROLLUP_VERSION    1               // The same of it: its tables, its rows, its fingerprints
#define STELE_ARCHIVE_SUFFIX    ".archive-"     // Archived tasks, a part of the ledger (archive/archive_file.h); a year follows
#define STELE_RESCUED_SUFFIX    ".rescued-"     // Copy of a ledger that was removed while it was open; a time follows

#endif
