/*  relay_findings - problems of stele-relay, found in its status

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "config.h"
#include <stdio.h>
#include <string.h>
#include "cli/terminal/format.h"
#include "cli/view/findings.h"

typedef struct {
    json_t *findings;
    int64_t now_us;
    bool running;
    bool answered;                  // The broker did
} s_look_t;

#define ADD(code, level, for_ms, hint, ...) \
    cli_finding_add (self->findings, code, level, self->now_us, for_ms, hint, __VA_ARGS__)

static const char *
s_text (const json_t *object, const char *key)
{
    const char *text = json_string_value (json_object_get (object, key));
    return text? text: "";
}

//  -1 if it is not known
static int64_t
s_number (const json_t *object, const char *key)
{
    const json_t *value = json_object_get (object, key);
    return json_is_integer (value)? json_integer_value (value): -1;
}

static void
s_look_at_lag (const s_look_t *self, const json_t *target, const char *name)
{
    int64_t lag = s_number (target, "lag_events"), lag_ms = s_number (target, "lag_ms");
    if (lag_ms > CLI_RELAY_LAG_MS)
        ADD ("relay_behind", CLI_LEVEL_DEGRADED, lag_ms, "if the target is slow, raise 'parallel' of this target, or filter with 'types'",
            "the target '%s' of stele-relay is %s (%s) behind", name, cli_format_duration (lag_ms * 1000).text,
            cli_format_counted (lag, "event").text);
    else
    if (self->running && self->answered && lag < 0)
        ADD ("relay_behind", CLI_LEVEL_DEGRADED, -1, "look again; if it remains, restart stele-relay: it reads its configuration at the start",
            "stele-relay has not begun with the target '%s'", name);
}

static void
s_look_at_target (const s_look_t *self, const json_t *target)
{
    const char *name = s_text (target, "target"), *state = s_text (target, "state");
    int64_t dead = s_number (target, "dead"), lag = s_number (target, "lag_events");
    char hint [300], waiting [64] = "";
    if (lag >= 0)
        snprintf (waiting, sizeof waiting, "; its lag is %s", cli_format_counted (lag, "event").text);
    if (strcmp (state, "disabled") == 0) {
        snprintf (hint, sizeof hint, "remove it from the configuration, or 'stele-relay enable %.80s'", name);
        ADD ("relay_disabled", CLI_LEVEL_DEGRADED, -1, hint, "the target '%s' of stele-relay answered 410, and gets nothing more%s",
            name, waiting);
    }
    else
    //  With no event left, its failure was that of a dead letter
    if (strcmp (state, "failing") == 0 && lag != 0)
        ADD ("relay_failing", CLI_LEVEL_DEGRADED, -1, "correct what the message names; stele-relay tries again by itself, and loses nothing",
            "the target '%s' of stele-relay does not take events: %s%s", name, s_text (target, "error"), waiting);
    else
        s_look_at_lag (self, target, name);
    if (dead > 0) {
        snprintf (hint, sizeof hint, "'stele-relay dead list %.80s' has the reasons; then dead retry, or dead drop", name);
        ADD ("relay_dead_letters", CLI_LEVEL_DEGRADED, -1, hint, "%s could not be delivered to the target '%s' of stele-relay",
            cli_format_counted (dead, "event").text, name);
    }
}

json_t *
cli_findings_of_relay (json_t *findings, const json_t *stats, const char *text, int64_t now_us)
{
    json_t *status = json_loads (text, 0, NULL);
    const json_t *targets = json_object_get (status, "targets");
    const s_look_t look = { findings, now_us, json_is_true (json_object_get (status, "running")), json_object_get (status, "head") != NULL };
    const s_look_t *self = &look;
    if (!targets) {
        //  Its messages begin with its name
        static const char program [] = "stele-relay: ";
        const char *why = strncmp (text, program, sizeof program - 1) == 0? text + sizeof program - 1: *text? text: "it printed nothing";
        ADD ("relay_unknown", CLI_LEVEL_DEGRADED, -1, "correct what the message names: --relay (or STELE_RELAY) takes the configuration of "
            "stele-relay, and this user has to be able to read it and the state", "the state of stele-relay is not known: %.*s", (int) strcspn (why, "\n"), why);
        json_decref (status);
        return NULL;
    }
    if (!self->answered && stats)
        ADD ("relay_unknown", CLI_LEVEL_DEGRADED, -1, "look at 'requests' and 'key' in the configuration of stele-relay",
            "the lag of stele-relay is not known, because the broker of its configuration does not answer it: %s", s_text (status, "error"));
    if (!self->running)
        ADD ("relay_away", CLI_LEVEL_DEGRADED, -1, "start it: 'systemctl start stele-relay'; it continues where it was, and its log has why it "
            "ended", "stele-relay does not run: webhooks and traces wait");
    for (size_t i = 0; i < json_array_size (targets); i++)
        s_look_at_target (self, json_array_get (targets, i));
    return status;
}
