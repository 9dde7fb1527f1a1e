/*  archive_copies - the copies of a ledger's archives in a repository

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
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "base/file.h"
#include "base/memory.h"
#include "repository/archive_copies.h"
#include "repository/repository_internal.h"
#include "wire/scan.h"

#define PORTION_BYTES (1024 * 1024)

//  -- names -----------------------------------------------------------------------------

void
stele_archive_copy_name (stele_archive_copy_t *self, int64_t time_us)
{
    char stamp [24];
    time_t seconds = (time_t) (time_us / 1000000);
    struct tm tm;
    strftime (stamp, sizeof stamp, "%Y%m%dT%H%M%S", gmtime_r (&seconds, &tm));
    //  With microseconds: a copy never has the name of another one, which an earlier snapshot may name
    snprintf (self->file, sizeof self->file, "%04d-%s.%06dZ-%.8s.db.zst", (int) self->archive.year, stamp,
        (int) (time_us % 1000000), self->archive.archive_id);
}

char *
stele_archive_copy_path (const stele_archive_copy_t *self, const char *path, const char *ending)
{
    char *file;
    if (asprintf (&file, "%s/" STELE_REPOSITORY_ARCHIVES "/%s%s", path, self->file, ending) < 0)
        abort ();
    return file;
}

//  -- the object of a snapshot --------------------------------------------------------------

static bool
s_read_one (stele_archive_copy_t *self, const stele_map_t *map)
{
    stele_snapshot_archive_t *archive = &self->archive;
    return stele_map_integer (map, "year", &archive->year)
        && stele_map_text (map, "archive_id", archive->archive_id, sizeof archive->archive_id)
        && stele_map_integer (map, "tasks", &archive->tasks)
        && stele_map_integer (map, "position", &archive->position)
        && stele_map_text (map, "file", self->file, sizeof self->file) && !strchr (self->file, '/')
        && stele_map_text (map, "state", self->state, sizeof self->state)
        && stele_map_text (map, "sha256", self->sha256, sizeof self->sha256)
        && stele_map_integer (map, "file_bytes", &self->file_bytes)
        && stele_map_integer (map, "db_bytes", &self->db_bytes);
}

bool
stele_archive_copies_read (stele_archive_copies_t *self, const stele_map_t *map)
{
    const void *data;
    size_t size;
    stele_token_t token = stele_scan_find (map->data, map->size, "archives", &data, &size);
    self->count = token.kind == STELE_SCAN_END? -1: 0;
    if (token.kind == STELE_SCAN_END)
        return true;
    if (token.kind != STELE_SCAN_ARRAY || token.count > STELE_SNAPSHOT_ARCHIVES)
        return false;
    stele_scan_t scan = stele_scan_start (data, size);
    stele_scan_next (&scan);
    for (; self->count < (int) token.count; self->count++) {
        stele_map_t one;
        stele_scan_skip (&scan, &data, &size);
        if (stele_map_open (&one, data, size) || !s_read_one (&self->items [self->count], &one))
            return false;
    }
    return true;
}

void
stele_archive_copies_pack (const stele_archive_copies_t *self, stele_pack_t *pack)
{
    stele_pack_array (pack, (size_t) self->count);
    for (int i = 0; i < self->count; i++) {
        const stele_archive_copy_t *copy = &self->items [i];
        stele_pack_map_begin (pack);
        stele_pack_key_integer (pack, "year", copy->archive.year);
        stele_pack_key_string (pack, "archive_id", copy->archive.archive_id);
        stele_pack_key_integer (pack, "tasks", copy->archive.tasks);
        stele_pack_key_integer (pack, "position", copy->archive.position);
        stele_pack_key_string (pack, "file", copy->file);
        stele_pack_key_string (pack, "state", copy->state);
        stele_pack_key_string (pack, "sha256", copy->sha256);
        stele_pack_key_integer (pack, "file_bytes", copy->file_bytes);
        stele_pack_key_integer (pack, "db_bytes", copy->db_bytes);
        stele_pack_map_end (pack);
    }
}

const stele_archive_copy_t *
stele_archive_copies_find (const stele_archive_copies_t *self, int64_t year)
{
    for (int i = 0; i < self->count; i++)
        if (self->items [i].archive.year == year)
            return &self->items [i];
    return NULL;
}

//  -- files -----------------------------------------------------------------------------

bool
stele_archive_copy_sound (const stele_archive_copy_t *self, const char *path, char *fault, size_t size)
{
    struct stat status;
    char *file = stele_archive_copy_path (self, path, "");
    bool there = stat (file, &status) == 0, sound = there && status.st_size == self->file_bytes;
    if (!there)
        snprintf (fault, size, "its copy of an archive, %s, is missing", self->file);
    else
    if (!sound)
        snprintf (fault, size, "its copy of an archive, %s, has %lld bytes instead of %" PRId64, self->file,
            (long long) status.st_size, self->file_bytes);
    free (file);
    return sound;
}

int
stele_archive_copy_hash (const char *file, char sha256 [65], stele_packed_stop_fn *stop, void *arg, stele_refusal_t *refusal)
{
    unsigned char digest [EVP_MAX_MD_SIZE];
    int handle = stele_file_open (file, O_RDONLY, 0), done;
    if (handle < 0)
        return stele_repository_refuse (refusal, file, errno);
    EVP_MD_CTX *context = EVP_MD_CTX_new ();
    char *portion = stele_memory_new (PORTION_BYTES);
    ssize_t size;
    int64_t read_bytes = 0;
    bool stopped = false;
    done = context && EVP_DigestInit_ex (context, EVP_sha256 (), NULL);
    assert (done);
    while (!stopped && ((size = read (handle, portion, PORTION_BYTES)) > 0 || (size < 0 && errno == EINTR)))
        if (size > 0) {
            EVP_DigestUpdate (context, portion, (size_t) size);
            stopped = stop && stop (read_bytes += size, arg);
        }
    int error = errno;
    EVP_DigestFinal_ex (context, digest, NULL);
    EVP_MD_CTX_free (context);
    free (portion);
    close (handle);
    if (stopped)
        return stele_refuse (refusal, STELE_ETIMEOUT, "backup", "stopped");
    if (size < 0)
        return stele_repository_refuse (refusal, file, error);
    for (int i = 0; i < 32; i++)
        snprintf (sha256 + 2 * i, 3, "%02x", digest [i]);
    return 0;
}

int
stele_archive_copies_prepare (const char *path, stele_refusal_t *refusal)
{
    char *folder = stele_repository_join (path, STELE_REPOSITORY_ARCHIVES);
    int code = mkdir (folder, 0700) == 0 || errno == EEXIST? 0: stele_repository_refuse (refusal, folder, errno);
    free (folder);
    return code;
}

int
stele_archive_copies_prune (const char *path, stele_archive_kept_fn *kept, void *arg, stele_refusal_t *refusal)
{
    char *folder = stele_repository_join (path, STELE_REPOSITORY_ARCHIVES);
    DIR *files = opendir (folder);
    int code = files || errno == ENOENT? 0: stele_repository_refuse (refusal, folder, errno);
    struct dirent *file;
    while (files && code == 0 && (file = readdir (files)))
        if (strstr (file->d_name, ".db.") && !kept (file->d_name, arg)
        &&  unlinkat (dirfd (files), file->d_name, 0) != 0 && errno != ENOENT)
            code = stele_repository_refuse (refusal, folder, errno);
    if (files)
        closedir (files);
    free (folder);
    return code;
}
