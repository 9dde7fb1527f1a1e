/*  progress - a bar on stderr, if that is a terminal

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "cli/terminal/format.h"
#include "cli/terminal/progress.h"

#define EVERY_MS 200
#define BAR 30                      // Columns

cli_progress_t
cli_progress_start (int64_t total, const char *what)
{
    return (cli_progress_t) {
        .total = total, .what = what, .terminal = isatty (STDERR_FILENO),
        .started_ms = stele_clock_steady_ms ()
    };
}

void
cli_progress_show (cli_progress_t *self, int64_t done, int64_t count)
{
    int64_t now = stele_clock_steady_ms ();
    if (!self->terminal || now - self->shown_ms < EVERY_MS)
        return;
    self->shown_ms = now;
    double share = self->total > 0 && done < self->total? (double) done / (double) self->total: 1;
    char bar [BAR + 1];
    memset (bar, '.', BAR);
    memset (bar, '#', (size_t) (share * BAR));
    bar [BAR] = 0;
    int64_t rate = now > self->started_ms? count * 1000 / (now - self->started_ms): 0;
    fprintf (stderr, "\r\033[K[%s] %3d %%  %s %s, %s/s", bar, (int) (share * 100),
        cli_format_count (count).text, self->what, cli_format_count (rate).text);
    fflush (stderr);
}

void
cli_progress_wipe (cli_progress_t *self)
{
    if (self->shown_ms)
        fputs ("\r\033[K", stderr);
    self->shown_ms = 0;
}
