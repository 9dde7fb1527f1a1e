/*  time_option - times as the user writes them in options and on the wire

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "cli/shared/time_option.h"
#include "wire/time.h"

typedef struct { char text [32]; } s_room_t;

//  A date alone as its first moment; any other text as it is. Valid as long as both.
static const char *
s_whole (const char *text, s_room_t *room)
{
    if (strlen (text) != strlen ("2026-01-31") || strspn (text, "0123456789-") != strlen (text)
    ||  !strchr (text, '-'))
        return text;
    snprintf (room->text, sizeof room->text, "%sT00:00:00Z", text);
    return room->text;
}

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

int
cli_time_read (const char *text, int64_t *time_us)
{
    s_room_t room;
    if (s_is_number (text, time_us))
        return 0;
    const char *whole = s_whole (text, &room);
    return stele_time_parse (whole, strlen (whole), time_us)? -1: 0;
}

int
cli_take_time (const cli_option_t *option, const char *value, void *target, char *error, size_t error_size)
{
    int64_t time_us;
    *(const char **) ((char *) target + option->offset) = value;
    if (cli_time_read (value, &time_us) == 0)
        return 0;
    snprintf (error, error_size, "--%s: '%s' is not a time; use RFC 3339, such as 2026-01-31T23:59:59Z, or a date%s",
        option->name, value, strcmp (option->name, "at") == 0? ", or a position": "");
    return -1;
}

void
cli_request_time (json_t *request, const char *key, const char *text)
{
    s_room_t room;
    int64_t number;
    if (!text)
        return;
    json_object_set_new (request, key,
        s_is_number (text, &number)? json_integer (number): json_string (s_whole (text, &room)));
}
