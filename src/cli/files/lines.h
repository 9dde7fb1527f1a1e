/*  lines - lines of any length from a file or a pipe, bounded in memory

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLI_LINES_H_INCLUDED
#define STELE_CLI_LINES_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*  The longest event is 8 MiB of content, at most six bytes of JSON each     */
#define CLI_LINE_BYTES_MAX (64 * 1024 * 1024)

typedef struct cli_lines cli_lines_t;

typedef enum {
    CLI_LINE,                       // A line
    CLI_LINE_TOO_LONG,              // A line that was skipped
    CLI_LINE_NONE,                  // Time-out
    CLI_LINE_INTERRUPTED,           // A signal arrived (interrupt.h)
    CLI_LINE_END,
    CLI_LINE_FAILED                 // See errno
} cli_line_result_t;

/*  Caller owns return value. The file descriptor stays the caller's.         */
cli_lines_t *
    cli_lines_new (int fd);
void
    cli_lines_destroy (cli_lines_t **self_p);

/*  The next line, without its line end; valid until the next call. The last line may lack it. */
cli_line_result_t
    cli_lines_next (cli_lines_t *self, int timeout_ms, const char **text, size_t *size);

/*  Number of the last line, from 1.                                         */
int64_t
    cli_lines_number (const cli_lines_t *self);

#endif
