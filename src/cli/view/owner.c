/*  owner - the producer that owns a task, and whether it is alive

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdio.h>
#include <string.h>
#include "cli/view/owner.h"
#include "cli/view/value.h"

#define SILENT_MS 1000              // A producer without a lease may be dead after this long

static bool
s_is (const json_t *owner, const char *status)
{
    const char *word = cli_value_string (owner, "status");
    return word && strcmp (word, status) == 0;
}

static int64_t
s_lease_ms (const json_t *owner)
{
    return json_integer_value (json_object_get (owner, "lease_ms"));
}

//  -1: not heard since the broker was started
static int64_t
s_silent_ms (const json_t *owner)
{
    const json_t *silent = json_object_get (owner, "silent_ms");
    return json_is_integer (silent)? json_integer_value (silent): -1;
}

cli_short_t
cli_owner_silence (const json_t *owner)
{
    int64_t silent_ms = s_silent_ms (owner);
    return silent_ms < 0? (cli_short_t) { "?" }: cli_format_duration (silent_ms * 1000);
}

cli_short_t
cli_owner_lease (const json_t *owner)
{
    int64_t lease_ms = s_lease_ms (owner);
    return lease_ms <= 0? (cli_short_t) { "none" }: cli_format_duration (lease_ms < INT64_MAX / 1000? lease_ms * 1000: INT64_MAX);
}

const char *
cli_owner_status (const json_t *owner)
{
    int64_t silent_ms = s_silent_ms (owner);
    if (s_is (owner, "present") && s_lease_ms (owner) == 0 && (silent_ms < 0 || silent_ms > SILENT_MS))
        return "silent";
    return cli_value_string (owner, "status");
}

const char *
cli_owner_life (const json_t *owner, char *text)
{
    bool heard = s_silent_ms (owner) >= 0;
    char last [80];
    snprintf (last, sizeof last, heard? "last heard %s ago": "not heard since the broker was started",
        cli_owner_silence (owner).text);
    if (s_is (owner, "expired"))
        snprintf (text, CLI_OWNER_TEXT, "its lease of %s ran out; %s", cli_owner_lease (owner).text, last);
    else
    if (s_is (owner, "left"))
        snprintf (text, CLI_OWNER_TEXT, "it has ended its run; %s", last);
    else
    if (s_lease_ms (owner) > 0)
        snprintf (text, CLI_OWNER_TEXT, "%s, lease %s", last, cli_owner_lease (owner).text);
    else
    if (heard)
        snprintf (text, CLI_OWNER_TEXT, "silent for %s, no lease: it may be dead",
            cli_owner_silence (owner).text);
    else
        snprintf (text, CLI_OWNER_TEXT, "%s, no lease: it may be dead", last);
    return text;
}
