/*  series_table - counts per minute, hour or day (stats.series) as people read them

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLI_SERIES_TABLE_H_INCLUDED
#define STELE_CLI_SERIES_TABLE_H_INCLUDED

#include <jansson.h>
#include "cli/terminal/format.h"

/*  Print the answer: without groups one row per step, else one row per group, with its trend. What the
    numbers lack goes to stderr.                                             */
void
    cli_series_print (const json_t *answer, const cli_style_t *style);

#endif
