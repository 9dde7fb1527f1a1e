/*  rejects - lines of an input that are not events, kept in a file

    JSON Lines, one object per refused line: "line" (its number in the input), "reason", and "text",
    the line as it came. A line that is not UTF-8 has {"$bin":base64} as its text, a line that was
    skipped unread has null. The file is opened when the first line is refused, and never truncated.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLI_REJECTS_H_INCLUDED
#define STELE_CLI_REJECTS_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct cli_rejects cli_rejects_t;

/*  Caller owns return value. Creates no file.                               */
cli_rejects_t *
    cli_rejects_new (const char *path);

/*  Close the file without syncing it.                                       */
void
    cli_rejects_destroy (cli_rejects_t **self_p);

/*  Is the file to write the file that 'fd' reads? Then every refused line would be read again. */
bool
    cli_rejects_is_input (const cli_rejects_t *self, int fd);

/*  Could a line be kept? Creates nothing. 0, or -1 with errno.              */
int
    cli_rejects_check (const cli_rejects_t *self);

/*  Append a refused line; 'text' may be NULL. 0, or -1 with errno: the line is not kept. */
int
    cli_rejects_add (cli_rejects_t *self, int64_t line, const char *reason,
        const char *text, size_t size);

/*  Number of lines kept.                                                    */
int64_t
    cli_rejects_count (const cli_rejects_t *self);

/*  Sync what was written. 0, or -1 with errno.                              */
int
    cli_rejects_finish (cli_rejects_t *self);

#endif
