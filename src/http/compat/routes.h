/*  routes - the table of the earlier system's paths

    Rows of the table in http/routes.h, with the paths, parameters and keys that the clients and the dashboard of the system
    before Stele know (doc/HTTP.md, "The earlier interface"). They differ from the rows of /v1:
      answer      has no "position"; [NAME] alone is a bare array. Names of records: http/compat/record.h
      parameters  other ones are ignored, as they were. "?" at the end of a kind: of a body, null too; more kinds:
                  map, and query, which is text in the query also if there is a body

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_HTTP_COMPAT_ROUTES_H_INCLUDED
#define STELE_HTTP_COMPAT_ROUTES_H_INCLUDED

#define HTTP_COMPAT_ROUTES(X) \
    X (COMPAT_TASKS, HTTP_GET, "/tasks", COMPAT, "task.list", QUERY, 0, "", "[EarlierTask]", \
        "All tasks with their state, newest first") \
    X (COMPAT_SUBMIT, HTTP_POST, "/tasks", COMPAT, "publish", PUBLISH, 0, \
        "id!:text title!:text description!:text role!:text acceptance:map target_dir:text full_access:bool " \
        "provider_override:text? model:text? repository_url:text? base_branch:text?", \
        "job_id:string task_id:string selected_provider:string|null selected_model:string|null full_access:boolean", \
        "Create a task in the state queued; answers when it is durable") \
    X (COMPAT_TASK, HTTP_GET, "/tasks/{task_id}", COMPAT, "task.status", QUERY, 0, "task_id!:id", \
        "id:string role:string branch:string state:string last_error:string|null provider:string|null model:string|null", \
        "The state of a task") \
    X (COMPAT_HISTORY, HTTP_GET, "/api/tasks/history/{task_id}", COMPAT, "task.history", QUERY, 0, "task_id!:id", \
        "task_id:string history:[EarlierHistory] total_entries:integer", "Every change of a task's state, oldest first") \
    X (COMPAT_PERSISTENT, HTTP_GET, "/api/tasks/persistent", COMPAT, "task.list", QUERY, 0, \
        "states:words roles:words providers:words search:text limit:number offset:number date_from:time date_to:time", \
        "tasks:[EarlierTaskRecord] total_results:integer filter_applied:object", \
        "Tasks by filter, newest first; search is a part of the title or description") \
    X (COMPAT_OUTPUTS, HTTP_GET, "/api/tasks/outputs/{task_id}", COMPAT, "task.outputs", QUERY, 0, "task_id!:id", \
        "task_id:string outputs:[EarlierOutput] total_outputs:integer", "What a task printed or produced, oldest first") \
    X (COMPAT_ADD_OUTPUT, HTTP_POST, "/api/tasks/outputs/{task_id}", COMPAT, "publish", PUBLISH, 0, \
        "task_id!:id output_type:text content:text file_path:text? file_size:number? mime_type:text? commit_hash:text? " \
        "branch:text?", "message:string task_id:string", "Add an output to a task; answers when it is durable") \
    X (COMPAT_RECOVER, HTTP_POST, "/api/tasks/{task_id}/recover", COMPAT, "task.recover", OPERATE, 0, "task_id!:id", \
        "message:string task_id:string restored_state:string", "Write the record of a task from the ledger to Redis again") \
    X (COMPAT_STATS, HTTP_GET, "/api/persistence/stats", COMPAT, "stats", QUERY, 0, "", \
        "total_tasks:integer tasks_by_state:object tasks_by_role:object active_cli_sessions:integer " \
        "database_size_mb:number oldest_task_date:string|null newest_task_date:string|null", "Numbers of tasks and sessions") \
    X (COMPAT_METRICS, HTTP_GET, "/api/metrics", COMPAT, "stats", QUERY, 0, "", \
        "repository:object tasks_enqueued:number tasks_started:number tasks_succeeded:number tasks_failed:number " \
        "commits_made:number prs_opened:number", "Numbers of tasks, as the dashboard shows them") \
    X (COMPAT_PREFERENCES, HTTP_GET, "/api/preferences", COMPAT, "preference.get", QUERY, 0, "user_id:query", \
        PREFERENCES_ANSWER, "The preferences of a user") \
    X (COMPAT_SET_PREFERENCES, HTTP_POST, "/api/preferences", COMPAT, "publish", PUBLISH, 0, \
        "user_id:query preferred_provider:text? preferred_model:text? full_access_preferred:bool role_preferences:map", \
        PREFERENCES_ANSWER, "Replace the preferences of a user") \
    X (COMPAT_SESSIONS, HTTP_GET, "/api/cli/sessions", COMPAT, "session.list", QUERY, 0, "", \
        "sessions:[EarlierSession]", "Sessions that are neither terminated nor in error, newest first") \
    X (COMPAT_SESSION, HTTP_GET, "/api/cli/sessions/{session_id}", COMPAT, "session.get", QUERY, 0, "session_id!:id", \
        "session_id:string cli_tool:string mode:string state:string pid:integer|null created_at:number last_activity:number " \
        "authentication_required:boolean auth_prompt:string|null current_directory:string command_history:array " \
        "websocket_url:string", "One session, with its last 10 commands") \
    X (COMPAT_SESSION_HISTORY, HTTP_GET, "/api/cli/sessions/{session_id}/history", COMPAT, "session.commands", QUERY, 0, \
        "session_id!:id limit:number message_type:text", "session_id:string messages:[EarlierMessage]", \
        "The last commands of a session and their outputs, oldest first") \
    X (COMPAT_SESSION_RECORD, HTTP_GET, "/api/cli/sessions/{session_id}/persistent", COMPAT, "session.get", QUERY, 0, \
        "session_id!:id", "id:string provider:string user_id:string created_at:string last_activity:string status:string " \
        "working_directory:string|null error_count:integer command_count:integer metadata:object", "The record of a session") \
    X (COMPAT_SOCKET, HTTP_GET, "/ws", COMPAT, "events.read", QUERY, 0, "", "", \
        "A WebSocket that is sent a message for each new task")

#define PREFERENCES_ANSWER \
    "user_id:string preferred_provider:string|null preferred_model:string|null full_access_preferred:boolean " \
    "role_preferences:object"

#endif
