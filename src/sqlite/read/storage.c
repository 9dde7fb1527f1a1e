/*  storage - how much of the file each table takes

    SQLite's table dbstat reads every page of the file for that. So a bound ends it, and what it found is kept
    for some minutes.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "sqlite/archive/archive_file.h"
#include "sqlite/reader/reader_internal.h"
#include "sqlite/sql/file_names.h"

#define FRESH_US       (int64_t) 300 * 1000000
#define PAGES_PER_LOOK 1000

_Static_assert (STELE_STORAGE_FILES_MAX >= 4 + STELE_ARCHIVES_MAX, "there is room for every file");

static int
s_compare (const void *a, const void *b)
{
    int64_t x = ((const stele_storage_part_t *) a)->bytes, y = ((const stele_storage_part_t *) b)->bytes;
    return (x < y) - (x > y);
}

//  Find the table to which a table or index belongs, for the pages that follow. NULL: an error, or too many tables.
static stele_storage_part_t *
s_find (stele_reader_t *self, const char *name, stele_storage_t *storage)
{
    sqlite3_stmt *statement = reader_statement (self, SLOT_STORAGE_TABLE,
        "SELECT ifnull ((SELECT tbl_name FROM main.sqlite_schema WHERE name = ?1), ?1)");
    if (!statement)
        return NULL;
    sqlite3_bind_text (statement, 1, name, -1, SQLITE_TRANSIENT);
    stele_storage_part_t *part = storage->tables, *end = part + STELE_STORAGE_TABLES_MAX;
    if (reader_step (self, statement) == 1) {
        const char *table = (const char *) sqlite3_column_text (statement, 0);
        while (part < end && part->bytes && table && strcmp (part->name, table) != 0)
            part++;
        if (part < end)
            snprintf (part->name, sizeof part->name, "%s", table? table: "");
    }
    sqlite3_reset (statement);
    return self->status || part == end? NULL: part;
}

//  Half of the time of the request is for this
static bool
s_is_enough (const stele_reader_t *self, int64_t started_ms, int64_t pages)
{
    return pages >= self->bounds.storage_pages || (self->deadline && pages % PAGES_PER_LOOK == 0
        && stele_clock_steady_ms () - started_ms >= self->deadline - stele_clock_steady_ms ());
}

//  All pages that it reads are of one snapshot
static void
s_measure (stele_reader_t *self, stele_storage_t *storage)
{
    int64_t started_ms = stele_clock_steady_ms (), pages = 0, measured = 0;
    stele_storage_part_t *part = NULL;
    char name [sizeof part->name] = "";
    sqlite3_stmt *statement = reader_statement (self, SLOT_STORAGE_PAGES, "SELECT name, pgsize FROM dbstat ('main')");
    while (!s_is_enough (self, started_ms, pages) && reader_step (self, statement) == 1) {
        const char *found = (const char *) sqlite3_column_text (statement, 0);
        if (!part || !found || strcmp (name, found) != 0) {
            snprintf (name, sizeof name, "%s", found? found: "");
            part = s_find (self, name, storage);
            if (!part)
                break;
        }
        part->bytes += sqlite3_column_int64 (statement, 1);
        measured += sqlite3_column_int64 (statement, 1);
        pages++;
    }
    if (statement)
        sqlite3_reset (statement);
    storage->unmeasured_bytes = storage->file_bytes - storage->free_bytes - measured;
    qsort (storage->tables, STELE_STORAGE_TABLES_MAX, sizeof storage->tables [0], s_compare);
}

static void
s_look_at_pages (stele_reader_t *self, stele_storage_t *storage)
{
    int64_t page = reader_integer (self, reader_statement (self, SLOT_STORAGE_PAGE, "PRAGMA main.page_size"), 0);
    storage->file_bytes = page * reader_integer (self, reader_statement (self, SLOT_STORAGE_COUNT, "PRAGMA main.page_count"), 0);
    storage->free_bytes = page * reader_integer (self, reader_statement (self, SLOT_STORAGE_FREE, "PRAGMA main.freelist_count"), 0);
    storage->unmeasured_bytes = storage->file_bytes - storage->free_bytes;
    storage->measured_us = stele_clock_us ();
}

static void
s_add_file (stele_reader_t *self, stele_storage_t *storage, size_t *count, const char *name, const char *suffix)
{
    int64_t size = reader_file_size (self, suffix);
    if (size) {
        stele_storage_part_t *part = &storage->files [(*count)++];
        snprintf (part->name, sizeof part->name, "%s", name);
        part->bytes = size;
    }
}

//  The ledger's other files that grow
static void
s_look_at_files (stele_reader_t *self, stele_storage_t *storage)
{
    size_t count = 0;
    memset (storage->files, 0, sizeof storage->files);
    s_add_file (self, storage, &count, "log", STELE_WAL_SUFFIX);
    s_add_file (self, storage, &count, "search", STELE_SEARCH_SUFFIX);
    s_add_file (self, storage, &count, "rollup", STELE_ROLLUP_SUFFIX);
    sqlite3_stmt *statement = reader_statement (self, SLOT_STORAGE_ARCHIVES, "SELECT id FROM main.archives ORDER BY id");
    while (count + 1 < STELE_STORAGE_FILES_MAX && reader_step (self, statement) == 1) {
        char name [32];
        snprintf (name, sizeof name, STELE_ARCHIVE_SUFFIX "%lld", (long long) sqlite3_column_int64 (statement, 0));
        s_add_file (self, storage, &count, name + 1, name);
    }
}

int
stele_reader_storage (stele_reader_t *self, stele_storage_t *storage)
{
    int rc = reader_enter_unbound (self);
    if (rc)
        return rc;
    if (stele_clock_us () - self->storage.measured_us >= FRESH_US || stele_clock_us () < self->storage.measured_us) {
        memset (&self->storage, 0, sizeof self->storage);
        s_look_at_pages (self, &self->storage);
        if (sqlite3_compileoption_used ("ENABLE_DBSTAT_VTAB"))
            s_measure (self, &self->storage);
        if (self->status)
            self->storage.measured_us = 0;
    }
    s_look_at_files (self, &self->storage);
    *storage = self->storage;
    return (int) reader_leave (self, 0);
}
