/*  export_tables - the tables that can be exported: requests, and columns of CSV

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stddef.h>
#include "cli/transfer/export_tables.h"

static const char *const s_tasks [] = {
    "task_id", "state", "title", "description", "role", "provider", "model", "branch", "worktree_path",
    "base_branch", "commit_hash", "target_dir", "full_access", "provider_override", "repository_url",
    "acceptance_criteria", "metadata", "parent_id", "user_id", "created_at", "updated_at", "started_at",
    "completed_at", "error_count", "last_error", "interrupted", "position", "attempt", "interruptions", NULL
};
static const char *const s_history [] = {
    "id", "task_id", "type", "state_from", "state_to", "timestamp", "provider", "model", "error_message",
    "details", "user_id", "interrupted", "changes", "extra", "attempt", NULL
};
static const char *const s_outputs [] = {
    "id", "task_id", "output_type", "timestamp", "content", "content_encoding", "file_path", "file_size",
    "mime_type", "commit_hash", "branch", "user_id", "extra", "attempt", NULL
};
static const char *const s_metrics [] = {
    "id", "task_id", "name", "value", "unit", "timestamp", "user_id", "extra", "attempt", NULL
};
static const char *const s_sessions [] = {
    "session_id", "state", "cli_tool", "mode", "current_directory", "pid", "authentication_required",
    "auth_prompt", "task_id", "user_id", "created_at", "updated_at", "completed_at", "command_count",
    "position", NULL
};
static const char *const s_commands [] = {
    "id", "session_id", "command", "output", "output_encoding", "execution_time_ms", "exit_code",
    "timestamp", "user_id", "extra", "attempt", NULL
};
static const char *const s_preferences [] = {
    "user_id", "preferred_provider", "preferred_model", "full_access_preferred", "role_preferences",
    "created_at", "updated_at", "position", NULL
};
static const char *const s_rejected [] = {
    "id", "producer", "sequence", "code", "field", "message", "time", "event", "retried_at", "position", NULL
};
static const char *const s_audit [] = {
    "id", "timestamp", "who", "operation", "target", "outcome", "peer", "request_id", "count", "imported", "details",
    "user_id", "extra", NULL
};

const cli_export_table_t cli_export_tables [CLI_EXPORT_TABLES] = {
    { "events",               "events.read",   "events",   NULL,          CLI_ROW_NAMES_TASK },
    { "tasks",                "table.read",    "rows",     s_tasks,       CLI_ROW_IS_TASK },
    { "task_history",         "table.read",    "rows",     s_history,     CLI_ROW_NAMES_TASK },
    { "task_outputs",         "table.read",    "rows",     s_outputs,     CLI_ROW_NAMES_TASK },
    { "task_metrics",         "table.read",    "rows",     s_metrics,     CLI_ROW_NAMES_TASK },
    { "cli_sessions",         "table.read",    "rows",     s_sessions,    CLI_ROW_IS_SESSION },
    { "cli_session_commands", "table.read",    "rows",     s_commands,    CLI_ROW_NAMES_TASK },
    { "user_preferences",     "events.read",   "events",   s_preferences, CLI_ROW_ALWAYS },
    { "rejected_events",      "rejected.list", "rejected", s_rejected,    CLI_ROW_ALWAYS },
    { "audit_events",         "table.read",    "rows",     s_audit,       CLI_ROW_ALWAYS }
};
