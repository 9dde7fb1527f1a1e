/*  field - the table of all fields of events and records

    Shared by all folders: wire decodes and encodes these fields, the ledger binds
    them to columns, the cache writes them to hashes. Limits are in bytes, from
    protocol section 3.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_FIELD_H_INCLUDED
#define STELE_FIELD_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "model/vocabulary.h"

#define STELE_LIMIT_ID           255
#define STELE_LIMIT_WORD         1024
#define STELE_LIMIT_TITLE        1024
#define STELE_LIMIT_PATH         65536
#define STELE_LIMIT_TEXT         1048576
#define STELE_LIMIT_CONTENT      8388608
#define STELE_LIMIT_NESTING      16
#define STELE_LIMIT_REASON       1024

/*  Key of an erased event with the hash of its line, in hex digits (ledger/erase.h). Not a field: only the broker writes it. */
#define STELE_ERASED_LEAF        "erased_leaf"
#define STELE_ERASED_LEAF_SIZE   64
/*  How the JSON of the key begins, in the column extra of its row (sql/009-erase.sql) */
#define STELE_ERASED_BEGIN       "{\"" STELE_ERASED_LEAF "\":\""

/*  Kinds of values                                                          */
typedef enum {
    STELE_KIND_ID,                  // Text, at least one byte
    STELE_KIND_TEXT,                // Text
    STELE_KIND_CONTENT,             // Text or bytes
    STELE_KIND_NATURAL,             // Integer 0 .. 2^63-1
    STELE_KIND_INTEGER,             // Integer
    STELE_KIND_NUMBER,              // Any integer or float
    STELE_KIND_BOOL,
    STELE_KIND_TIME,                // Microseconds since the Unix epoch
    STELE_KIND_MAP,                 // Map with any content, JSON in the ledger
    STELE_KIND_STATE,               // Word: of tasks or of sessions, by the type of the event
    STELE_KIND_OUTPUT_TYPE,         // Word
    STELE_KIND_EVENT_TYPE           // Word
} stele_kind_t;

