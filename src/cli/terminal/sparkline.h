/*  sparkline - a row of numbers as a row of bars, a character each

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLI_SPARKLINE_H_INCLUDED
#define STELE_CLI_SPARKLINE_H_INCLUDED

#include <stddef.h>
#include <stdio.h>

/*  Print them in at most 'columns' characters, the lowest as the lowest bar; where
    there are more numbers than columns, a bar is the mean of its share. Numbers that
    are not finite are gaps.                                                 */
void
    cli_sparkline_print (FILE *file, const double *values, size_t count, size_t columns);

#endif
