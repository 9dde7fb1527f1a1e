/*  outfile - an output file that is complete or absent

    Data goes to a temporary file in the same folder, which is renamed when all of it is synced.
    A program that ends before leaves no partial file.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLI_OUTFILE_H_INCLUDED
#define STELE_CLI_OUTFILE_H_INCLUDED

#include <stdbool.h>
#include <stdio.h>

typedef struct cli_outfile cli_outfile_t;

/*  Open the file at 'path', "-" for stdout. An existing file is refused (EEXIST) unless 'force';
    a pipe or a device is written directly. NULL with errno on failure. Caller owns return value. */
cli_outfile_t *
    cli_outfile_open (const char *path, bool force);

/*  The stream to write to. Owned by the file.                               */
FILE *
    cli_outfile_stream (cli_outfile_t *self);

/*  Flush what was written. 0, or -1 with errno. On stdout a failure ends the program
    (cli_flush_stdout).                                                      */
int
    cli_outfile_flush (cli_outfile_t *self);

/*  Everything is written: sync the file and rename it. 0, or -1 with errno: then no file was
    created.                                                                 */
int
    cli_outfile_finish (cli_outfile_t *self);

/*  Close it; an unfinished file is removed.                                 */
void
    cli_outfile_close (cli_outfile_t **self_p);

#endif
