/*  task_page - the record of a task as a page

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdlib.h>
#include <string.h>
#include "cli/view/owner.h"
#include "cli/view/page.h"
#include "cli/view/task_page.h"
#include "cli/view/value.h"

//  A time of the record, and how long after another one it was
static void
s_print_span (const cli_t *self, const char *label, const json_t *task,
    const char *from_key, const char *to_key, const char *what)
{
    int64_t from, to;
    if (!cli_value_time (task, to_key, &to))
        return;
    char text [128];
    if (cli_value_time (task, from_key, &from) && to >= from)
        snprintf (text, sizeof text, "%s  (%s %s)", cli_format_time (to).text,
            cli_format_duration (to - from).text, what);
    else
        snprintf (text, sizeof text, "%s", cli_format_time (to).text);
    cli_page_line (self, label, text);
}

//  The producer that owns the task, and whether it is alive
static void
s_print_owner (const cli_t *self, const json_t *task, const json_t *owner)
{
    char life [CLI_OWNER_TEXT];
    cli_page_field (self, "producer", task, "producer");
    if (json_is_object (owner))
        cli_page_line (self, "", cli_owner_life (owner, life));
}

void
cli_task_print (const cli_t *self, const json_t *answer)
{
    const json_t *task = json_object_get (answer, "task");
    cli_page_heading_field (self, "Task", task, "task_id");
    cli_page_field (self, "title", task, "title");
    cli_page_state (self, "state", task, "state");
    if (json_is_true (json_object_get (task, "interrupted")))
        cli_page_line (self, "", "interrupted: its orchestrator died while the task was running");
    s_print_owner (self, task, json_object_get (answer, "owner"));
    cli_page_field (self, "role", task, "role");
    cli_page_field (self, "provider", task, "provider");
    cli_page_field (self, "provider override", task, "provider_override");
    cli_page_field (self, "model", task, "model");
    cli_page_field (self, "parent", task, "parent_id");
    const char *user = cli_value_string (task, "user_id");
    if (user && strcmp (user, "default") != 0)
        cli_page_line (self, "user", user);

    cli_page_field (self, "repository", task, "repository_url");
    cli_page_field (self, "branch", task, "branch");
    cli_page_field (self, "base branch", task, "base_branch");
    cli_page_field (self, "commit", task, "commit_hash");
    cli_page_field (self, "worktree", task, "worktree_path");
    const char *target = cli_value_string (task, "target_dir");
    if (target && strcmp (target, ".") != 0)
        cli_page_line (self, "target directory", target);
    if (json_is_true (json_object_get (task, "full_access")))
        cli_page_line (self, "full access", "yes");

    cli_page_field (self, "created", task, "created_at");
    s_print_span (self, "started", task, "created_at", "started_at", "after it was created");
    s_print_span (self, "completed", task, "started_at", "completed_at", "after it was started");
    cli_page_field (self, "updated", task, "updated_at");
    cli_page_field (self, "heard", answer, "heard_at");
    if (json_integer_value (json_object_get (task, "attempt")) > 1)
        cli_page_field (self, "attempt", task, "attempt");
    if (json_integer_value (json_object_get (task, "interruptions")))
        cli_page_field (self, "interruptions", task, "interruptions");
    if (json_integer_value (json_object_get (task, "error_count")))
        cli_page_field (self, "errors", task, "error_count");
    cli_page_field (self, "last error", task, "last_error");
    cli_page_field (self, "position", task, "position");

    cli_page_block (self, "Description", task, "description");
    cli_page_block (self, "Acceptance criteria", task, "acceptance_criteria");
    cli_page_block (self, "Metadata", task, "metadata");
}
