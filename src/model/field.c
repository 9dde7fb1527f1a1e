/*  field - the table of fields, and the fields of each type of event

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <string.h>
#include "model/field.h"

static const struct {
    const char *name;
    size_t name_size;
    stele_kind_t kind;
    size_t limit;
} s_fields [STELE_FIELD_COUNT] = {
#define FIELD_ROW(constant, text, type, bytes) \
    [constant] = { text, sizeof (text) - 1, STELE_KIND_##type, bytes },
    STELE_EVENT_FIELDS (FIELD_ROW)
    STELE_RECORD_FIELDS (FIELD_ROW)
#undef FIELD_ROW
};

#define B(field) STELE_FIELD_BIT (field)
#define COMMON (B (STELE_TIME) | B (STELE_USER_ID))

//  Protocol section 3, one row per event type
static const struct {
    stele_field_set_t required;
    stele_field_set_t optional;
    stele_field_set_t any_of;
} s_types [STELE_EVENT_TYPE_END] = {
    [STELE_TASK_CREATED] = {
        B (STELE_TASK_ID) | B (STELE_TITLE) | B (STELE_DESCRIPTION) | B (STELE_ROLE),
        STELE_TASK_FIELDS, 0
    },
    [STELE_TASK_UPDATED] = { B (STELE_TASK_ID), STELE_TASK_FIELDS, STELE_TASK_FIELDS },
    [STELE_TASK_STATE_CHANGED] = {
        B (STELE_TASK_ID) | B (STELE_STATE),
        B (STELE_PROVIDER) | B (STELE_MODEL) | B (STELE_ERROR_MESSAGE) | B (STELE_DETAILS), 0
    },
    [STELE_TASK_OUTPUT_ADDED] = {
        B (STELE_TASK_ID) | B (STELE_OUTPUT_TYPE) | B (STELE_CONTENT),
        B (STELE_FILE_PATH) | B (STELE_FILE_SIZE) | B (STELE_MIME_TYPE) |
        B (STELE_COMMIT_HASH) | B (STELE_BRANCH), 0
    },
    [STELE_TASK_METRIC_RECORDED] = {
        B (STELE_TASK_ID) | B (STELE_NAME) | B (STELE_VALUE), B (STELE_UNIT), 0
    },
    [STELE_SESSION_STARTED] = {
        B (STELE_SESSION_ID) | B (STELE_CLI_TOOL) | B (STELE_MODE) | B (STELE_CURRENT_DIRECTORY),
        B (STELE_STATE) | B (STELE_PID) | B (STELE_AUTHENTICATION_REQUIRED) |
        B (STELE_AUTH_PROMPT) | B (STELE_TASK_ID), 0
    },
    [STELE_SESSION_STATE_CHANGED] = { B (STELE_SESSION_ID) | B (STELE_STATE), 0, 0 },
    [STELE_SESSION_COMMAND_EXECUTED] = {
        B (STELE_SESSION_ID) | B (STELE_COMMAND),
        B (STELE_OUTPUT) | B (STELE_EXECUTION_TIME_MS) | B (STELE_EXIT_CODE), 0
    },
    [STELE_PREFERENCE_SET] = {
        0,
        B (STELE_PREFERRED_PROVIDER) | B (STELE_PREFERRED_MODEL) |
        B (STELE_FULL_ACCESS_PREFERRED) | B (STELE_ROLE_PREFERENCES),
        B (STELE_PREFERRED_PROVIDER) | B (STELE_PREFERRED_MODEL) |
        B (STELE_FULL_ACCESS_PREFERRED) | B (STELE_ROLE_PREFERENCES)
    },
    [STELE_AUDIT_RECORDED] = {
        B (STELE_WHO) | B (STELE_OPERATION) | B (STELE_OUTCOME),
        B (STELE_TARGET) | B (STELE_PEER) | B (STELE_REQUEST_ID) | B (STELE_COUNT) |
        B (STELE_IMPORTED) | B (STELE_DETAILS), 0
    }
};

const char *
stele_field_name (stele_field_t field)
{
    return s_fields [field].name;
}

stele_kind_t
stele_field_kind (stele_field_t field)
{
    return s_fields [field].kind;
}

size_t
stele_field_limit (stele_field_t field)
{
    return s_fields [field].limit;
}

stele_field_t
stele_field_find (const char *name, size_t size)
{
    for (int field = 0; field < STELE_EVENT_FIELD_COUNT; field++)
        if (s_fields [field].name_size == size
        &&  s_fields [field].name [0] == name [0]
        &&  memcmp (s_fields [field].name, name, size) == 0)
            return (stele_field_t) field;
    return STELE_FIELD_NONE;
}

stele_field_set_t
stele_field_required (stele_event_type_t type)
{
    return s_types [type].required;
}

stele_field_set_t
stele_field_known (stele_event_type_t type)
{
    return s_types [type].required | s_types [type].optional | COMMON;
}

stele_field_t
stele_field_subject (int type)
{
    static const stele_field_t fields [] = {
        [STELE_SUBJECT_NONE] = STELE_FIELD_NONE, [STELE_SUBJECT_TASK] = STELE_TASK_ID,
        [STELE_SUBJECT_SESSION] = STELE_SESSION_ID, [STELE_SUBJECT_PREFERENCE] = STELE_USER_ID,
        [STELE_SUBJECT_AUDIT] = STELE_WHO
    };
    return fields [stele_event_subject (type)];
}

stele_field_set_t
stele_field_any_of (stele_event_type_t type)
{
    return s_types [type].any_of;
}