/*  X (constant, name, kind, limit in bytes)                                 */
#define STELE_EVENT_FIELDS(X) \
    X (STELE_TIME,                "time",                  TIME,        0) \
    X (STELE_USER_ID,             "user_id",               ID,          STELE_LIMIT_ID) \
    X (STELE_TASK_ID,             "task_id",               ID,          STELE_LIMIT_ID) \
    X (STELE_TITLE,               "title",                 TEXT,        STELE_LIMIT_TITLE) \
    X (STELE_DESCRIPTION,         "description",           TEXT,        STELE_LIMIT_TEXT) \
    X (STELE_ROLE,                "role",                  TEXT,        STELE_LIMIT_WORD) \
    X (STELE_STATE,               "state",                 STATE,       0) \
    X (STELE_PROVIDER,            "provider",              TEXT,        STELE_LIMIT_WORD) \
    X (STELE_MODEL,               "model",                 TEXT,        STELE_LIMIT_WORD) \
    X (STELE_BRANCH,              "branch",                TEXT,        STELE_LIMIT_PATH) \
    X (STELE_WORKTREE_PATH,       "worktree_path",         TEXT,        STELE_LIMIT_PATH) \
    X (STELE_BASE_BRANCH,         "base_branch",           TEXT,        STELE_LIMIT_PATH) \
    X (STELE_COMMIT_HASH,         "commit_hash",           TEXT,        STELE_LIMIT_PATH) \
    X (STELE_TARGET_DIR,          "target_dir",            TEXT,        STELE_LIMIT_PATH) \
    X (STELE_FULL_ACCESS,         "full_access",           BOOL,        0) \
    X (STELE_PROVIDER_OVERRIDE,   "provider_override",     TEXT,        STELE_LIMIT_WORD) \
    X (STELE_REPOSITORY_URL,      "repository_url",        TEXT,        STELE_LIMIT_PATH) \
    X (STELE_ACCEPTANCE_CRITERIA, "acceptance_criteria",   MAP,         STELE_LIMIT_TEXT) \
    X (STELE_METADATA,            "metadata",              MAP,         STELE_LIMIT_TEXT) \
    X (STELE_PARENT_ID,           "parent_id",             ID,          STELE_LIMIT_ID) \
    X (STELE_ERROR_MESSAGE,       "error_message",         TEXT,        STELE_LIMIT_TEXT) \
    X (STELE_DETAILS,             "details",               MAP,         STELE_LIMIT_TEXT) \
    X (STELE_OUTPUT_TYPE,         "output_type",           OUTPUT_TYPE, 0) \
    X (STELE_CONTENT,             "content",               CONTENT,     STELE_LIMIT_CONTENT) \
    X (STELE_FILE_PATH,           "file_path",             TEXT,        STELE_LIMIT_PATH) \
    X (STELE_FILE_SIZE,           "file_size",             NATURAL,     0) \
    X (STELE_MIME_TYPE,           "mime_type",             TEXT,        STELE_LIMIT_WORD) \
    X (STELE_NAME,                "name",                  TEXT,        STELE_LIMIT_WORD) \
    X (STELE_VALUE,               "value",                 NUMBER,      0) \
    X (STELE_UNIT,                "unit",                  TEXT,        STELE_LIMIT_WORD) \
    X (STELE_SESSION_ID,          "session_id",            ID,          STELE_LIMIT_ID) \
    X (STELE_CLI_TOOL,            "cli_tool",              TEXT,        STELE_LIMIT_WORD) \
    X (STELE_MODE,                "mode",                  TEXT,        STELE_LIMIT_WORD) \
    X (STELE_CURRENT_DIRECTORY,   "current_directory",     TEXT,        STELE_LIMIT_PATH) \
    X (STELE_PID,                 "pid",                   NATURAL,     0) \
    X (STELE_AUTHENTICATION_REQUIRED, "authentication_required", BOOL,  0) \
    X (STELE_AUTH_PROMPT,         "auth_prompt",           TEXT,        STELE_LIMIT_TEXT) \
    X (STELE_COMMAND,             "command",               TEXT,        STELE_LIMIT_TEXT) \
    X (STELE_OUTPUT,              "output",                CONTENT,     STELE_LIMIT_CONTENT) \
    X (STELE_EXECUTION_TIME_MS,   "execution_time_ms",     NUMBER,      0) \
    X (STELE_EXIT_CODE,           "exit_code",             INTEGER,     0) \
    X (STELE_PREFERRED_PROVIDER,  "preferred_provider",    TEXT,        STELE_LIMIT_WORD) \
    X (STELE_PREFERRED_MODEL,     "preferred_model",       TEXT,        STELE_LIMIT_WORD) \
    X (STELE_FULL_ACCESS_PREFERRED, "full_access_preferred", BOOL,      0) \
    X (STELE_ROLE_PREFERENCES,    "role_preferences",      MAP,         STELE_LIMIT_TEXT) \
    X (STELE_WHO,                 "who",                   ID,          STELE_LIMIT_ID) \
    X (STELE_OPERATION,           "operation",             ID,          STELE_LIMIT_ID) \
    X (STELE_TARGET,              "target",                TEXT,        STELE_LIMIT_PATH) \
    X (STELE_PEER,                "peer",                  TEXT,        STELE_LIMIT_ID) \
    X (STELE_OUTCOME,             "outcome",               ID,          STELE_LIMIT_ID) \
    X (STELE_REQUEST_ID,          "request_id",            TEXT,        STELE_LIMIT_ID) \
    X (STELE_COUNT,               "count",                 NATURAL,     0) \
    X (STELE_IMPORTED,            "imported",              BOOL,        0)

