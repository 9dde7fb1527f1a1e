/*  progress - a bar on stderr, if that is a terminal

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLI_PROGRESS_H_INCLUDED
#define STELE_CLI_PROGRESS_H_INCLUDED

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    int64_t total;                  // 0: unknown
    const char *what;               // Name of the items counted
    bool terminal;
    int64_t started_ms, shown_ms;
} cli_progress_t;

cli_progress_t
    cli_progress_start (int64_t total, const char *what);

/*  'done' of the total is done, 'count' items are written. Drawn a few times per second. */
void
    cli_progress_show (cli_progress_t *self, int64_t done, int64_t count);

/*  Erase the bar.                                                           */
void
    cli_progress_wipe (cli_progress_t *self);

#endif
