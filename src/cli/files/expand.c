/*  expand - the text of a file that zstd has compressed

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>
#include "base/memory.h"
#include "cli/files/expand.h"

bool
cli_expand_is_needed (int fd)
{
    static const char magic [] = { '\x28', '\xb5', '\x2f', '\xfd' };
    char start [sizeof magic];
    return pread (fd, start, sizeof start, 0) == sizeof start && memcmp (start, magic, sizeof magic) == 0;
}

//  Expand what was read. Returns 0, or -1 with errno. *left: bytes that the current frame still needs.
static int
s_expand (ZSTD_DCtx *context, ZSTD_inBuffer *in, char *buffer, size_t room, FILE *file, size_t *left)
{
    ZSTD_outBuffer out = { buffer, room, room };
    //  A full output buffer means that there may be more
    while (in->pos < in->size || out.pos == out.size) {
        out.pos = 0;
        size_t before = in->pos;
        *left = ZSTD_decompressStream (context, &out, in);
        if (ZSTD_isError (*left)) {
            errno = EBADMSG;
            return -1;
        }
        if (out.pos && fwrite (buffer, 1, out.pos, file) != out.pos)
            return -1;
        if (out.pos == 0 && in->pos == before)
            break;
    }
    return 0;
}

static int
s_expand_all (int fd, FILE *file)
{
    size_t in_room = ZSTD_DStreamInSize (), out_room = ZSTD_DStreamOutSize (), left = 0;
    char *data = stele_memory_new (in_room), *buffer = stele_memory_new (out_room);
    ZSTD_DCtx *context = ZSTD_createDCtx ();
    ssize_t size;
    int rc = 0;
    while (rc == 0 && ((size = read (fd, data, in_room)) > 0 || (size < 0 && errno == EINTR))) {
        ZSTD_inBuffer in = { data, size > 0? (size_t) size: 0, 0 };
        if (size > 0)
            rc = s_expand (context, &in, buffer, out_room, file, &left);
    }
    if (rc == 0 && size < 0)
        rc = -1;
    if (rc == 0 && left) {
        errno = EBADMSG;            // It ends inside a frame
        rc = -1;
    }
    int why = errno;
    ZSTD_freeDCtx (context);
    free (buffer);
    free (data);
    errno = why;
    return rc;
}

int
cli_expand (int fd)
{
    FILE *file = tmpfile ();
    if (!file)
        return -1;
    int expanded = s_expand_all (fd, file) || fflush (file)? -1: fcntl (fileno (file), F_DUPFD_CLOEXEC, 3);
    int why = errno;
    fclose (file);
    if (expanded >= 0)
        lseek (expanded, 0, SEEK_SET);
    errno = why;
    return expanded;
}
