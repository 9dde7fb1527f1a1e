/*  repository - the folder that holds the backups of one ledger: its files and its lock

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#define _GNU_SOURCE                 // F_OFD_SETLK
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file.h"
#include "base/memory.h"
#include "fault/fault.h"
#include "repository/repository_internal.h"
#include "wire/json/json.h"
#include "wire/map.h"

#define FORMAT_NAME "format.json"
#define FORMAT_BYTES_MAX 4096
#define PART ".part"

char *
stele_repository_join (const char *folder, const char *name)
{
    char *path;
    if (asprintf (&path, "%s/%s", folder, name) < 0)
        abort ();
    return path;
}

int
stele_repository_refuse (stele_refusal_t *refusal, const char *path, int error)
{
    char reason [320];
    stele_file_reason (path, error, reason, sizeof reason);
    int code = error == ENOENT || error == ENOTDIR? STELE_ENOT_FOUND:
        error == ENOSPC || error == EDQUOT || error == EFBIG? STELE_EFULL: STELE_EIO;
    return stele_refuse (refusal, code, "backup", "%s: %s", path, reason);
}

//  -- files ------------------------------------------------------------------------

static int
s_write (int fd, const char *data, size_t size)
{
    while (size) {
        ssize_t count = write (fd, data, size);
        if (count < 0 && errno != EINTR)
            return -1;
        data += count < 0? 0: count;
        size -= count < 0? 0: (size_t) count;
    }
    return fsync (fd);
}

int
stele_repository_put (const char *folder, const char *name, const void *data, size_t size,
    stele_refusal_t *refusal)
{
    char *path = stele_repository_join (folder, name), *part;
    if (asprintf (&part, "%s" PART, path) < 0)
        abort ();
    STELE_FAULT (repository_write_before);
    int fd = stele_file_open (part, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    int error = fd < 0 || s_write (fd, data, size)? errno: 0;
    if (fd >= 0 && close (fd) && !error)
        error = errno;
    STELE_FAULT (repository_written);
    if (!error && (rename (part, path) || stele_file_sync_folder (path)))
        error = errno;
    STELE_FAULT (repository_renamed);
    int code = error? stele_repository_refuse (refusal, path, error): 0;
    if (error)
        unlink (part);
    free (part);
    free (path);
    return code;
}

static int
s_make_folder (const char *path, stele_refusal_t *refusal)
{
    if (mkdir (path, 0700) == 0) {
        stele_file_sync_folder (path);
        return 0;
    }
    return errno == EEXIST? 0: stele_repository_refuse (refusal, path, errno);
}

//  -- format.json ------------------------------------------------------------------

static int
s_parse_format (stele_repository_t *self, const char *path, const char *text, size_t size, stele_refusal_t *refusal)
{
    stele_pack_t *pack = stele_pack_new ();
    assert (pack);
    stele_map_t map;
    int64_t format = 0;
    bool parsed = stele_json_parse_pack (text, size, pack, refusal) == 0
        && stele_map_open (&map, stele_pack_data (pack), stele_pack_size (pack)) == 0
        && stele_map_integer (&map, "format", &format)
        && stele_map_text (&map, "ledger_id", self->ledger_id, sizeof self->ledger_id);
    stele_pack_destroy (&pack);
    if (!parsed)
        return stele_refuse (refusal, STELE_ELEDGER, "backup", "%s: is damaged", path);
    if (format != STELE_REPOSITORY_FORMAT)
        return stele_refuse (refusal, STELE_ELEDGER, "backup",
            "%s: format %" PRId64 ", but this version reads format %d only", path, format, STELE_REPOSITORY_FORMAT);
    return 0;
}

//  Returns 0, STELE_ENOT_FOUND (there is none) or another code.
static int
s_read_format (stele_repository_t *self, stele_refusal_t *refusal)
{
    char text [FORMAT_BYTES_MAX];
    char *path = stele_repository_join (self->path, FORMAT_NAME);
    int fd = stele_file_open (path, O_RDONLY, 0);
    ssize_t size = fd < 0? -1: read (fd, text, sizeof text);
    int code = size < 0? stele_repository_refuse (refusal, path, errno): s_parse_format (self, path, text, (size_t) size, refusal);
    if (fd >= 0)
        close (fd);
    free (path);
    return code;
}

static int
s_write_format (stele_repository_t *self, const char *ledger_id, stele_refusal_t *refusal)
{
    char text [128];
    snprintf (self->ledger_id, sizeof self->ledger_id, "%s", ledger_id);
    int size = snprintf (text, sizeof text, "{\"format\":%d,\"ledger_id\":\"%s\"}\n", STELE_REPOSITORY_FORMAT, ledger_id);
    return stele_repository_put (self->path, FORMAT_NAME, text, (size_t) size, refusal);
}

//  -- open -------------------------------------------------------------------------

static stele_repository_t *
s_new (const char *path)
{
    stele_repository_t *self = STELE_NEW (stele_repository_t);
    self->path = stele_memory_copy (path, strlen (path));
    self->segments = stele_repository_join (path, STELE_REPOSITORY_SEGMENTS);
    self->lock = -1;
    return self;
}

stele_repository_t *
stele_repository_open (const char *path, stele_refusal_t *refusal)
{
    stele_repository_t *self = s_new (path);
    int code = s_read_format (self, refusal);
    if (code == STELE_ENOT_FOUND)
        stele_refuse (refusal, code, "backup", "%s is no repository of backups: it lacks the file "
            FORMAT_NAME ", which a broker with the setting 'backup' writes when it makes one", path);
    if (code)
        stele_repository_close (&self);
    return self;
}

static int
s_lock (stele_repository_t *self, stele_refusal_t *refusal)
{
    char *path = stele_repository_join (self->path, "lock");
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1 };
    self->lock = stele_file_open (path, O_RDWR | O_CREAT, 0600);
    int code = 0;
    if (self->lock < 0)
        code = stele_repository_refuse (refusal, path, errno);
    else
    if (fcntl (self->lock, F_OFD_SETLK, &lock))
        code = errno == EAGAIN || errno == EACCES?
            stele_refuse (refusal, STELE_EBUSY, "backup", "%s: another broker writes to this repository", self->path):
            stele_repository_refuse (refusal, path, errno);
    free (path);
    return code;
}

//  What may be there before format.json, and what a new file system has
static bool
s_is_own (const char *name)
{
    static const char *const names [] = {
        "lock", FORMAT_NAME PART, STELE_REPOSITORY_SEGMENTS, STELE_REPOSITORY_SNAPSHOTS,
        STELE_REPOSITORY_CHECKPOINTS, "lost+found"
    };
    for (size_t i = 0; i < sizeof names / sizeof names [0]; i++)
        if (strcmp (name, names [i]) == 0)
            return true;
    return false;
}

//  A folder with other files is no place for a repository
static int
s_claim (stele_repository_t *self, const char *ledger_id, stele_refusal_t *refusal)
{
    DIR *folder = opendir (self->path);
    if (!folder)
        return stele_repository_refuse (refusal, self->path, errno);
    struct dirent *entry;
    bool used = false;
    while ((entry = readdir (folder)))
        used = used || (*entry->d_name != '.' && !s_is_own (entry->d_name));
    closedir (folder);
    return used? stele_refuse (refusal, STELE_ELEDGER, "backup", "%s has files but no " FORMAT_NAME ": name an empty "
        "folder, or the repository of this ledger", self->path): s_write_format (self, ledger_id, refusal);
}

//  What a killed process has not finished
static void
s_remove_parts (const stele_repository_t *self)
{
    DIR *folder = opendir (self->segments);
    struct dirent *entry;
    while (folder && (entry = readdir (folder))) {
        size_t size = strlen (entry->d_name);
        if (size < sizeof PART || strcmp (entry->d_name + size - (sizeof PART - 1), PART))
            continue;
        char *path = stele_repository_join (self->segments, entry->d_name);
        unlink (path);
        free (path);
    }
    if (folder)
        closedir (folder);
}

stele_repository_t *
stele_repository_create (const char *path, const char *ledger_id, stele_refusal_t *refusal)
{
    stele_repository_t *self = s_new (path);
    int code = s_make_folder (path, refusal);
    if (code == 0)
        code = s_lock (self, refusal);
    if (code == 0)
        code = s_read_format (self, refusal);
    if (code == STELE_ENOT_FOUND)
        code = s_claim (self, ledger_id, refusal);
    if (code == 0 && strcmp (self->ledger_id, ledger_id))
        code = stele_refuse (refusal, STELE_ELEDGER, "backup",
            "%s holds the backups of ledger %s, but this is ledger %s: name an empty folder", path, self->ledger_id, ledger_id);
    if (code == 0)
        code = s_make_folder (self->segments, refusal);
    if (code)
        stele_repository_close (&self);
    else
        s_remove_parts (self);
    return self;
}

void
stele_repository_close (stele_repository_t **self_p)
{
    stele_repository_t *self = *self_p;
    if (!self)
        return;
    if (self->lock >= 0)
        close (self->lock);
    free (self->segments);
    free (self->path);
    free (self);
    *self_p = NULL;
}

const char *
stele_repository_path (const stele_repository_t *self)
{
    return self->path;
}

const char *
stele_repository_ledger_id (const stele_repository_t *self)
{
    return self->ledger_id;
}
