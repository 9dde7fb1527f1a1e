/*  outfile - a file that is there whole or not at all

    What is written goes to a temporary file beside it, which takes its name when
    all of it is on the disk. A program that ends before leaves no half file.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLI_OUTFILE_H_INCLUDED
#define STELE_CLI_OUTFILE_H_INCLUDED

#include <stdbool.h>
#include <stdio.h>

typedef struct cli_outfile cli_outfile_t;

/*  Open the file at 'path', "-" for stdout. A file that exists already is refused
    (EEXIST) unless 'force'; what is no plain file (a pipe, a device) is written as it is.
    NULL: errno says why. Caller owns return value.                          */
cli_outfile_t *
    cli_outfile_open (const char *path, bool force);

/*  The stream to write to. Owned by the file.                               */
FILE *
    cli_outfile_stream (cli_outfile_t *self);

/*  Bring what was written on its way. 0, or -1: errno says why. On stdout a failure
    ends the program (cli_flush_stdout).                                     */
int
    cli_outfile_flush (cli_outfile_t *self);

/*  All is written: sync it, and give it its name. 0, or -1 with errno: then it is
    as if it had never been written.                                         */
int
    cli_outfile_finish (cli_outfile_t *self);

/*  Forget it; a file that was not finished is removed.                      */
void
    cli_outfile_close (cli_outfile_t **self_p);

#endif
