/*  progress - a bar on stderr, where that is a terminal

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLI_PROGRESS_H_INCLUDED
#define STELE_CLI_PROGRESS_H_INCLUDED

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    int64_t total;                  // 0: not known
    const char *what;               // Is counted
    bool terminal;
    int64_t started_ms, shown_ms;
} cli_progress_t;

cli_progress_t
    cli_progress_start (int64_t total, const char *what);

/*  So far 'done' of the total; 'count' was written. Shows it a few times a second. */
void
    cli_progress_show (cli_progress_t *self, int64_t done, int64_t count);

void
    cli_progress_wipe (cli_progress_t *self);

#endif
