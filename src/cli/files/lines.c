/*  lines - lines of any length from a file or a pipe, bounded in memory

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/memory.h"
#include "cli/files/interrupt.h"
#include "cli/files/lines.h"

#define READ_BYTES (256 * 1024)

struct cli_lines {
    int fd;
    char *buffer;
    size_t room;
    size_t start;                   // Of the data not yet returned
    size_t end;
    size_t searched;                // No end of line before this
    int64_t number;
    bool skipping;                  // Inside a line that is too long
    bool ended;
};

cli_lines_t *
cli_lines_new (int fd)
{
    cli_lines_t *self = STELE_NEW (cli_lines_t);
    self->fd = fd;
    return self;
}

void
cli_lines_destroy (cli_lines_t **self_p)
{
    cli_lines_t *self = *self_p;
    if (!self)
        return;
    free (self->buffer);
    free (self);
    *self_p = NULL;
}

//  Make room for another read after 'end'
static void
s_make_room (cli_lines_t *self)
{
    if (self->start) {
        memmove (self->buffer, self->buffer + self->start, self->end - self->start);
        self->end -= self->start;
        self->searched -= self->start;
        self->start = 0;
    }
    self->buffer = stele_array_must_grow (self->buffer, &self->room, self->end + READ_BYTES, 1);
}

//  Take a complete line from the buffer
static bool
s_take (cli_lines_t *self, const char **text, size_t *size)
{
    if (self->searched == self->end && !self->ended)
        return false;
    char *from = self->buffer + self->searched;
    char *found = self->end > self->searched? memchr (from, '\n', self->end - self->searched): NULL;
    self->searched = self->end;
    if (!found && !(self->ended && self->end > self->start))
        return false;
    size_t end = found? (size_t) (found - self->buffer): self->end;
    *text = self->buffer + self->start;
    *size = end - self->start;
    self->start = self->searched = end + (found != NULL);
    self->number++;
    return true;
}

static cli_line_result_t
s_read (cli_lines_t *self, int timeout_ms)
{
    int ready = cli_interrupt_wait (self->fd, timeout_ms);
    if (ready < 0)
        return CLI_LINE_INTERRUPTED;
    if (ready == 0)
        return CLI_LINE_NONE;
    s_make_room (self);
    ssize_t count = read (self->fd, self->buffer + self->end, self->room - self->end);
    if (count < 0)
        return errno == EINTR || errno == EAGAIN? CLI_LINE_NONE: CLI_LINE_FAILED;
    self->end += (size_t) count;
    self->ended = count == 0;
    return CLI_LINE;
}

cli_line_result_t
cli_lines_next (cli_lines_t *self, int timeout_ms, const char **text, size_t *size)
{
    while (true) {
        if (s_take (self, text, size)) {
            if (!self->skipping)
                return CLI_LINE;
            self->skipping = false;
            return CLI_LINE_TOO_LONG;
        }
        if (self->ended && self->skipping) {
            self->skipping = false;
            self->number++;
            return CLI_LINE_TOO_LONG;
        }
        if (self->ended)
            return CLI_LINE_END;
        if (self->end - self->start > CLI_LINE_BYTES_MAX || self->skipping) {
            self->skipping = true;
            self->start = self->searched = self->end;
        }
        cli_line_result_t result = s_read (self, timeout_ms);
        if (result != CLI_LINE)
            return result;
    }
}

int64_t
cli_lines_number (const cli_lines_t *self)
{
    return self->number;
}
