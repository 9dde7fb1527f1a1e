/*  sparkline - a row of numbers as a row of bars, one character per bar

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLI_SPARKLINE_H_INCLUDED
#define STELE_CLI_SPARKLINE_H_INCLUDED

#include <stddef.h>
#include <stdio.h>

/*  Print the values in at most 'columns' characters, the lowest as the lowest bar. With more
    values than columns, each bar is the mean of its share. Values that are not finite are gaps. */
void
    cli_sparkline_print (FILE *file, const double *values, size_t count, size_t columns);

#endif
