/*  stream - one output of a command: passed through, and collected for the record

    Bytes are passed through unchanged and without delay. If they cannot be written at once, the
    stream reads no more, so that the command waits as it would without this program.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLI_STREAM_H_INCLUDED
#define STELE_CLI_STREAM_H_INCLUDED

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "cli/run/task_events.h"

/*  Called with what was collected: a whole number of characters, if it is UTF-8 */
typedef void (cli_stream_fn) (const char *type, const char *bytes, size_t size, void *arg);

typedef struct {
    const char *type;               // stdout or stderr
    int from, to;                   // -1: closed
    bool regular;                   // 'to' is a file, which is always ready
    int64_t left;                   // Bytes to read after the end of the command; -1: it runs
    char passing [CLI_OUTPUT_BYTES];    // To be written to 'to'
    size_t passing_at, passing_size;
    char *collected;
    size_t collected_size, collected_room;
    int64_t since_ms;               // When the first byte of it came
    int64_t tail;                   // Collect only the last bytes, until the end; 0: all, -1: none
    int64_t cut;                    // Bytes before the tail
    cli_stream_fn *fn;
    void *arg;
} cli_stream_t;

/*  Read from 'from', which the stream closes, and pass on to 'to'.          */
void
    cli_stream_open (cli_stream_t *self, const char *type, int from, int to, int64_t tail, cli_stream_fn *fn,
        void *arg);

/*  What to wait for, if reading is allowed. The descriptor may be -1.        */
struct pollfd
    cli_stream_wait (const cli_stream_t *self, bool may_read);

/*  Read or write, after poll.                                               */
void
    cli_stream_step (cli_stream_t *self, const struct pollfd *ready);

/*  Hand over what was collected, if that is older than age_ms.              */
void
    cli_stream_flush (cli_stream_t *self, int64_t age_ms);

/*  The command has ended: read only what it has left. Processes that it left behind may still
    write.                                                                   */
void
    cli_stream_end (cli_stream_t *self);

/*  Is everything passed on?                                                 */
bool
    cli_stream_done (const cli_stream_t *self);

/*  Hand over all that was collected, and close.                             */
void
    cli_stream_close (cli_stream_t *self);

#endif
