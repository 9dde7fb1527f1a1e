/*  sparkline - a row of numbers as a row of bars, one character per bar

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <math.h>
#include "cli/terminal/sparkline.h"

static const char *const s_bars [] = { "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" };

#define BARS (sizeof s_bars / sizeof s_bars [0])

//  Mean of the finite values; NaN if there is none
static double
s_mean (const double *values, size_t count)
{
    size_t used = 0;
    for (size_t i = 0; i < count; i++)
        used += isfinite (values [i]);
    double mean = 0;                // Divided before it is summed: the sum may exceed a double
    for (size_t i = 0; i < count; i++)
        if (isfinite (values [i]))
            mean += values [i] / (double) used;
    return used? mean: NAN;
}

//  Value of a column; there are at most as many columns as values
static double
s_column (const double *values, size_t count, size_t columns, size_t column)
{
    size_t from = column * count / columns;
    size_t to = (column + 1) * count / columns;
    return s_mean (values + from, to - from);
}

void
cli_sparkline_print (FILE *file, const double *values, size_t count, size_t columns)
{
    if (columns > count)
        columns = count;
    double low = INFINITY, high = -INFINITY;
    for (size_t i = 0; i < columns; i++) {
        double value = s_column (values, count, columns, i);
        low = fmin (low, value);
        high = fmax (high, value);
    }
    for (size_t i = 0; i < columns; i++) {
        double value = s_column (values, count, columns, i);
        if (!isfinite (value)) {
            fputc (' ', file);
            continue;
        }
        //  Halves, since the difference may exceed a double
        double share = high > low? (value / 2 - low / 2) / (high / 2 - low / 2): 0.5;
        size_t bar = (size_t) (share * (double) BARS);
        fputs (s_bars [bar < BARS? bar: BARS - 1], file);
    }
}
