/*  rejects - lines of an input that are not events, kept in a file

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file.h"
#include "base/memory.h"
#include "cli/files/rejects.h"
#include "cli/terminal/text.h"
#include "wire/base64.h"

struct cli_rejects {
    char *path;
    int fd;                         // -1: no line was refused yet
    int64_t count;
};

cli_rejects_t *
cli_rejects_new (const char *path)
{
    cli_rejects_t *self = STELE_NEW (cli_rejects_t);
    self->path = stele_memory_copy (path, strlen (path));
    self->fd = -1;
    return self;
}

void
cli_rejects_destroy (cli_rejects_t **self_p)
{
    cli_rejects_t *self = *self_p;
    if (!self)
        return;
    if (self->fd >= 0)
        close (self->fd);
    free (self->path);
    free (self);
    *self_p = NULL;
}

bool
cli_rejects_is_input (const cli_rejects_t *self, int fd)
{
    struct stat input, output;
    return fstat (fd, &input) == 0 && S_ISREG (input.st_mode) && stat (self->path, &output) == 0
        && input.st_dev == output.st_dev && input.st_ino == output.st_ino;
}

int
cli_rejects_check (const cli_rejects_t *self)
{
    struct stat status;
    if (stat (self->path, &status) == 0) {
        if (S_ISDIR (status.st_mode)) {
            errno = EISDIR;
            return -1;
        }
        return access (self->path, W_OK);
    }
    if (errno != ENOENT || !*self->path)
        return -1;
    char *folder = stele_memory_copy (self->path, strlen (self->path));
    int rc = access (dirname (folder), W_OK | X_OK);
    int why = errno;
    free (folder);
    errno = why;
    return rc;
}

static int
s_write (int fd, const char *text, size_t size)
{
    while (size) {
        ssize_t count = write (fd, text, size);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return -1;
        text += count;
        size -= (size_t) count;
    }
    return 0;
}

//  A run that ended in the middle of a line must not spoil the next one
static int
s_end_torn_line (int fd)
{
    struct stat status;
    char last;
    if (fstat (fd, &status) || !S_ISREG (status.st_mode) || status.st_size == 0
    ||  pread (fd, &last, 1, status.st_size - 1) != 1 || last == '\n')
        return 0;
    return s_write (fd, "\n", 1);
}

static int
s_open (cli_rejects_t *self)
{
    int fd = open (self->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (fd < 0)
        return -1;
    if (s_end_torn_line (fd)) {
        int why = errno;
        close (fd);
        errno = why;
        return -1;
    }
    self->fd = fd;
    return 0;
}

static void
s_print_bytes (FILE *file, const char *bytes, size_t size)
{
    size_t room = STELE_BASE64_SIZE (size);
    char *base64 = stele_memory_new (room + 1);
    stele_base64_encode (bytes, size, base64);
    fputs ("{\"$bin\":\"", file);
    fwrite (base64, 1, room, file);
    fputs ("\"}", file);
    free (base64);
}

int
cli_rejects_add (cli_rejects_t *self, int64_t line, const char *reason, const char *text, size_t size)
{
    if (self->fd < 0 && s_open (self))
        return -1;
    char *entry = NULL;
    size_t entry_size = 0;
    FILE *file = open_memstream (&entry, &entry_size);
    assert (file);
    fprintf (file, "{\"line\":%" PRId64 ",\"reason\":", line);
    cli_text_print_json_string (file, reason, strlen (reason));
    fputs (",\"text\":", file);
    if (!text)
        fputs ("null", file);
    else
    if (cli_text_is_utf8 (text, size))
        cli_text_print_json_string (file, text, size);
    else
        s_print_bytes (file, text, size);
    fputs ("}\n", file);
    if (fclose (file))
        abort ();
    int rc = s_write (self->fd, entry, entry_size);
    free (entry);
    if (rc == 0)
        self->count++;
    return rc;
}

int64_t
cli_rejects_count (const cli_rejects_t *self)
{
    return self->count;
}

int
cli_rejects_finish (cli_rejects_t *self)
{
    //  A pipe or a device cannot be synced
    if (self->fd < 0)
        return 0;
    if (fsync (self->fd))
        return errno == EINVAL || errno == EROFS? 0: -1;
    //  The name of a new file; a folder with search permission only cannot be opened
    stele_file_sync_folder (self->path);
    return 0;
}
