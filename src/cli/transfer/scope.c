/*  scope - the tasks that an export includes, as of its position

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdlib.h>
#include <string.h>
#include "base/memory.h"
#include "cli/shared/ask.h"
#include "cli/shared/id.h"
#include "cli/transfer/scope.h"
#include "cli/shared/time_option.h"
#include "cli/view/value.h"

#define MEMORY 8192                 // Cached answers, of tasks and of sessions each

typedef struct {
    char *id;
    bool passes;
} s_memory_t;

struct cli_scope {
    cli_t *cli;
    const cli_scope_filter_t *filter;
    int64_t position;
    bool by_record;                 // The filter needs more than the id of a task
    int64_t from_us, to_us;
    s_memory_t tasks [MEMORY], sessions [MEMORY];
};

cli_scope_t *
cli_scope_new (cli_t *cli, const cli_scope_filter_t *filter, int64_t position)
{
    cli_scope_t *self = STELE_NEW (cli_scope_t);
    self->cli = cli;
    self->filter = filter;
    self->position = position;
    self->from_us = INT64_MIN;
    self->to_us = INT64_MAX;
    if (filter->from)
        cli_time_read (filter->from, &self->from_us);
    if (filter->to)
        cli_time_read (filter->to, &self->to_us);
    self->by_record = filter->states.count || filter->roles.count || filter->providers.count
        || filter->models.count || filter->user || filter->parent || filter->from || filter->to;
    return self;
}

void
cli_scope_destroy (cli_scope_t **self_p)
{
    cli_scope_t *self = *self_p;
    if (!self)
        return;
    for (size_t i = 0; i < MEMORY; i++) {
        free (self->tasks [i].id);
        free (self->sessions [i].id);
    }
    free (self);
    *self_p = NULL;
}

bool
cli_scope_limits (const cli_scope_t *self)
{
    return self->by_record || self->filter->tasks.count;
}

static bool
s_one_of (const cli_list_t *list, const char *text)
{
    for (size_t i = 0; i < list->count; i++)
        if (text && strcmp (list->items [i], text) == 0)
            return true;
    return list->count == 0;
}

static bool
s_is (const char *wanted, const char *text)
{
    return !wanted || (text && strcmp (wanted, text) == 0);
}

//  The same for an id, which may hold a NUL
static bool
s_id_is (const char *wanted, const json_t *record, const char *key)
{
    char *id = wanted? cli_id_argument (json_object_get (record, key)): NULL;
    bool is = s_is (wanted, id);
    free (id);
    return is;
}

static bool
s_id_is_one_of (const cli_list_t *list, const json_t *record, const char *key)
{
    char *id = list->count? cli_id_argument (json_object_get (record, key)): NULL;
    bool is = s_one_of (list, id);
    free (id);
    return is;
}

bool
cli_scope_task (const cli_scope_t *self, const json_t *task)
{
    const cli_scope_filter_t *filter = self->filter;
    int64_t created = 0;
    cli_value_time (task, "created_at", &created);
    return s_id_is_one_of (&filter->tasks, task, "task_id")
        && s_one_of (&filter->states, cli_value_string (task, "state"))
        && s_one_of (&filter->roles, cli_value_string (task, "role"))
        && s_one_of (&filter->providers, cli_value_string (task, "provider"))
        && s_one_of (&filter->models, cli_value_string (task, "model"))
        && s_id_is (filter->user, task, "user_id")
        && s_id_is (filter->parent, task, "parent_id")
        && created >= self->from_us && created <= self->to_us;
}

//  -- by id, as it would be given as an argument ------------------------------------------------

static s_memory_t *
s_remembered (s_memory_t *table, const char *id)
{
    size_t hash = 5381;
    for (const char *c = id; *c; c++)
        hash = hash * 33 ^ (unsigned char) *c;
    return &table [hash % MEMORY];
}

static void
s_remember (s_memory_t *memory, const char *id, bool passes)
{
    free (memory->id);
    memory->id = stele_memory_copy (id, strlen (id));
    memory->passes = passes;
}

//  Request a record by id: 1, 0 not found, or -1 failed
static int
s_ask (cli_scope_t *self, const char *op, const char *key, const char *id, bool at, json_t **answer)
{
    json_t *request = cli_request (op);
    cli_request_id (request, key, id);
    if (at)
        json_object_set_new (request, "at", json_integer (self->position));
    *answer = cli_ask_or_none (self->cli, request);
    return *answer? 1: self->cli->status == CLI_NO? 0: -1;
}

static int
s_task (cli_scope_t *self, const char *id)
{
    if (!self->by_record)
        return s_one_of (&self->filter->tasks, id);
    s_memory_t *memory = s_remembered (self->tasks, id);
    if (memory->id && strcmp (memory->id, id) == 0)
        return memory->passes;
    json_t *answer;
    int rc = s_one_of (&self->filter->tasks, id)?
        s_ask (self, "task.get", "task_id", id, true, &answer): 0;
    if (rc == 1) {
        rc = cli_scope_task (self, json_object_get (answer, "task"));
        json_decref (answer);
    }
    if (rc >= 0)
        s_remember (memory, id, rc);
    return rc;
}

static int
s_session (cli_scope_t *self, const char *id)
{
    s_memory_t *memory = s_remembered (self->sessions, id);
    if (memory->id && strcmp (memory->id, id) == 0)
        return memory->passes;
    json_t *answer;
    int rc = s_ask (self, "session.get", "session_id", id, false, &answer);
    if (rc == 1) {
        char *task = cli_id_argument (json_object_get (json_object_get (answer, "session"), "task_id"));
        rc = task? s_task (self, task): 0;
        free (task);
        json_decref (answer);
    }
    if (rc >= 0)
        s_remember (memory, id, rc);
    return rc;
}

int
cli_scope_row (cli_scope_t *self, const json_t *row)
{
    if (!cli_scope_limits (self))
        return 1;
    char *session = cli_id_argument (json_object_get (row, "session_id"));
    char *task = cli_id_argument (json_object_get (row, "task_id"));
    int rc = session? s_session (self, session): task? s_task (self, task): 0;
    free (session);
    free (task);
    return rc;
}
