/*  format - numbers, times and colours as people read them

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLI_FORMAT_H_INCLUDED
#define STELE_CLI_FORMAT_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/*  A short text, returned by value                                          */
typedef struct { char text [48]; } cli_short_t;

/*  47814 as "47,814"                                                        */
cli_short_t
    cli_format_count (int64_t count);

/*  The same for the text of a whole number of any size                      */
cli_short_t
    cli_format_digits (const char *digits);

/*  The same with a noun: "1 event", "2,000 events"                          */
cli_short_t
    cli_format_counted (int64_t count, const char *noun);

/*  Bytes: "312 B", "4.2 KiB", "17 MiB"                                      */
cli_short_t
    cli_format_size (int64_t size_bytes);

/*  Microseconds: "85 us", "12.3 ms", "4.20 s", "3m 12s", "2h 05m", "3d 04h" */
cli_short_t
    cli_format_duration (int64_t duration_us);

/*  The same for a real number of any size: "1e+297 s", "NaN"                */
cli_short_t
    cli_format_duration_real (double duration_us);

/*  The same in whole seconds: "12 s", "3m 12s"                              */
cli_short_t
    cli_format_age (int64_t duration_us);

/*  A share as "99.98 %"; "100 %" only for 1                                 */
cli_short_t
    cli_format_share (double share);

/*  A real number with as few digits as read back as the same number; "NaN", "Infinity" */
cli_short_t
    cli_format_real (double value);

/*  Microseconds since the Unix epoch as "2026-01-31T23:59:59Z", or with the offset of the zone that
    was set: "2026-02-01T01:59:59+02:00". The year has four digits.          */
cli_short_t
    cli_format_time (int64_t time_us);

/*  The zone of times that are shown, and of days: "UTC" (the default), "local", an offset ("+02:00",
    "+0200", "+2") or a name ("Europe/Berlin"). 0, or -1 if it is none of these. */
int
    cli_zone_set (const char *zone);

/*  The first moment of the day of that time in the zone, or of so many days before. */
int64_t
    cli_zone_midnight (int64_t time_us, int days_before);

/*  The first moment of a date in the zone.                                  */
int64_t
    cli_zone_date (int year, int month, int day);

/*  -- style ------------------------------------------------------------------ */

typedef enum {
    CLI_PLAIN, CLI_BOLD, CLI_DIM, CLI_RED, CLI_GREEN, CLI_YELLOW, CLI_CYAN
} cli_colour_t;

typedef struct {
    bool colour;                    // Print escape sequences
    size_t width;                   // Most columns of a line, 0: no bound
} cli_style_t;

/*  The style for a file: colour only on a terminal, without NO_COLOR; the width of the terminal,
    otherwise COLUMNS, otherwise no bound.                                   */
cli_style_t
    cli_style_of (FILE *file);

/*  When styles have colour: "auto" (as above), "always" or "never". 0, or -1 for another word. */
int
    cli_colour_set (const char *when);

/*  Start and end a colour; nothing if the style has none.                   */
void
    cli_style_begin (const cli_style_t *self, FILE *file, cli_colour_t colour);
void
    cli_style_end (const cli_style_t *self, FILE *file, cli_colour_t colour);

/*  Colour of a state of a task or a session.                                */
cli_colour_t
    cli_style_state (const char *state);

#endif
