/*  snapshots - the files of the snapshots of a repository, and what was verified of each

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef _GNU_SOURCE
#define _GNU_SOURCE                 // asprintf
#endif

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "stele_library.h"
#include "base/file.h"
#include "base/memory.h"
#include "repository/repository.h"
#include "repository/snapshots.h"
#include "wire/json/json.h"
#include "wire/map.h"
#include "wire/pack.h"
#include "wire/time.h"

#define NAME_SIZE 33                // PPPPPPPPPPPPPPPP-yyyymmddThhmmssZ
#define JSON_MAX  4096

static int
s_refuse (const char *path, int error, stele_refusal_t *refusal)
{
    char reason [400];
    stele_file_reason (path, error, reason, sizeof reason);
    return stele_refuse (refusal, error == ENOSPC || error == EDQUOT? STELE_EFULL:
        error == ENOENT? STELE_ENOT_FOUND: STELE_EIO, "backup", "%s: %s%s", path, reason,
        error == ENOENT? "; a repository of backups has the folders " STELE_REPOSITORY_SEGMENTS " and " STELE_REPOSITORY_SNAPSHOTS
            " and the file format.json: a broker with the setting 'backup' makes it": "");
}

//  -- names -------------------------------------------------------------------------------

static char *
s_folder (const char *path)
{
    char *folder;
    if (asprintf (&folder, "%s/" STELE_REPOSITORY_SNAPSHOTS, path) < 0)
        abort ();
    return folder;
}

char *
stele_snapshots_path (const char *path, const char *name, const char *ending)
{
    char *file;
    if (asprintf (&file, "%s/" STELE_REPOSITORY_SNAPSHOTS "/%s.%s", path, name, ending) < 0)
        abort ();
    return file;
}

void
stele_snapshots_name (int64_t position, int64_t time_us, char name [STELE_SNAPSHOT_NAME])
{
    char stamp [24];
    time_t seconds = (time_t) (time_us / 1000000);
    struct tm tm;
    strftime (stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", gmtime_r (&seconds, &tm));
    snprintf (name, STELE_SNAPSHOT_NAME, "%016" PRId64 "-%s", position, stamp);
}

//  Is that the name of a file of a snapshot? Its position, or -1.
static int64_t
s_position (const char *file)
{
    const char *ending = file + NAME_SIZE;
    if (strlen (file) <= NAME_SIZE || (strcmp (ending, ".db.zst") != 0 && strcmp (ending, ".json") != 0)
    ||  strspn (file, "0123456789") != 16 || file [16] != '-' || file [25] != 'T' || file [32] != 'Z')
        return -1;
    return strtoll (file, NULL, 10);
}

//  -- what was verified -------------------------------------------------------------------

static bool
s_read_time (const stele_map_t *map, const char *key, int64_t *time_us)
{
    char text [40];
    return stele_map_text (map, key, text, sizeof text) && stele_time_parse (text, strlen (text), time_us) == 0;
}

static bool
s_read_object (const char *text, size_t size, stele_snapshot_entry_t *entry)
{
    stele_map_t map;
    int64_t format = 0, position = -1;
    stele_snapshot_facts_t *facts = &entry->facts;
    stele_pack_t *pack = stele_pack_new ();
    assert (pack);
    bool good = stele_json_parse_pack (text, size, pack, NULL) == 0
        && stele_map_open (&map, stele_pack_data (pack), stele_pack_size (pack)) == 0
        && stele_map_integer (&map, "format", &format) && format == STELE_REPOSITORY_FORMAT
        && stele_map_text (&map, "ledger_id", facts->ledger_id, sizeof facts->ledger_id)
        && stele_map_integer (&map, "position", &position) && position == facts->position
        && stele_map_integer (&map, "schema", &facts->schema)
        && stele_map_integer (&map, "rejected", &facts->rejected)
        && stele_map_integer (&map, "producers", &facts->producers)
        && stele_map_integer (&map, "db_bytes", &facts->bytes)
        && stele_map_integer (&map, "file_bytes", &entry->file_bytes)
        && s_read_time (&map, "time", &entry->time_us)
        && s_read_time (&map, "committed_at", &facts->committed_us)
        && s_read_time (&map, "verified_at", &entry->verified_us);
    stele_pack_destroy (&pack);
    return good;
}

static bool
s_read_json (const char *path, stele_snapshot_entry_t *entry)
{
    char text [JSON_MAX];
    int handle = stele_file_open (path, O_RDONLY, 0);
    if (handle < 0) {
        snprintf (entry->fault, sizeof entry->fault, errno == ENOENT? "it was not verified: an interrupted backup":
            "its .json file cannot be read");
        return false;
    }
    ssize_t size = read (handle, text, sizeof text);
    close (handle);
    if (size > 0 && (size_t) size < sizeof text && s_read_object (text, (size_t) size, entry))
        return true;
    snprintf (entry->fault, sizeof entry->fault, "its .json file is damaged");
    return false;
}

//  Read what there is of the snapshot with that name
static void
s_read_entry (const char *path, stele_snapshot_entry_t *entry)
{
    struct stat status;
    char *json = stele_snapshots_path (path, entry->name, "json");
    char *file = stele_snapshots_path (path, entry->name, "db.zst");
    bool there = stat (file, &status) == 0;
    if (!s_read_json (json, entry)) {}
    else
    if (!there)
        snprintf (entry->fault, sizeof entry->fault, "its .db.zst file is missing");
    else
    if (status.st_size != entry->file_bytes)
        snprintf (entry->fault, sizeof entry->fault, "its .db.zst file has %lld bytes instead of %" PRId64,
            (long long) status.st_size, entry->file_bytes);
    else
        entry->sound = true;
    free (json);
    free (file);
}

static int
s_compare (const void *one, const void *two)
{
    return strcmp (((const stele_snapshot_entry_t *) one)->name, ((const stele_snapshot_entry_t *) two)->name);
}

int64_t
stele_snapshots_list (const char *path, stele_snapshot_entry_t **entries, stele_refusal_t *refusal)
{
    stele_snapshot_entry_t *found = NULL;
    size_t count = 0, room = 0, kept = 0;
    char *folder = s_folder (path);
    DIR *files = opendir (folder);
    int code = files? 0: s_refuse (folder, errno, refusal);
    struct dirent *file;
    while (files && (file = readdir (files))) {
        int64_t position = s_position (file->d_name);
        if (position < 0)
            continue;
        found = stele_array_must_grow (found, &room, count + 1, sizeof *found);
        stele_snapshot_entry_t *entry = &found [count++];
        *entry = (stele_snapshot_entry_t) { .facts = { .position = position } };
        snprintf (entry->name, sizeof entry->name, "%.*s", NAME_SIZE, file->d_name);
    }
    if (files)
        closedir (files);
    free (folder);
    if (code)
        return code;
    if (count)
        qsort (found, count, sizeof *found, s_compare);
    //  Each has two files
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || strcmp (found [kept - 1].name, found [i].name) != 0) {
            found [kept] = found [i];
            s_read_entry (path, &found [kept++]);
        }
    *entries = found;
    return (int64_t) kept;
}

//  -- changes -----------------------------------------------------------------------------

static int
s_write_file (const char *path, const char *text, stele_refusal_t *refusal)
{
    size_t size = strlen (text);
    int handle = stele_file_open (path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (handle < 0)
        return s_refuse (path, errno, refusal);
    errno = ENOSPC;                     // What a short write means
    int code = write (handle, text, size) == (ssize_t) size && fsync (handle) == 0? 0: s_refuse (path, errno, refusal);
    close (handle);
    return code;
}

int
stele_snapshots_publish (const char *path, const stele_snapshot_entry_t *entry, stele_refusal_t *refusal)
{
    char time [32], committed [32], verified [32], *text;
    const stele_snapshot_facts_t *facts = &entry->facts;
    stele_time_print (entry->time_us, time, sizeof time);
    stele_time_print (facts->committed_us, committed, sizeof committed);
    stele_time_print (entry->verified_us, verified, sizeof verified);
    if (asprintf (&text, "{\"committed_at\":\"%s\",\"db_bytes\":%" PRId64 ",\"file_bytes\":%" PRId64
            ",\"format\":%d,\"ledger_id\":\"%s\",\"position\":%" PRId64 ",\"producers\":%" PRId64
            ",\"rejected\":%" PRId64 ",\"schema\":%" PRId64 ",\"time\":\"%s\",\"verified_at\":\"%s\""
            ",\"version\":\"" STELE_VERSION "\"}\n",
            committed, facts->bytes, entry->file_bytes, STELE_REPOSITORY_FORMAT, facts->ledger_id, facts->position,
            facts->producers, facts->rejected, facts->schema, time, verified) < 0)
        abort ();
    char *part = stele_snapshots_path (path, entry->name, "json.part");
    char *json = stele_snapshots_path (path, entry->name, "json");
    int code = s_write_file (part, text, refusal);
    if (code == 0 && (rename (part, json) != 0 || stele_file_sync_folder (json) != 0))
        code = s_refuse (json, errno, refusal);
    if (code)
        unlink (part);
    free (part);
    free (json);
    free (text);
    return code;
}

int
stele_snapshots_remove (const char *path, const stele_snapshot_entry_t *entry, stele_refusal_t *refusal)
{
    static const char *const endings [] = { "json", "db.zst" };
    int code = 0;
    for (size_t i = 0; i < 2 && code == 0; i++) {
        char *file = stele_snapshots_path (path, entry->name, endings [i]);
        if (unlink (file) != 0 && errno != ENOENT)
            code = s_refuse (file, errno, refusal);
        free (file);
    }
    return code;
}

int
stele_snapshots_prepare (const char *path, stele_refusal_t *refusal)
{
    char *folder = s_folder (path);
    int code = mkdir (folder, 0700) == 0 || errno == EEXIST? 0: s_refuse (folder, errno, refusal);
    DIR *files = code == 0? opendir (folder): NULL;
    if (code == 0 && !files)
        code = s_refuse (folder, errno, refusal);
    struct dirent *file;
    while (files && (file = readdir (files)))
        if (strstr (file->d_name, ".part"))
            unlinkat (dirfd (files), file->d_name, 0);
    if (files)
        closedir (files);
    free (folder);
    return code;
}
