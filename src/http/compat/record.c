/*  record - records of the broker in the form that the earlier system answered them

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdio.h>
#include <string.h>
#include "base/character.h"
#include "base/memory.h"
#include "http/compat/record.h"
#include "wire/json/json.h"
#include "wire/scan.h"
#include "wire/time.h"

typedef enum {
    TEXT,                           // Never null: clients validate
    TEXT_OR_NULL,
    ROLE,                           // "unknown" for a task that was never created
    BRANCH,                         // auto/ROLE/ID, unless the task has one
    SOCKET,                         // The path of a session's WebSocket, which the broker does not have
    INTEGER,
    INTEGER_OR_NULL,
    FLAG,
    OBJECT,                         // {} if absent
    TIME,
    TIME_OR_NULL,
    SECONDS,                        // A time without a fraction
    UNIX                            // Seconds since the epoch, as a number
} s_kind_t;

typedef struct {
    const char *name;
    const char *from;               // The field of the broker's record
    s_kind_t kind;
} s_field_t;

#define TASK_ID { "id", "task_id", TEXT }

static const s_field_t s_task [] = {
    TASK_ID, { "role", "role", ROLE }, { "branch", "branch", BRANCH }, { "state", "state", TEXT },
    { "last_error", "last_error", TEXT_OR_NULL }, { "provider", "provider", TEXT_OR_NULL }, { "model", "model", TEXT_OR_NULL },
    { .name = NULL }
};

static const s_field_t s_task_record [] = {
    TASK_ID, { "title", "title", TEXT }, { "description", "description", TEXT }, { "role", "role", ROLE },
    { "state", "state", TEXT }, { "created_at", "created_at", TIME }, { "updated_at", "updated_at", TIME },
    { "completed_at", "completed_at", TIME_OR_NULL }, { "started_at", "started_at", TIME_OR_NULL },
    { "provider", "provider", TEXT_OR_NULL }, { "model", "model", TEXT_OR_NULL }, { "branch", "branch", TEXT_OR_NULL },
    { "commit_hash", "commit_hash", TEXT_OR_NULL }, { "last_error", "last_error", TEXT_OR_NULL },
    { "error_count", "error_count", INTEGER }, { "full_access", "full_access", FLAG }, { "target_dir", "target_dir", TEXT },
    { .name = NULL }
};

static const s_field_t s_history [] = {
    { "id", "id", INTEGER }, { "state_from", "state_from", TEXT_OR_NULL }, { "state_to", "state_to", TEXT },
    { "timestamp", "timestamp", SECONDS }, { "provider", "provider", TEXT_OR_NULL }, { "model", "model", TEXT_OR_NULL },
    { "error_message", "error_message", TEXT_OR_NULL }, { "details", "details", OBJECT }, { "user_id", "user_id", TEXT },
    { .name = NULL }
};

static const s_field_t s_output [] = {
    { "id", "id", INTEGER }, { "output_type", "output_type", TEXT }, { "content", "content", TEXT },
    { "timestamp", "timestamp", SECONDS }, { "file_path", "file_path", TEXT_OR_NULL },
    { "file_size", "file_size", INTEGER_OR_NULL }, { "mime_type", "mime_type", TEXT_OR_NULL },
    { "commit_hash", "commit_hash", TEXT_OR_NULL }, { "branch", "branch", TEXT_OR_NULL }, { .name = NULL }
};

static const s_field_t s_session [] = {
    { "session_id", "session_id", TEXT }, { "cli_tool", "cli_tool", TEXT }, { "mode", "mode", TEXT },
    { "state", "state", TEXT }, { "pid", "pid", INTEGER_OR_NULL }, { "created_at", "created_at", UNIX },
    { "last_activity", "updated_at", UNIX }, { "authentication_required", "authentication_required", FLAG },
    { "current_directory", "current_directory", TEXT }, { "websocket_url", "session_id", SOCKET }, { .name = NULL }
};

static const s_field_t s_message [] = {
    { "type", "type", TEXT }, { "content", "content", TEXT }, { "timestamp", "timestamp", TIME },
    { "direction", "direction", TEXT }, { "metadata", "metadata", OBJECT }, { .name = NULL }
};

static const struct {
    const char *name;
    const s_field_t *fields;
} s_records [HTTP_COMPAT_RECORD_COUNT] = {
    [HTTP_COMPAT_TASK] = { "EarlierTask", s_task }, [HTTP_COMPAT_TASK_RECORD] = { "EarlierTaskRecord", s_task_record },
    [HTTP_COMPAT_HISTORY] = { "EarlierHistory", s_history }, [HTTP_COMPAT_OUTPUT] = { "EarlierOutput", s_output },
    [HTTP_COMPAT_SESSION] = { "EarlierSession", s_session }, [HTTP_COMPAT_MESSAGE] = { "EarlierMessage", s_message }
};

//  -- values ---------------------------------------------------------------------------------------

//  As Python's errors="replace" does for single bytes
static json_t *
s_mended (const char *bytes, size_t size)
{
    char *text = stele_memory_new (3 * size + 1);
    size_t used = 0;
    for (size_t i = 0, step; i < size; i += step) {
        uint32_t code;
        step = stele_character_decode (bytes + i, size - i, &code);
        memcpy (text + used, step? bytes + i: "\xef\xbf\xbd", step? step: 3);
        used += step? step: 3;
        step += step == 0;
    }
    json_t *json = json_stringn (text, used);
    free (text);
    return json;
}

json_t *
http_compat_text (const stele_map_t *row, const char *key)
{
    stele_token_t token = stele_scan_find (row->data, row->size, key, NULL, NULL);
    if (token.kind == STELE_SCAN_BYTES)
        return s_mended (token.data, token.size);
    return token.kind == STELE_SCAN_TEXT? json_stringn (token.data, token.size): json_string ("");
}

json_t *
http_compat_text_or_null (const stele_map_t *row, const char *key)
{
    json_t *text = http_compat_text (row, key);
    if (!text || json_string_length (text))
        return text;
    json_decref (text);
    return json_null ();
}

json_t *
http_compat_object (const stele_map_t *row, const char *key)
{
    const void *data;
    size_t size;
    if (stele_scan_find (row->data, row->size, key, &data, &size).kind != STELE_SCAN_MAP)
        return json_object ();
    char *text = stele_json_print (data, size, false);
    json_t *json = text? json_loads (text, JSON_ALLOW_NUL, NULL): NULL;
    free (text);
    return json;
}

json_t *
http_compat_time (int64_t time_us, bool seconds)
{
    char text [32];
    stele_time_print (time_us, text, sizeof text);
    char *point = strchr (text, '.');
    if (point)
        point [seconds || time_us % 1000000 == 0? 0: 7] = 0;
    return json_string (text);
}

json_t *
http_compat_time_or_null (const stele_map_t *row, const char *key)
{
    int64_t time_us;
    return stele_map_integer (row, key, &time_us)? http_compat_time (time_us, false): json_null ();
}

static json_t *
s_role (const stele_map_t *row)
{
    json_t *role = http_compat_text_or_null (row, "role");
    return json_is_null (role)? json_string ("unknown"): role;
}

static json_t *
s_branch (const stele_map_t *row)
{
    json_t *branch = http_compat_text_or_null (row, "branch");
    if (!json_is_null (branch))
        return branch;
    json_t *role = s_role (row), *id = http_compat_text (row, "task_id");
    branch = role && id? json_sprintf ("auto/%s/%s", json_string_value (role), json_string_value (id)): NULL;
    json_decref (role);
    json_decref (id);
    return branch;
}

static json_t *
s_socket (const stele_map_t *row)
{
    json_t *id = http_compat_text (row, "session_id");
    json_t *path = id? json_sprintf ("/ws/cli/%s", json_string_value (id)): NULL;
    json_decref (id);
    return path;
}

static json_t *
s_value (const s_field_t *field, const stele_map_t *row)
{
    int64_t number = 0;
    bool flag = false;
    switch (field->kind) {
        case TEXT:
            return http_compat_text (row, field->from);
        case TEXT_OR_NULL:
            return http_compat_text_or_null (row, field->from);
        case ROLE:
            return s_role (row);
        case BRANCH:
            return s_branch (row);
        case SOCKET:
            return s_socket (row);
        case FLAG:
            stele_map_bool (row, field->from, &flag);
            return json_boolean (flag);
        case OBJECT:
            return http_compat_object (row, field->from);
        case TIME_OR_NULL:
            return http_compat_time_or_null (row, field->from);
        case INTEGER_OR_NULL:
            return stele_map_integer (row, field->from, &number)? json_integer (number): json_null ();
        default:
            stele_map_integer (row, field->from, &number);
            return field->kind == INTEGER? json_integer (number): field->kind == UNIX? json_real ((double) number / 1e6):
                http_compat_time (number, field->kind == SECONDS);
    }
}

json_t *
http_compat_record (http_compat_record_t record, const stele_map_t *row)
{
    json_t *object = json_object ();
    for (const s_field_t *field = s_records [record].fields; field->name; field++)
        if (json_object_set_new (object, field->name, s_value (field, row)) != 0) {
            json_decref (object);
            return NULL;
        }
    return object;
}

char *
http_compat_print (const json_t *json)
{
    //  16 digits: microseconds of a time in seconds, and 0.12 is not 0.12000000000000001
    return json_dumps (json, JSON_COMPACT | JSON_REAL_PRECISION (16));
}

//  -- schemas ----------------------------------------------------------------------------------------

static json_t *
s_schema (s_kind_t kind)
{
    switch (kind) {
        case TEXT_OR_NULL:
        case TIME_OR_NULL:
            return json_pack ("{s[ss]}", "type", "string", "null");
        case INTEGER:
            return json_pack ("{ss}", "type", "integer");
        case INTEGER_OR_NULL:
            return json_pack ("{s[ss]}", "type", "integer", "null");
        case FLAG:
            return json_pack ("{ss}", "type", "boolean");
        case OBJECT:
            return json_pack ("{ss}", "type", "object");
        case UNIX:
            return json_pack ("{ss}", "type", "number");
        default:
            return json_pack ("{ss}", "type", "string");
    }
}

void
http_compat_schemas (json_t *schemas)
{
    for (int record = 0; record < HTTP_COMPAT_RECORD_COUNT; record++) {
        json_t *properties = json_object (), *required = json_array ();
        for (const s_field_t *field = s_records [record].fields; field->name; field++) {
            json_object_set_new (properties, field->name, s_schema (field->kind));
            json_array_append_new (required, json_string (field->name));
        }
        json_object_set_new (schemas, s_records [record].name, json_pack ("{ss, so, so, sb}", "type", "object",
            "required", required, "properties", properties, "additionalProperties", 0));
    }
}
