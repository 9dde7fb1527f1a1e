/*  time - the three forms of a time on the wire

    RFC 3339 and the msgpack timestamp to microseconds since the Unix epoch,
    and back to RFC 3339. Proleptic Gregorian calendar, years 1 to 9999.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdio.h>
#include <string.h>
#include "stele_error.h"
#include "wire/scan.h"
#include "wire/time.h"

#define SECOND_US INT64_C (1000000)
#define DAY_S     INT64_C (86400)
#define FIRST_S   INT64_C (-62135596800)    // 0001-01-01T00:00:00Z
#define LAST_S    INT64_C (253402300799)    // 9999-12-31T23:59:59Z

//  Days since 1970-01-01; years are counted from March, so that the leap day is the last one
static int64_t
s_days (int year, int month, int day)
{
    int shifted = month > 2? year: year - 1;
    int era = shifted / 400;
    int of_era = shifted - era * 400;
    int of_year = (153 * (month > 2? month - 3: month + 9) + 2) / 5 + day - 1;
    return (int64_t) era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static int
s_month_days (int year, int month)
{
    static const int days [] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days [month - 1] + (month == 2 && leap);
}

static int
s_in_range (int64_t seconds, int64_t fraction_us, int64_t *time_us)
{
    if (seconds < FIRST_S || seconds > LAST_S)
        return STELE_EINVALID_FIELD;
    *time_us = seconds * SECOND_US + fraction_us;
    return 0;
}

//  Parse a number of exactly 'width' digits; -1: none. Moves *text after it
static int
s_digits (const char **text, const char *end, int width)
{
    int number = 0;
    if (end - *text < width)
        return -1;
    for (int i = 0; i < width; i++) {
        char digit = *(*text)++;
        if (digit < '0' || digit > '9')
            return -1;
        number = number * 10 + (digit - '0');
    }
    return number;
}

static bool
s_char (const char **text, const char *end, const char *any_of)
{
    if (*text == end || !**text || !strchr (any_of, **text))
        return false;
    (*text)++;
    return true;
}

//  Microseconds of ".123456789", truncated; -1: malformed
static int
s_fraction (const char **text, const char *end)
{
    int fraction = 0;
    int digits = 0;
    while (*text < end && **text >= '0' && **text <= '9') {
        if (digits < 6)
            fraction = fraction * 10 + (**text - '0');
        digits++;
        (*text)++;
    }
    if (digits < 1 || digits > 9)
        return -1;
    for (; digits < 6; digits++)
        fraction *= 10;
    return fraction;
}

//  Seconds east of UTC; false: malformed
static bool
s_offset (const char **text, const char *end, int *seconds)
{
    *seconds = 0;
    if (s_char (text, end, "Zz"))
        return true;
    bool west = *text < end && **text == '-';
    if (!s_char (text, end, "+-"))
        return false;
    int hours = s_digits (text, end, 2);
    if (hours < 0 || hours > 23 || !s_char (text, end, ":"))
        return false;
    int minutes = s_digits (text, end, 2);
    if (minutes < 0 || minutes > 59)
        return false;
    *seconds = (hours * 60 + minutes) * (west? -60: 60);
    return true;
}

int
stele_time_parse (const char *text, size_t size, int64_t *time_us)
{
    const char *end = size? text + size: text;
    int year = s_digits (&text, end, 4);
    if (year < 1 || !s_char (&text, end, "-"))
        return STELE_EINVALID_FIELD;
    int month = s_digits (&text, end, 2);
    if (month < 1 || month > 12 || !s_char (&text, end, "-"))
        return STELE_EINVALID_FIELD;
    int day = s_digits (&text, end, 2);
    if (day < 1 || day > s_month_days (year, month) || !s_char (&text, end, "Tt "))
        return STELE_EINVALID_FIELD;
    int hour = s_digits (&text, end, 2);
    if (hour < 0 || hour > 23 || !s_char (&text, end, ":"))
        return STELE_EINVALID_FIELD;
    int minute = s_digits (&text, end, 2);
    if (minute < 0 || minute > 59 || !s_char (&text, end, ":"))
        return STELE_EINVALID_FIELD;
    int second = s_digits (&text, end, 2);
    if (second < 0 || second > 60)
        return STELE_EINVALID_FIELD;
    int fraction = 0;
    if (s_char (&text, end, ".") && (fraction = s_fraction (&text, end)) < 0)
        return STELE_EINVALID_FIELD;
    int offset;
    if (!s_offset (&text, end, &offset) || text != end)
        return STELE_EINVALID_FIELD;
    int64_t seconds = s_days (year, month, day) * DAY_S
        + hour * 3600 + minute * 60 + second - offset;
    //  A leap second is valid only at the end of a UTC day, and becomes the next second
    if (second == 60 && seconds % DAY_S != 0)
        return STELE_EINVALID_FIELD;
    return s_in_range (seconds, fraction, time_us);
}

static uint64_t
s_big_endian (const char *data, size_t size)
{
    uint64_t number = 0;
    for (size_t i = 0; i < size; i++)
        number = number << 8 | (unsigned char) data [i];
    return number;
}

//  The timestamp extension, -1: 32-bit seconds; nanoseconds and seconds in 30 + 34 bits; or in 32 + 64 bits
static int
s_timestamp (const stele_token_t *token, int64_t *time_us)
{
    uint64_t nanoseconds = 0;
    int64_t seconds;
    if (token->ext_type != -1)
        return STELE_EINVALID_FIELD;
    if (token->size == 4)
        seconds = (int64_t) s_big_endian (token->data, 4);
    else
    if (token->size == 8) {
        uint64_t both = s_big_endian (token->data, 8);
        nanoseconds = both >> 34;
        seconds = (int64_t) (both & ((UINT64_C (1) << 34) - 1));
    }
    else
    if (token->size == 12) {
        nanoseconds = s_big_endian (token->data, 4);
        seconds = (int64_t) s_big_endian (token->data + 4, 8);
    }
    else
        return STELE_EINVALID_FIELD;
    if (nanoseconds > 999999999)
        return STELE_EINVALID_FIELD;
    return s_in_range (seconds, (int64_t) nanoseconds / 1000, time_us);
}

//  Quotient rounded down, also before 1970
static int64_t
s_whole (int64_t number, int64_t unit)
{
    return number / unit - (number % unit < 0);
}

static int64_t
s_rest (int64_t number, int64_t unit)
{
    return (number % unit + unit) % unit;
}

int
stele_time_unpack (const void *data, size_t size, int64_t *time_us)
{
    stele_scan_t scan = stele_scan_start (data, size);
    stele_token_t token = stele_scan_next (&scan);
    if (token.kind == STELE_SCAN_INTEGER) {
        return s_in_range (s_whole (token.integer, SECOND_US),
            s_rest (token.integer, SECOND_US), time_us);
    }
    if (token.kind == STELE_SCAN_TEXT)
        return stele_time_parse (token.data, token.size, time_us);
    if (token.kind == STELE_SCAN_EXT)
        return s_timestamp (&token, time_us);
    return STELE_EINVALID_FIELD;
}

//  Put a number as that many digits
static void
s_put (char *text, int digits, int number)
{
    for (; digits-- > 0; number /= 10)
        text [digits] = (char) ('0' + number % 10);
}

void
stele_time_print (int64_t time_us, char *text, size_t size_max)
{
    int64_t seconds = s_whole (time_us, SECOND_US);
    int64_t days = s_whole (seconds, DAY_S);
    int of_day = (int) s_rest (seconds, DAY_S);
    //  The inverse of s_days
    int64_t shifted = days + 719468;
    int64_t era = s_whole (shifted, 146097);
    int of_era = (int) s_rest (shifted, 146097);
    int year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int month_from_march = (5 * of_year + 2) / 153;
    int day = of_year - (153 * month_from_march + 2) / 5 + 1;
    int month = month_from_march < 10? month_from_march + 3: month_from_march - 9;
    int64_t year = era * 400 + year_of_era + (month <= 2);
    int us = (int) s_rest (time_us, SECOND_US);
    if (year < 0 || year > 9999 || size_max < sizeof "yyyy-mm-ddThh:mm:ss.ffffffZ") {
        snprintf (text, size_max, "%04lld-%02d-%02dT%02d:%02d:%02d.%06dZ", (long long) year,
            month, day, of_day / 3600, of_day / 60 % 60, of_day % 60, us);
        return;
    }
    //  The same, some ten times faster: there is a time in every event
    memcpy (text, "yyyy-mm-ddThh:mm:ss.ffffffZ", sizeof "yyyy-mm-ddThh:mm:ss.ffffffZ");
    s_put (text, 4, (int) year);
    s_put (text + 5, 2, month);
    s_put (text + 8, 2, day);
    s_put (text + 11, 2, of_day / 3600);
    s_put (text + 14, 2, of_day / 60 % 60);
    s_put (text + 17, 2, of_day % 60);
    s_put (text + 20, 6, us);
}
