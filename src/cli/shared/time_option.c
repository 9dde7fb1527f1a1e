/*  time_option - times as the user writes them in options and on the wire

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "cli/shared/time_option.h"
#include "base/clock.h"
#include "cli/terminal/format.h"
#include "wire/time.h"

static bool
s_is_number (const char *text, int64_t *number)
{
    char *end = NULL;
    errno = 0;
    long long value = strtoll (text, &end, 10);
    if (!*text || *end || errno)
        return false;
    *number = value;
    return true;
}

//  A date alone: 2026-01-31
static bool
s_is_date (const char *text, int64_t *time_us)
{
    int64_t valid_us;
    int year, month, day;
    char whole [32];
    if (strlen (text) != strlen ("2026-01-31") || strspn (text, "0123456789-") != strlen (text)
    ||  sscanf (text, "%4d-%2d-%2d", &year, &month, &day) != 3)
        return false;
    snprintf (whole, sizeof whole, "%sT00:00:00Z", text);
    if (stele_time_parse (whole, strlen (whole), &valid_us))
        return false;
    *time_us = cli_zone_date (year, month, day);
    return true;
}

//  A duration: numbers with units, 1d12h
static bool
s_is_duration (const char *text, int64_t *duration_us)
{
    static const struct { char unit; int64_t seconds; } units [] = {
        { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 }, { 'w', 7 * 86400 }
    };
    int64_t seconds = 0;
    if (*text == ' ')
        return false;
    while (*text && strcmp (text, " ago") != 0) {
        char *end;
        long long number = strtoll (text, &end, 10);
        size_t unit = 0;
        if (*text < '0' || *text > '9' || number > 10000000)
            return false;
        while (unit < sizeof units / sizeof units [0] && units [unit].unit != *end)
            unit++;
        if (unit == sizeof units / sizeof units [0])
            return false;
        seconds += number * units [unit].seconds;
        text = end + 1;
    }
    *duration_us = seconds * 1000000;
    return true;
}

//  What depends on the clock
static bool
s_is_relative (const char *text, int64_t now_us, int64_t *time_us)
{
    bool signed_text = *text == '-' || *text == '+';
    int64_t duration_us;
    if (strcmp (text, "now") == 0)
        *time_us = now_us;
    else
    if (strcmp (text, "today") == 0)
        *time_us = cli_zone_midnight (now_us, 0);
    else
    if (strcmp (text, "yesterday") == 0)
        *time_us = cli_zone_midnight (now_us, 1);
    else
    if (text [signed_text] && s_is_duration (text + signed_text, &duration_us))
        *time_us = *text == '+'? now_us + duration_us: now_us - duration_us;
    else
        return false;
    return true;
}

int
cli_time_read_at (const char *text, int64_t now_us, int64_t *time_us)
{
    if (s_is_number (text, time_us) || s_is_date (text, time_us) || s_is_relative (text, now_us, time_us))
        return 0;
    return stele_time_parse (text, strlen (text), time_us)? -1: 0;
}

int
cli_time_read (const char *text, int64_t *time_us)
{
    return cli_time_read_at (text, stele_clock_us (), time_us);
}

int
cli_take_time (const cli_option_t *option, const char *value, void *target, char *error, size_t error_size)
{
    int64_t time_us;
    *(const char **) ((char *) target + option->offset) = value;
    if (cli_time_read (value, &time_us) == 0)
        return 0;
    snprintf (error, error_size, "--%s: '%s' is not a time; use RFC 3339, such as 2026-01-31T23:59:59Z, a date, now, today, "
        "yesterday, or a time ago such as 30m, 2h, 1d12h, 2w%s",
        option->name, value, strcmp (option->name, "at") == 0? ", or a position": "");
    return -1;
}

void
cli_request_time (json_t *request, const char *key, const char *text)
{
    int64_t time_us;
    char whole [40];
    if (!text)
        return;
    if (s_is_number (text, &time_us)) {
        json_object_set_new (request, key, json_integer (time_us));
        return;
    }
    //  As text, since a number would be a position for 'at'
    if (s_is_date (text, &time_us) || s_is_relative (text, stele_clock_us (), &time_us)) {
        stele_time_print (time_us, whole, sizeof whole);
        text = whole;
    }
    json_object_set_new (request, key, json_string (text));
}
