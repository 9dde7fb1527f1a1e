/*  format - numbers, times and colours as people read them

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "config.h"
#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include "cli/terminal/format.h"

#define SECOND_US 1000000

cli_short_t
cli_format_digits (const char *digits)
{
    cli_short_t self = { "" };
    size_t length = strlen (digits), size = 0;
    for (size_t i = 0; i < length && size + 2 < sizeof self.text; i++) {
        self.text [size++] = digits [i];
        size_t left = length - 1 - i;
        if (left && left % 3 == 0 && digits [i] != '-')
            self.text [size++] = ',';
    }
    self.text [size] = 0;
    return self;
}

cli_short_t
cli_format_count (int64_t count)
{
    char digits [24];
    snprintf (digits, sizeof digits, "%" PRId64, count);
    return cli_format_digits (digits);
}

cli_short_t
cli_format_counted (int64_t count, const char *noun)
{
    cli_short_t self;
    snprintf (self.text, sizeof self.text, "%.24s %.20s%s", cli_format_count (count).text, noun, count == 1? "": "s");
    return self;
}

cli_short_t
cli_format_size (int64_t size_bytes)
{
    static const char *const units [] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB" };
    cli_short_t self;
    double size = (double) size_bytes;
    size_t unit = 0;
    // 1023.95 would be printed as 1024.0
    while (size >= 1023.95 && unit + 1 < sizeof units / sizeof units [0]) {
        size /= 1024;
        unit++;
    }
    int decimals = unit && size < 99.95;
    snprintf (self.text, sizeof self.text, "%.*f %s", decimals, size, units [unit]);
    return self;
}

cli_short_t
cli_format_duration (int64_t duration_us)
{
    cli_short_t self;
    const char *sign = duration_us < 0? "-": "";
    uint64_t us = duration_us < 0? -(uint64_t) duration_us: (uint64_t) duration_us;
    uint64_t s = (us + SECOND_US / 2) / SECOND_US;
    if (us == 0)
        snprintf (self.text, sizeof self.text, "0 s");
    else
    if (us < 1000)
        snprintf (self.text, sizeof self.text, "%s%" PRIu64 " us", sign, us);
    else
    if (us < SECOND_US - 500)
        snprintf (self.text, sizeof self.text, "%s%.*f ms", sign, us < 99950, (double) us / 1e3);
    else
    if (us < 59995000)
        snprintf (self.text, sizeof self.text, "%s%.*f s", sign, us < 9995000? 2: 1, (double) us / 1e6);
    else
    if (s < 3600)
        snprintf (self.text, sizeof self.text, "%s%" PRIu64 "m %02" PRIu64 "s", sign, s / 60, s % 60);
    else
    if (s < 86400)
        snprintf (self.text, sizeof self.text, "%s%" PRIu64 "h %02" PRIu64 "m", sign, s / 3600, s % 3600 / 60);
    else
        snprintf (self.text, sizeof self.text, "%s%" PRIu64 "d %02" PRIu64 "h", sign, s / 86400, s % 86400 / 3600);
    return self;
}

cli_short_t
cli_format_duration_real (double duration_us)
{
    if (duration_us > -9.2e18 && duration_us < 9.2e18)
        return cli_format_duration ((int64_t) duration_us);
    cli_short_t self = cli_format_real (duration_us);
    if (isfinite (duration_us))
        snprintf (self.text, sizeof self.text, "%.3g s", duration_us / 1e6);
    return self;
}

cli_short_t
cli_format_age (int64_t duration_us)
{
    cli_short_t self;
    if (duration_us < 0 || duration_us >= 60 * (int64_t) SECOND_US)
        return cli_format_duration (duration_us / SECOND_US * SECOND_US);
    snprintf (self.text, sizeof self.text, "%" PRId64 " s", duration_us / SECOND_US);
    return self;
}

cli_short_t
cli_format_share (double share)
{
    cli_short_t self;
    double percent = share * 100;
    if (share < 1 && percent > 99.99)
        percent = 99.99;
    snprintf (self.text, sizeof self.text, "%.*f %%", share == 1? 0: 2, percent);
    return self;
}

cli_short_t
cli_format_real (double value)
{
    cli_short_t self;
    if (!isfinite (value)) {
        snprintf (self.text, sizeof self.text, "%s", isnan (value)? "NaN": value > 0? "Infinity": "-Infinity");
        return self;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf (self.text, sizeof self.text, "%.*g", digits, value);
        if (strtod (self.text, NULL) == value)
            break;
    }
    return self;
}

//  -- zones ----------------------------------------------------------------------

//  Set once, by an option of the program
static bool s_zone_local;           // That of the C library
static int64_t s_zone_offset_s;     // East of UTC, otherwise

static int
s_parse_offset (const char *text, int64_t *offset_s)
{
    int hours = 0, minutes = 0, used = 0;
    if ((text [0] != '+' && text [0] != '-') || strspn (text + 1, "0123456789:") != strlen (text + 1))
        return -1;
    size_t digits = strspn (text + 1, "0123456789");
    int fields = digits == 4? sscanf (text + 1, "%2d%2d%n", &hours, &minutes, &used):
        sscanf (text + 1, "%2d%n:%2d%n", &hours, &used, &minutes, &used);
    if (fields < 1 || text [1 + used] || hours > 23 || minutes > 59)
        return -1;
    *offset_s = (text [0] == '-'? -1: 1) * (hours * 3600 + minutes * 60);
    return 0;
}

int
cli_zone_set (const char *zone)
{
    char path [256];
    s_zone_local = false;
    s_zone_offset_s = 0;
    if (strcasecmp (zone, "utc") == 0 || strcasecmp (zone, "z") == 0)
        return 0;
    if (s_parse_offset (zone, &s_zone_offset_s) == 0)
        return 0;
    snprintf (path, sizeof path, "/usr/share/zoneinfo/%s", zone);
    if (strcasecmp (zone, "local") != 0) {
        if (!isupper ((unsigned char) zone [0]) || strstr (zone, "..") || access (path, R_OK) != 0)
            return -1;
        setenv ("TZ", zone, 1);
    }
    tzset ();
    s_zone_local = true;
    return 0;
}

//  Broken down in the zone; NULL if that is not possible
static struct tm *
s_zone_time (int64_t time_us, struct tm *tm)
{
    time_t seconds = (time_t) (time_us / SECOND_US - (time_us % SECOND_US < 0));
    if (s_zone_local)
        return localtime_r (&seconds, tm);
    seconds += s_zone_offset_s;
    return gmtime_r (&seconds, tm);
}

//  A day of the calendar, which may be out of the range of its month
static int64_t
s_zone_day (struct tm tm)
{
    tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
    tm.tm_isdst = -1;
    return (int64_t) (s_zone_local? mktime (&tm): timegm (&tm) - s_zone_offset_s) * SECOND_US;
}

int64_t
cli_zone_midnight (int64_t time_us, int days_before)
{
    struct tm tm = { 0 };
    s_zone_time (time_us, &tm);
    tm.tm_mday -= days_before;
    return s_zone_day (tm);
}

int64_t
cli_zone_date (int year, int month, int day)
{
    return s_zone_day ((struct tm) { .tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day });
}

cli_short_t
cli_format_time (int64_t time_us)
{
    cli_short_t self;
    struct tm tm;
    if (!s_zone_time (time_us, &tm)) {
        snprintf (self.text, sizeof self.text, "%" PRId64, time_us);
        return self;
    }
    snprintf (self.text, sizeof self.text, "%04d-%02d-%02dT%02d:%02d:%02d", tm.tm_year + 1900, tm.tm_mon + 1,
        tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
    int64_t offset_s = s_zone_local? tm.tm_gmtoff: s_zone_offset_s;
    size_t used = strlen (self.text);
    if (offset_s == 0)
        snprintf (self.text + used, sizeof self.text - used, "Z");
    else
        snprintf (self.text + used, sizeof self.text - used, "%c%02d:%02d", offset_s < 0? '-': '+',
            (int) (llabs (offset_s) / 3600 % 100), (int) (llabs (offset_s) / 60 % 60));
    return self;
}

/*  -- style ------------------------------------------------------------------ */

