/*  time_option - times as the user writes them in options and on the wire

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLI_TIME_OPTION_H_INCLUDED
#define STELE_CLI_TIME_OPTION_H_INCLUDED

#include <jansson.h>
#include "cli/terminal/options.h"

/*  What every time option takes, for its help                               */
#define CLI_TIMES "RFC 3339, a date, now, today, yesterday, or a time ago such as 30m, 2h, 1d12h, 2w"

/*  Microseconds of a time: RFC 3339 with any offset; a date alone, today or yesterday: the first
    moment of that day in the zone of --zone; now; a time ago, such as 90s, 30m, 2h, 1d12h, 2w, perhaps
    with " ago", or in the future with '+'; a number of microseconds. 0, or -1 if it is none of these. */
int
    cli_time_read (const char *text, int64_t *time_us);

/*  The same, as of another time than now.                                   */
int
    cli_time_read_at (const char *text, int64_t now_us, int64_t *time_us);

/*  For .call of an option: check that the value is a time and store it as it is in a
    const char *. A wrong one is refused before the broker is queried.       */
cli_option_fn
    cli_take_time;

/*  Set a time in a request; nothing if the text is NULL. RFC 3339 is sent as it is,
    a number as an integer: microseconds, or the position that 'at' also takes; any other form as RFC 3339.   */
void
    cli_request_time (json_t *request, const char *key, const char *text);

#endif
