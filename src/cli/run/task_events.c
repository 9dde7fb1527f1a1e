/*  task_events - the events of a command that runs as a task

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#define _GNU_SOURCE                 // sigabbrev_np

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/character.h"
#include "base/clock.h"
#include "base/memory.h"
#include "cli/run/task_events.h"

#define TITLE_BYTES 1024            // Limits of the protocol
#define DESCRIPTION_BYTES 65536     // More of a command line helps nobody

static stele_event_t *
s_event (const char *type, const char *task)
{
    stele_event_t *event = stele_event_new (type);
    stele_event_set_string (event, "task_id", task);
    stele_event_set_integer (event, "time", stele_clock_us ());
    return event;
}

//  Copy text as UTF-8, with ? for bytes that are not, at most 'room' bytes with the terminator
static void
s_copy (char *to, size_t room, const char *from)
{
    size_t left = strlen (from), size = 0;
    while (left > 0) {
        uint32_t code;
        size_t bytes = stele_character_decode (from, left, &code);
        if (size + (bytes? bytes: 1) >= room)
            break;
        if (bytes)
            memcpy (to + size, from, bytes);
        else
            to [size] = '?';
        size += bytes? bytes: 1;
        from += bytes? bytes: 1;
        left -= bytes? bytes: 1;
    }
    to [size] = 0;
}

static void
s_set (stele_event_t *event, const char *field, const char *text, size_t room)
{
    char *copy = stele_memory_new (room + 1);
    s_copy (copy, room + 1, text);
    stele_event_set_string (event, field, copy);
    free (copy);
}

//  The words of the command with spaces between; words with other characters are quoted as for a shell
static char *
s_line (char *const *command)
{
    size_t room = 1;
    for (char *const *word = command; *word; word++)
        room += 4 * strlen (*word) + 3;
    char *line = stele_memory_new (room);
    char *to = line;
    for (char *const *word = command; *word; word++) {
        bool plain = **word && strspn (*word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
            "_-./:=,+@%") == strlen (*word);
        if (word != command)
            *to++ = ' ';
        if (!plain)
            *to++ = '\'';
        for (const char *c = *word; *c; c++)
            if (*c == '\'')
                to = stpcpy (to, "'\\''");
            else
                *to++ = *c;
        if (!plain)
            *to++ = '\'';
    }
    *to = 0;
    return line;
}

//  Only what is the same in every run: the same command again creates no other task
static char *
s_metadata (void)
{
    char host [256] = "", folder [4096] = "", clean [4096];
    gethostname (host, sizeof host - 1);
    if (!getcwd (folder, sizeof folder))
        folder [0] = 0;
    json_t *map = json_object ();
    s_copy (clean, sizeof clean, host);
    json_object_set_new (map, "host", json_string (clean));
    s_copy (clean, sizeof clean, folder);
    json_object_set_new (map, "directory", json_string (clean));
    char *text = json_dumps (map, JSON_COMPACT);
    json_decref (map);
    return text;
}

stele_event_t *
cli_task_event_created (const cli_task_t *task)
{
    stele_event_t *event = s_event ("task.created", task->task);
    char *line = s_line (task->command);
    char *metadata = s_metadata ();
    if (task->title)
        stele_event_set_string (event, "title", task->title);
    else
        s_set (event, "title", line, TITLE_BYTES);
    s_set (event, "description", line, DESCRIPTION_BYTES);
    stele_event_set_string (event, "role", task->role);
    if (task->parent)
        stele_event_set_string (event, "parent_id", task->parent);
    if (task->user)
        stele_event_set_string (event, "user_id", task->user);
    stele_event_set_json (event, "metadata", metadata);
    free (metadata);
    free (line);
    return event;
}

stele_event_t *
cli_task_event_state (const char *task, const char *state)
{
    stele_event_t *event = s_event ("task.state_changed", task);
    stele_event_set_string (event, "state", state);
    return event;
}

stele_event_t *
cli_task_event_end (const char *task, const char *state, int status, int error, double timeout_s)
{
    stele_event_t *event = cli_task_event_state (task, state);
    char message [320], how [80], details [120];
    const char *name = WIFSIGNALED (status)? sigabbrev_np (WTERMSIG (status)): NULL;
    if (error) {
        snprintf (how, sizeof how, "cannot be started: %s", strerror (error));
        snprintf (details, sizeof details, "{\"exit_status\":%d}", error == ENOENT? 127: 126);
    }
    else
    if (WIFSIGNALED (status)) {
        snprintf (how, sizeof how, "killed by SIG%s", name? name: "?");
        snprintf (details, sizeof details, "{\"exit_status\":%d,\"signal\":\"SIG%s\"}", 128 + WTERMSIG (status),
            name? name: "?");
    }
    else {
        snprintf (how, sizeof how, "exit status %d", WEXITSTATUS (status));
        snprintf (details, sizeof details, "{\"exit_status\":%d}", WEXITSTATUS (status));
    }
    stele_event_set_json (event, "details", details);
    if (strcmp (state, "timeout") == 0)
        snprintf (message, sizeof message, "still running after %g s: %s", timeout_s, how);
    else
        snprintf (message, sizeof message, "%s", how);
    if (strcmp (state, "passed"))
        stele_event_set_string (event, "error_message", message);
    return event;
}

stele_event_t *
cli_task_event_output (const char *task, const char *type, const char *content, size_t size)
{
    stele_event_t *event = s_event ("task.output_added", task);
    stele_event_set_string (event, "output_type", type);
    if (stele_event_set_text (event, "content", content, size))
        stele_event_set_bytes (event, "content", content, size);
    return event;
}

stele_event_t *
cli_task_event_metric (const char *task, const char *name, double value, const char *unit)
{
    stele_event_t *event = s_event ("task.metric_recorded", task);
    stele_event_set_string (event, "name", name);
    stele_event_set_real (event, "value", value);
    stele_event_set_string (event, "unit", unit);
    return event;
}
