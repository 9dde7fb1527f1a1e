/*  filter - which events a target gets

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <string.h>
#include "relay/filter.h"

const char *
relay_event_text (const stele_event_t *event, const char *field)
{
    const char *text = stele_event_string (event, field, NULL);
    return text? text: "";
}

static bool
s_has (const cli_list_t *list, const char *word)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp (list->items [i], word) == 0)
            return true;
    return false;
}

static bool
s_has_type (const cli_list_t *list, const char *type)
{
    for (size_t i = 0; i < list->count; i++) {
        size_t size = strlen (list->items [i]);
        if (list->items [i] [size - 1] == '*'? strncmp (list->items [i], type, size - 1) == 0: strcmp (list->items [i], type) == 0)
            return true;
    }
    return list->count == 0;
}

static const char *
s_text (const json_t *record, const char *key)
{
    const char *text = json_string_value (json_object_get (record, key));
    return text? text: "";
}

//  The session of an event; NULL in *session: there is none
static int
s_session (relay_source_t *source, const char *session_id, json_t **session)
{
    json_t *request = json_pack ("{ss, ss}", "op", "session.get", "session_id", session_id), *answer = NULL;
    int code = relay_source_ask (source, request, &answer);
    json_decref (request);
    *session = code == 0? json_incref (json_object_get (answer, "session")): NULL;
    json_decref (answer);
    return code == STELE_ENOT_FOUND? 0: code;
}

//  By the task and the user to which the event belongs
static int
s_belongs (const relay_target_settings_t *target, relay_source_t *source, const stele_event_t *event)
{
    json_t *session = NULL, *task = NULL;
    const char *task_id = relay_event_text (event, "task_id"), *type = stele_event_type (event);
    int code = 0;
    if (strncmp (type, "session.", 8) == 0) {
        code = s_session (source, relay_event_text (event, "session_id"), &session);
        task_id = s_text (session, "task_id");
    }
    if (code == 0 && *task_id)
        code = relay_source_task (source, task_id, stele_event_position (event), &task);
    const char *user = session? s_text (session, "user_id"): task? s_text (task, "user_id"):
        strncmp (type, "preference.", 11) == 0? relay_event_text (event, "user_id"): "";
    bool passes = (target->roles.count == 0 || s_has (&target->roles, s_text (task, "role")))
        && (target->users.count == 0 || s_has (&target->users, user));
    json_decref (session);
    json_decref (task);
    return code == 0? passes: code;
}

int
relay_filter_passes (const relay_target_settings_t *target, relay_source_t *source, const stele_event_t *event)
{
    if (!s_has_type (&target->types, stele_event_type (event)))
        return 0;
    if (target->states.count > 0 && !s_has (&target->states, relay_event_text (event, "state")))
        return 0;
    return target->roles.count + target->users.count == 0? 1: s_belongs (target, source, event);
}