static enum { AUTO, ALWAYS, NEVER } s_colour;

int
cli_colour_set (const char *when)
{
    static const char *const words [] = { "auto", "always", "never" };
    for (int i = AUTO; i <= NEVER; i++)
        if (strcmp (when, words [i]) == 0) {
            s_colour = i;
            return 0;
        }
    return -1;
}

cli_style_t
cli_style_of (FILE *file)
{
    cli_style_t self = { false, 0 };
    bool terminal = isatty (fileno (file));
    const char *no_color = getenv ("NO_COLOR");
    const char *term = getenv ("TERM");
    self.colour = s_colour == ALWAYS? true: s_colour == NEVER? false: terminal && !(no_color && *no_color) && !(term && strcmp (term, "dumb") == 0);

    struct winsize size;
    if (terminal && ioctl (fileno (file), TIOCGWINSZ, &size) == 0 && size.ws_col)
        self.width = size.ws_col;
    else {
        const char *columns = getenv ("COLUMNS");
        long width = columns? strtol (columns, NULL, 10): 0;
        self.width = width > 0 && width < 10000? (size_t) width: terminal? 80: 0;
    }
    return self;
}

void
cli_style_begin (const cli_style_t *self, FILE *file, cli_colour_t colour)
{
    static const char *const codes [] = {
        [CLI_PLAIN] = "", [CLI_BOLD] = "\033[1m", [CLI_DIM] = "\033[2m", [CLI_RED] = "\033[31m",
        [CLI_GREEN] = "\033[32m", [CLI_YELLOW] = "\033[33m", [CLI_CYAN] = "\033[36m"
    };
    if (self->colour)
        fputs (codes [colour], file);
}

void
cli_style_end (const cli_style_t *self, FILE *file, cli_colour_t colour)
{
    if (self->colour && colour != CLI_PLAIN)
        fputs ("\033[0m", file);
}

cli_colour_t
cli_style_state (const char *state)
{
    static const struct { const char *state; cli_colour_t colour; } colours [] = {
        { "passed", CLI_GREEN }, { "completed", CLI_GREEN },
        { "failed", CLI_RED }, { "error", CLI_RED }, { "timeout", CLI_RED },
        { "cancelled", CLI_YELLOW }, { "terminated", CLI_YELLOW },
        { "paused", CLI_YELLOW }, { "waiting_input", CLI_YELLOW },
        { "starting", CLI_CYAN }, { "running", CLI_CYAN }, { "completing", CLI_CYAN },
        { "processing", CLI_CYAN }
    };
    for (size_t i = 0; i < sizeof colours / sizeof colours [0]; i++)
        if (strcmp (colours [i].state, state) == 0)
            return colours [i].colour;
    return CLI_PLAIN;
}
