/*  convert_time - times as earlier systems wrote them

    Text in any common form of ISO 8601 (with or without separators, offsets of one to three
    forms, no zone at all) or numbers since 1970. A time without a zone is in the zone of the
    source, UTC by default.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "config.h"
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "base/memory.h"
#include "migrate/convert.h"
#include "wire/time.h"

#define SECOND_US INT64_C (1000000)

struct convert_zone {
    bool is_offset;
    int offset_s;                   // East of UTC
    char *old_tz;                   // TZ before; NULL: not set
};

//  -- zones ----------------------------------------------------------------------------

//  "Z", "+05", "+0530" or "+05:30", at the end of a text. False: something else
static bool
s_parse_offset (const char *text, int *seconds)
{
    int hours, minutes = 0, used = 0;
    *seconds = 0;
    if ((text [0] == 'Z' || text [0] == 'z') && !text [1])
        return true;
    if ((text [0] != '+' && text [0] != '-') || !isdigit ((unsigned char) text [1]))
        return false;
    if ((sscanf (text + 1, "%2d:%2d%n", &hours, &minutes, &used) != 2 || text [1 + used])
    &&  (sscanf (text + 1, "%2d%2d%n", &hours, &minutes, &used) != 2 || text [1 + used])) {
        minutes = 0;
        if (sscanf (text + 1, "%2d%n", &hours, &used) != 1 || text [1 + used])
            return false;
    }
    *seconds = (hours * 60 + minutes) * (text [0] == '-'? -60: 60);
    return hours <= 23 && minutes >= 0 && minutes <= 59;
}

//  Does the time zone database have that name?
static bool
s_is_zone (const char *name)
{
    const char *folder = getenv ("TZDIR");
    char *path = NULL;
    if (!*name || name [0] == '/' || name [0] == '.' || strstr (name, ".."))
        return false;
    if (asprintf (&path, "%s/%s", folder && *folder? folder: "/usr/share/zoneinfo", name) < 0)
        abort ();
    char start [4] = "";
    FILE *file = fopen (path, "re");
    bool found = file && fread (start, 1, 4, file) == 4 && memcmp (start, "TZif", 4) == 0;
    if (file)
        fclose (file);
    free (path);
    return found;
}

convert_zone_t *
convert_zone_new (const char *name)
{
    int offset_s = 0;
    bool is_offset = !name || strcasecmp (name, "UTC") == 0 || s_parse_offset (name, &offset_s);
    bool is_local = name && strcmp (name, "local") == 0;
    if (!is_offset && !is_local && !s_is_zone (name))
        return NULL;
    convert_zone_t *self = STELE_NEW (convert_zone_t);
    self->is_offset = is_offset;
    self->offset_s = offset_s;
    const char *old = getenv ("TZ");
    self->old_tz = old? stele_memory_copy (old, strlen (old)): NULL;
    if (!is_offset && !is_local) {
        setenv ("TZ", name, 1);
        tzset ();
    }
    return self;
}

void
convert_zone_destroy (convert_zone_t **self_p)
{
    convert_zone_t *self = *self_p;
    if (!self)
        return;
    if (!self->is_offset) {
        if (self->old_tz)
            setenv ("TZ", self->old_tz, 1);
        else
            unsetenv ("TZ");
        tzset ();
    }
    free (self->old_tz);
    free (self);
    *self_p = NULL;
}

//  Seconds since 1970 of a wall time under one assumption about summer time. False: no such time
static bool
s_try_local (const struct tm *wall, int is_dst, time_t *seconds)
{
    struct tm copy = *wall, back;
    copy.tm_isdst = is_dst;
    *seconds = mktime (&copy);
    return localtime_r (seconds, &back) && back.tm_hour == wall->tm_hour && back.tm_min == wall->tm_min
        && back.tm_mday == wall->tm_mday && (back.tm_isdst > 0) == (is_dst > 0);
}

//  'as_utc_us' is the wall time read as UTC
static int64_t
s_from_zone (const convert_zone_t *zone, int64_t as_utc_us, bool *doubtful)
{
    if (!zone || zone->is_offset)
        return as_utc_us - (zone? zone->offset_s * SECOND_US: 0);
    int64_t fraction = (as_utc_us % SECOND_US + SECOND_US) % SECOND_US;
    time_t utc = (time_t) ((as_utc_us - fraction) / SECOND_US), summer, winter;
    struct tm wall;
    gmtime_r (&utc, &wall);
    bool is_summer = s_try_local (&wall, 1, &summer);
    bool is_winter = s_try_local (&wall, 0, &winter);
    //  In the hour that occurs twice the first is taken; one that was left out moves by the change
    *doubtful = is_summer == is_winter;
    time_t seconds = is_summer? summer: winter;
    if (!is_summer && !is_winter) {
        wall.tm_isdst = -1;
        seconds = mktime (&wall);
    }
    return (int64_t) seconds * SECOND_US + fraction;
}

//  -- texts ----------------------------------------------------------------------------

//  Parse two digits, after a separator if there is one
static bool
s_pair (const char **text, char separator, char pair [3])
{
    const char *at = *text;
    if (separator && *at == separator)
        at++;
    if (!isdigit ((unsigned char) at [0]) || !isdigit ((unsigned char) at [1]))
        return false;
    memcpy (pair, at, 2);
    *text = at + 2;
    return true;
}

//  A text in the form that stele_time_parse takes, without its zone; *rest is what follows it.
//  False: not a time
static bool
s_normalize (const char *text, char form [64], const char **rest)
{
    char month [3] = "", day [3] = "", hour [3] = "00", minute [3] = "00", second [3] = "00";
    for (int i = 0; i < 4; i++)
        if (!isdigit ((unsigned char) text [i]))
            return false;
    const char *at = text + 4;
    if (!s_pair (&at, '-', month) || !s_pair (&at, '-', day))
        return false;
    bool timed = false;
    if (*at == 'T' || *at == 't' || *at == ' ') {
        const char *clock = at + 1;
        timed = s_pair (&clock, 0, hour) && s_pair (&clock, ':', minute);
        if (timed) {
            at = clock;
            s_pair (&at, ':', second);
        }
    }
    char fraction [16] = "";
    if (timed && (*at == '.' || *at == ',') && isdigit ((unsigned char) at [1])) {
        size_t digits = strspn (at + 1, "0123456789");
        snprintf (fraction, sizeof fraction, ".%.*s", digits < 9? (int) digits: 9, at + 1);
        at += 1 + digits;
    }
    snprintf (form, 64, "%.4s-%s-%sT%s:%s:%s%s", text, month, day, hour, minute, second, fraction);
    *rest = at + strspn (at, " ");
    return true;
}

static bool
s_read_text (const convert_zone_t *zone, const char *text, convert_time_t *time)
{
    char form [64], whole [72];
    const char *rest;
    text += strspn (text, " ");
    if (!s_normalize (text, form, &rest))
        return false;
    snprintf (whole, sizeof whole, "%sZ", form);
    if (stele_time_parse (whole, strlen (whole), &time->us))
        return false;
    int offset_s;
    char end [16];
    snprintf (end, sizeof end, "%.*s", (int) strcspn (rest, " "), rest);
    if (rest [strcspn (rest, " ")] && rest [strcspn (rest, " ")] != ' ')
        return false;
    if (!*end) {
        time->us = s_from_zone (zone, time->us, &time->is_doubtful);
        time->is_zoneless = true;
        return true;
    }
    if (strcasecmp (end, "UTC") == 0 || strcasecmp (end, "GMT") == 0)
        return true;
    if (!s_parse_offset (end, &offset_s))
        return false;
    time->us -= offset_s * SECOND_US;
    return true;
}

//  -- numbers --------------------------------------------------------------------------

//  Seconds, milliseconds or microseconds since the Unix epoch, by their magnitude. Less than 10^8 s (1973)
//  is no time of a task
static bool
s_read_number (double number, convert_time_t *time)
{
    double size = fabs (number);
    double scale = size < 1e11? 1e6: size < 1e14? 1e3: 1;
    time->is_number = true;
    if (!(size >= 1e8 && size < 1e17))
        return false;
    time->us = (int64_t) llround (number * scale);
    return true;
}

//  A date as a number: 20250101, or 20250101235959. A column of SQLite may turn its digits into one
static bool
s_read_digits (const convert_zone_t *zone, const char *digits, convert_time_t *time)
{
    char text [24];
    size_t size = strlen (digits);
    if ((size != 8 && size != 14) || strspn (digits, "0123456789") != size || (digits [0] != '1' && digits [0] != '2'))
        return false;
    snprintf (text, sizeof text, "%.8s%s%s", digits, size == 14? "T": "", digits + 8);
    return s_read_text (zone, text, time);
}

bool
convert_read_time (const convert_zone_t *zone, const json_t *value, convert_time_t *time)
{
    *time = (convert_time_t) { 0 };
    bool read = false;
    char digits [32] = "";
    if (json_is_integer (value))
        snprintf (digits, sizeof digits, "%lld", (long long) json_integer_value (value));
    if (json_is_number (value))
        read = s_read_digits (zone, digits, time) || s_read_number (json_number_value (value), time);
    else
    if (json_is_string (value)) {
        const char *text = json_string_value (value);
        char *end;
        read = strlen (text) == json_string_length (value)
            && (s_read_digits (zone, text, time) || s_read_text (zone, text, time));
        //  Seconds since 1970 as text; fewer digits could be a year or a date
        if (!read && strspn (text, "0123456789.") == strlen (text) && strcspn (text, ".") >= 9) {
            double number = strtod (text, &end);
            read = !*end && s_read_number (number, time);
        }
    }
    time->is_whole = time->us % SECOND_US == 0;
    return read;
}

//  -- comparison -----------------------------------------------------------------------

//  The start of the second
static int64_t
s_floor (int64_t time_us)
{
    return time_us - (time_us % SECOND_US + SECOND_US) % SECOND_US;
}

bool
convert_same_time (int64_t one_us, int64_t other_us)
{
    bool whole = one_us % SECOND_US == 0 || other_us % SECOND_US == 0;
    return whole? s_floor (one_us) == s_floor (other_us): one_us == other_us;
}

int64_t
convert_not_before (int64_t time_us, int64_t earliest_us)
{
    return time_us < earliest_us && convert_same_time (time_us, earliest_us)? earliest_us: time_us;
}
