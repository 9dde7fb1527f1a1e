/*  stream - one output of a command: passed through, and collected for the record

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/memory.h"
#include "cli/run/stream.h"
#include "cli/terminal/message.h"

void
cli_stream_open (cli_stream_t *self, const char *type, int from, int to, int64_t tail, cli_stream_fn *fn,
    void *arg)
{
    struct stat status;
    memset (self, 0, sizeof *self);
    self->type = type;
    self->from = from;
    self->to = to;
    self->regular = fstat (to, &status) == 0 && S_ISREG (status.st_mode);
    self->left = -1;
    self->tail = tail;
    self->fn = fn;
    self->arg = arg;
}

static size_t
s_passing (const cli_stream_t *self)
{
    return self->passing_size - self->passing_at;
}

struct pollfd
cli_stream_wait (const cli_stream_t *self, bool may_read)
{
    if (s_passing (self))
        return (struct pollfd) { self->to, POLLOUT, 0 };
    return (struct pollfd) { may_read? self->from: -1, POLLIN, 0 };
}

//  -- collecting ----------------------------------------------------------------------

//  Size without a last character that has not arrived completely
static size_t
s_whole (const char *bytes, size_t size)
{
    for (size_t back = 1; back <= 3 && back <= size; back++) {
        unsigned char c = (unsigned char) bytes [size - back];
        if ((c & 0xc0) == 0x80)
            continue;
        size_t needed = c >= 0xf0? 4: c >= 0xe0? 3: c >= 0xc0? 2: 1;
        return needed > back? size - back: size;
    }
    return size;
}

static void
s_hand_over (cli_stream_t *self, size_t size)
{
    self->fn (self->type, self->collected, size, self->arg);
    self->collected_size -= size;
    memmove (self->collected, self->collected + size, self->collected_size);
    self->since_ms = stele_clock_steady_ms ();
}

static void
s_collect (cli_stream_t *self, const char *bytes, size_t size)
{
    if (self->tail < 0)
        return;
    if (self->collected_size == 0)
        self->since_ms = stele_clock_steady_ms ();
    self->collected = stele_array_must_grow (self->collected, &self->collected_room, self->collected_size + size, 1);
    memcpy (self->collected + self->collected_size, bytes, size);
    self->collected_size += size;
    if (self->tail > 0 && self->collected_size > 2 * (size_t) self->tail + CLI_OUTPUT_BYTES) {
        size_t cut = self->collected_size - (size_t) self->tail;
        self->cut += (int64_t) cut;
        self->collected_size -= cut;
        memmove (self->collected, self->collected + cut, self->collected_size);
    }
    if (self->tail == 0 && self->collected_size >= CLI_OUTPUT_BYTES)
        s_hand_over (self, s_whole (self->collected, CLI_OUTPUT_BYTES));
}

void
cli_stream_flush (cli_stream_t *self, int64_t age_ms)
{
    if (self->tail || self->collected_size == 0 || stele_clock_steady_ms () - self->since_ms < age_ms)
        return;
    size_t whole = s_whole (self->collected, self->collected_size);
    if (whole > 0)
        s_hand_over (self, whole);
}

static void
s_finish (cli_stream_t *self)
{
    size_t skip = self->tail > 0 && self->collected_size > (size_t) self->tail?
        self->collected_size - (size_t) self->tail: 0;
    //  Begin with a character
    while (skip && skip < self->collected_size && ((unsigned char) self->collected [skip] & 0xc0) == 0x80)
        skip++;
    self->cut += (int64_t) skip;
    if (self->cut > 0) {
        char text [80];
        int size = snprintf (text, sizeof text, "%lld earlier bytes of %s were not kept\n", (long long) self->cut, self->type);
        self->fn ("diagnostic", text, (size_t) size, self->arg);
    }
    while (skip < self->collected_size) {
        size_t size = self->collected_size - skip;
        if (size > CLI_OUTPUT_BYTES)
            size = s_whole (self->collected + skip, CLI_OUTPUT_BYTES);
        self->fn (self->type, self->collected + skip, size, self->arg);
        skip += size;
    }
    free (self->collected);
    self->collected = NULL;
    self->collected_size = 0;
}

//  -- passing through -----------------------------------------------------------------

static void
s_close_from (cli_stream_t *self)
{
    if (self->from >= 0)
        close (self->from);
    self->from = -1;
}

static void
s_write (cli_stream_t *self)
{
    //  A pipe that is ready takes this much without waiting
    size_t size = s_passing (self);
    if (!self->regular && size > PIPE_BUF)
        size = PIPE_BUF;
    ssize_t written = write (self->to, self->passing + self->passing_at, size);
    if (written >= 0)
        self->passing_at += (size_t) written;
    else
    if (errno == EAGAIN || errno == EINTR)
        return;
    else
    if (errno == EPIPE) {
        //  The reader has gone: the command gets SIGPIPE, as it would without this program
        self->passing_at = self->passing_size;
        s_close_from (self);
    }
    else {
        cli_report ("cannot write to %s: %s; the output is still recorded", self->type, strerror (errno));
        self->passing_at = self->passing_size;
        self->to = -1;
    }
}

static void
s_read (cli_stream_t *self)
{
    size_t room = sizeof self->passing;
    if (self->left >= 0 && self->left < (int64_t) room)
        room = (size_t) self->left;
    ssize_t size = room? read (self->from, self->passing, room): 0;
    if (size < 0 && errno == EINTR)
        return;
    if (size <= 0) {
        s_close_from (self);
        return;
    }
    if (self->left >= 0)
        self->left -= size;
    self->passing_at = 0;
    self->passing_size = self->to < 0? 0: (size_t) size;
    s_collect (self, self->passing, (size_t) size);
    if (s_passing (self) && self->regular)
        s_write (self);
}

void
cli_stream_step (cli_stream_t *self, const struct pollfd *ready)
{
    if (!ready->revents)
        return;
    if (s_passing (self))
        s_write (self);
    else
    if (self->from >= 0)
        s_read (self);
}

//  -- the end -------------------------------------------------------------------------

void
cli_stream_end (cli_stream_t *self)
{
    int left = 0;
    if (self->from >= 0 && ioctl (self->from, FIONREAD, &left) == 0)
        self->left = left;
    else
        self->left = 0;
}

bool
cli_stream_done (const cli_stream_t *self)
{
    return s_passing (self) == 0 && (self->from < 0 || self->left == 0);
}

void
cli_stream_close (cli_stream_t *self)
{
    s_finish (self);
    s_close_from (self);
}