/*  Fields that only the broker writes                                       */
#define STELE_RECORD_FIELDS(X) \
    X (STELE_POSITION,            "position",              NATURAL,     0) \
    X (STELE_ID,                  "id",                    NATURAL,     0) \
    X (STELE_STATE_FROM,          "state_from",            STATE,       0) \
    X (STELE_STATE_TO,            "state_to",              STATE,       0) \
    X (STELE_TIMESTAMP,           "timestamp",             TIME,        0) \
    X (STELE_CREATED_AT,          "created_at",            TIME,        0) \
    X (STELE_UPDATED_AT,          "updated_at",            TIME,        0) \
    X (STELE_STARTED_AT,          "started_at",            TIME,        0) \
    X (STELE_COMPLETED_AT,        "completed_at",          TIME,        0) \
    X (STELE_ERROR_COUNT,         "error_count",           NATURAL,     0) \
    X (STELE_LAST_ERROR,          "last_error",            TEXT,        STELE_LIMIT_TEXT) \
    X (STELE_INTERRUPTIONS,       "interruptions",         NATURAL,     0) \
    X (STELE_ATTEMPT,             "attempt",               NATURAL,     0) \
    X (STELE_INTERRUPTED,         "interrupted",           BOOL,        0) \
    X (STELE_CHANGES,             "changes",               MAP,         0) \
    X (STELE_CONTENT_OMITTED,     "content_omitted",       NATURAL,     0) \
    X (STELE_COMMAND_COUNT,       "command_count",         NATURAL,     0) \
    X (STELE_HEARD_AT,            "heard_at",              TIME,        0) \
    X (STELE_PRODUCER,            "producer",              TEXT,        0) \
    X (STELE_SEQUENCE,            "sequence",              NATURAL,     0) \
    X (STELE_CODE,                "code",                  TEXT,        0) \
    X (STELE_FIELD,               "field",                 TEXT,        0) \
    X (STELE_MESSAGE,             "message",               TEXT,        0) \
    X (STELE_RETRIED_AT,          "retried_at",            TIME,        0) \
    X (STELE_EVENT,               "event",                 CONTENT,     0)

#define STELE_FIELD_ENUM(constant, name, kind, limit) constant,
typedef enum {
    STELE_EVENT_FIELDS (STELE_FIELD_ENUM)
    STELE_EVENT_FIELD_COUNT,
    STELE_FIELD_BEFORE_RECORD = STELE_EVENT_FIELD_COUNT - 1,
    STELE_RECORD_FIELDS (STELE_FIELD_ENUM)
    STELE_FIELD_COUNT,
    STELE_FIELD_NONE = -1
} stele_field_t;
#undef STELE_FIELD_ENUM

/*  A set of event fields; there are fewer than 64                           */
typedef uint64_t stele_field_set_t;
#define STELE_FIELD_BIT(field) ((stele_field_set_t) 1 << (field))

const char *
    stele_field_name (stele_field_t field);

stele_kind_t
    stele_field_kind (stele_field_t field);

/*  Limit of the field's text or bytes; 0 is no limit                        */
size_t
    stele_field_limit (stele_field_t field);

/*  The EVENT field of that name; STELE_FIELD_NONE: none.                    */
stele_field_t
    stele_field_find (const char *name, size_t size);

/*  The fields that a type of event requires, and those that it has (including the
    required ones). Any other key of such an event is kept in 'extra'.       */
stele_field_set_t
    stele_field_required (stele_event_type_t type);

stele_field_set_t
    stele_field_known (stele_event_type_t type);

/*  The field with the id of what an event of that type is about; STELE_FIELD_NONE for a number that
    is no type.                                                              */
stele_field_t
    stele_field_subject (int type);

/*  Fields of which an event of that type needs at least one; 0: no such rule. */
stele_field_set_t
    stele_field_any_of (stele_event_type_t type);

/*  Fields of a task that task.created sets and task.updated may change      */
#define STELE_TASK_FIELDS ( \
    STELE_FIELD_BIT (STELE_TITLE) | STELE_FIELD_BIT (STELE_DESCRIPTION) | \
    STELE_FIELD_BIT (STELE_ROLE) | STELE_FIELD_BIT (STELE_STATE) | \
    STELE_FIELD_BIT (STELE_PROVIDER) | STELE_FIELD_BIT (STELE_MODEL) | \
    STELE_FIELD_BIT (STELE_BRANCH) | STELE_FIELD_BIT (STELE_WORKTREE_PATH) | \
    STELE_FIELD_BIT (STELE_BASE_BRANCH) | STELE_FIELD_BIT (STELE_COMMIT_HASH) | \
    STELE_FIELD_BIT (STELE_TARGET_DIR) | STELE_FIELD_BIT (STELE_FULL_ACCESS) | \
    STELE_FIELD_BIT (STELE_PROVIDER_OVERRIDE) | STELE_FIELD_BIT (STELE_REPOSITORY_URL) | \
    STELE_FIELD_BIT (STELE_ACCEPTANCE_CRITERIA) | STELE_FIELD_BIT (STELE_METADATA) | \
    STELE_FIELD_BIT (STELE_PARENT_ID))

#endif
