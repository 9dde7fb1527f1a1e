/*  follow - stele follow: events as they are committed

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "cli/shared/ask.h"
#include "cli/shared/reach.h"
#include "cli/view/value.h"
#include "cli/terminal/text.h"
#include "base/clock.h"
#include "model/vocabulary.h"

typedef struct {
    int64_t after, count;
    bool has_after, history;
    const char *task;
} args_t;

#define QUIET_MS 3000               // Three heartbeats of the feed
#define REACH_MS 200
#define NO_ANSWER (-3)              // Where a position is expected, or -1, or STELE_FOLLOW_LIVE

//  0 is a position too, so record that the option was given
static int
s_set_after (const cli_option_t *option, const char *value, void *target,
    char *error, size_t error_size)
{
    args_t *args = target;
    char *end;
    args->after = strtoll (value, &end, 10);
    args->has_after = true;
    if (end != value && !*end && args->after >= 0)
        return 0;
    snprintf (error, error_size, "--%s: '%s' is not a position; use an integer of at least 0", option->name, value);
    return -1;
}

static const cli_option_t s_options [] = {
    { "after", 0, "N", "start after position N (0: from the first event); default: start with the next event",
        CLI_CALL, 0, 0, s_set_after },
    { "task", 0, "ID", "only the events of this task and its sessions, of every type task.* and session.*", CLI_TEXT, offsetof (args_t, task), 0, NULL },
    { "history", 0, NULL, "with --task, start with the first event of the task",
        CLI_FLAG, offsetof (args_t, history), 0, NULL },
    { "count", 'n', "N", "stop after N events", CLI_NUMBER, offsetof (args_t, count), 1, NULL },
    CLI_OPTIONS_END
};

//  -- one line per event, for people -------------------------------------------------------------

//  The fields of an event that are shown
typedef struct {
    const char *type;
    const char *fields [4];
} s_words_t;

static const s_words_t s_words [] = {
    { "task.created", { "state", "role", "title", NULL } },
    { "task.updated", { "state", "title", "provider", "model" } },
    { "task.state_changed", { "state", "error_message", NULL, NULL } },
    { "task.output_added", { "output_type", "file_path", "content", NULL } },
    { "task.metric_recorded", { "name", "value", "unit", NULL } },
    { "session.started", { "state", "cli_tool", "task_id", NULL } },
    { "session.state_changed", { "state", NULL, NULL, NULL } },
    { "session.command_executed", { "exit_code", "command", NULL, NULL } },
    { "preference.set", { "preferred_provider", "preferred_model", NULL, NULL } },
    { "audit.recorded", { "operation", "target", "outcome", "peer" } }
};

//  With all of its digits
static size_t
s_print_number (const stele_event_t *event, const char *field)
{
    char *text = stele_event_to_json (event);
    json_t *json = json_loads (text, JSON_ALLOW_NUL, NULL);
    size_t used = (size_t) printf ("%s", cli_value_number_text (json_object_get (json, field)).text);
    json_decref (json);
    free (text);
    return used;
}

static size_t
s_print_word (const cli_t *self, const stele_event_t *event, const char *field, size_t columns)
{
    size_t size;
    const char *text = stele_event_string (event, field, &size);
    if (!text)
        return s_print_number (event, field);
    cli_colour_t colour = strcmp (field, "state") == 0? cli_style_state (text): CLI_PLAIN;
    cli_style_begin (&self->style, stdout, colour);
    size_t used = cli_text_print (stdout, text, size, columns, CLI_CUT_END);
    cli_style_end (&self->style, stdout, colour);
    return used;
}

static const char *
s_subject (const stele_event_t *event, size_t *size)
{
    static const char *const keys [] = { "session_id", "task_id", "who", "user_id" };
    bool of_task = strncmp (stele_event_type (event), "task.", 5) == 0;
    for (size_t i = of_task; i < sizeof keys / sizeof keys [0]; i++)
        if (stele_event_string (event, keys [i], size))
            return stele_event_string (event, keys [i], size);
    *size = 0;
    return "";
}

static void
s_print_line (const cli_t *self, const stele_event_t *event)
{
    const char *type = stele_event_type (event);
    size_t subject_size;
    const char *subject = s_subject (event, &subject_size);
    size_t width = self->style.width? self->style.width: 1000;
    size_t used = (size_t) printf ("%8" PRId64 "  %s  ", stele_event_position (event),
        cli_format_time (stele_event_integer (event, "time", 0)).text);
    used += cli_text_print (stdout, type, strlen (type), 0, CLI_CUT_END);
    used += (size_t) printf ("%*s", used < 58? (int) (58 - used): 2, "");
    used += cli_text_print (stdout, subject, subject_size, width > used + 20? (width - used) / 2: 20,
        CLI_CUT_MIDDLE);
    for (size_t i = 0; i < sizeof s_words / sizeof s_words [0]; i++) {
        if (strcmp (s_words [i].type, type) != 0)
            continue;
        for (size_t field = 0; field < 4 && s_words [i].fields [field]; field++) {
            if (used + 5 > width || !stele_event_has (event, s_words [i].fields [field]))
                continue;
            fputs ("  ", stdout);
            used += 2 + s_print_word (self, event, s_words [i].fields [field], width - used - 2);
        }
    }
    putchar ('\n');
}

static void
s_print (const cli_t *self, const stele_event_t *event)
{
    if (!self->json) {
        s_print_line (self, event);
        return;
    }
    char *text = stele_event_to_json (event);
    puts (text);
    free (text);
}

//  -- following -------------------------------------------------------------------

//  Report that the feed cannot be reached, once, and that it can be again. Returns EX_NOPERM if this
//  user may not connect to it, else EX_OK.
static int
s_check_feed (cli_t *self, bool *away)
{
    char why [200];
    cli_reach_t reach = cli_reach (self->feed, self->key, REACH_MS, why, sizeof why);
    bool now = reach == CLI_REACH_NOBODY || reach == CLI_REACH_PERMISSION;
    if (now && !*away)
        cli_warn ("cannot reach the feed at %s: %s. Give its endpoint: --feed EP, or STELE_FEED%s", self->feed, why,
            reach == CLI_REACH_NOBODY? "; retrying": "");
    if (!now && *away)
        cli_warn ("the feed at %s can be reached again", self->feed);
    *away = now;
    return reach == CLI_REACH_PERMISSION? EX_NOPERM: EX_OK;
}

//  Wait for the next event; meanwhile watch whether the feed can be reached
static int
s_next (cli_t *self, bool *away, stele_event_t **event)
{
    int64_t deadline_ms = stele_clock_steady_ms () + cli_timeout (self, 0);
    for (;;) {
        int64_t left_ms = self->timeout_ms? deadline_ms - stele_clock_steady_ms (): QUIET_MS;
        int rc = stele_client_next (self->client, (int) (left_ms < QUIET_MS? left_ms > 0? left_ms: 0: QUIET_MS), event);
        if (rc != STELE_ETIMEOUT)
            return rc;
        if (self->timeout_ms && stele_clock_steady_ms () >= deadline_ms)
            return rc;
        s_check_feed (self, away);
    }
}

static int
s_follow (cli_t *self, const args_t *args)
{
    bool away = false;
    int status = s_check_feed (self, &away);
    if (status)
        return status;
    for (int64_t seen = 0; args->count == 0 || seen < args->count; seen++) {
        stele_event_t *event = NULL;
        //  Buffer lines while events stream in, flush when none is waiting
        int rc = stele_client_next (self->client, 0, &event);
        if (rc == STELE_ETIMEOUT) {
            cli_flush_stdout ();
            rc = s_next (self, &away, &event);
        }
        if (rc) {
            const char *why = stele_client_error (self->client);
            if (rc == STELE_ETIMEOUT)
                cli_report ("no event from %s for %s ms", self->feed, cli_format_count (self->timeout_ms).text);
            else
                cli_report ("%s", *why? why: stele_error_text (rc));
            return rc == STELE_EBEHIND? EX_DATAERR: rc == STELE_EUNAUTHORIZED? EX_NOPERM: EX_UNAVAILABLE;
        }
        s_print (self, event);
        stele_event_destroy (&event);
    }
    return EX_OK;
}

//  -- start -----------------------------------------------------------------------

//  Is that a topic, or the beginning of one?
static bool
s_is_topic (const char *topic)
{
    const char *slash = strchr (topic, '/');
    size_t size = slash? (size_t) (slash - topic): strlen (topic);
    if (!slash && size && topic [size - 1] == '*')
        size--;
    for (int code = 1; code < STELE_EVENT_TYPE_END; code++) {
        const char *type = stele_vocabulary_word (STELE_VOCABULARY_EVENT_TYPE, code);
        if (type && strncmp (type, topic, size) == 0 && (!slash || !type [size]))
            return true;
    }
    return false;
}

//  Has the task a session that began at that time or before (NULL: at all)? NO_ANSWER: no answer
static int
s_has_session_by (cli_t *self, const char *task_id, const char *time)
{
    json_t *request = cli_request ("session.list");
    cli_request_text (request, "task_id", task_id);
    json_object_set_new (request, "limit", json_integer (CLI_PAGE_ROWS));
    int found = 0;
    bool more = true;
    while (more && found == 0) {
        json_t *answer = cli_ask (self, json_incref (request));
        if (!answer)
            break;
        //  Newest first
        const json_t *rows = json_object_get (answer, "sessions");
        size_t count = json_array_size (rows);
        const char *began = json_string_value (json_object_get (json_array_get (rows, count? count - 1: 0), "created_at"));
        found = count && (!time || !began || strcmp (began, time) <= 0);
        more = json_is_integer (json_object_get (answer, "next"));
        json_object_set (request, "cursor", json_object_get (answer, "next"));
        json_decref (answer);
    }
    json_decref (request);
    return self->status? NO_ANSWER: found;
}

//  The position before the first event of a task; -1: there is none yet. NO_ANSWER: no answer
static int64_t
s_before_first (cli_t *self, const char *task_id)
{
    static const char *const lists [] [2] = {
        { "task.history", "history" }, { "task.outputs", "outputs" }, { "task.metrics", "metrics" }
    };
    int64_t first = 0;
    char time [40] = "";
    for (size_t i = 0; i < sizeof lists / sizeof lists [0]; i++) {
        json_t *request = cli_request (lists [i] [0]);
        cli_request_text (request, "task_id", task_id);
        json_object_set_new (request, "limit", json_integer (1));
        json_t *answer = cli_ask_or_none (self, request);
        if (!answer && self->status != CLI_NO)
            return NO_ANSWER;
        self->status = EX_OK;
        const json_t *row = json_array_get (json_object_get (answer, lists [i] [1]), 0);
        int64_t id = json_integer_value (json_object_get (row, "id"));
        if (id && (first == 0 || id < first)) {
            const char *at = json_string_value (json_object_get (row, "timestamp"));
            snprintf (time, sizeof time, "%s", at? at: "");
            first = id;
        }
        json_decref (answer);
    }
    //  The record of a session does not have the position of its first event
    int older = s_has_session_by (self, task_id, first? time: NULL);
    return older < 0? NO_ANSWER: older? 0: first - 1;
}

//  Where a subscription starts: *after, which is STELE_FOLLOW_LIVE for a key that may not read the log. Returns the exit status.
static int
s_start (cli_t *self, const args_t *args, int64_t *after)
{
    json_t *answer = cli_ask (self, cli_request ("ping"));
    if (!answer)
        return self->status;
    json_t *request = cli_request ("events.read");
    json_object_set (request, "after", json_object_get (answer, "position"));
    json_object_set_new (request, "limit", json_integer (1));
    json_decref (answer);
    int code = 0;
    json_decref (cli_try (self, request, cli_timeout (self, CLI_TIMEOUT_MS), &code));
    if (code == STELE_EUNAUTHORIZED && (args->has_after || args->history)) {
        cli_report ("%s. Until then, follow without --after and --history, which prints only new events", self->why);
        return EX_NOPERM;
    }
    if (code == STELE_EUNAUTHORIZED)
        cli_warn ("%s. Until then, only new events are printed: those that are committed while there is no connection are "
            "missing, and content above 65,536 bytes is left out", self->why);
    *after = code == STELE_EUNAUTHORIZED? STELE_FOLLOW_LIVE: args->has_after? args->after:
        args->history? s_before_first (self, args->task): -1;
    return *after < STELE_FOLLOW_LIVE? self->status: EX_OK;
}

static int
s_run (cli_t *self, void *arguments, const cli_operands_t *operands)
{
    const args_t *args = arguments;
    const char *topic = operands->count? operands->items [0]: "";
    if (!s_is_topic (topic))
        return cli_usage_error ("follow", "'%s' is not a topic; use type/ID, or the beginning of one, with a type of %s",
            topic, stele_vocabulary_list (STELE_VOCABULARY_EVENT_TYPE));
    if (args->task && operands->count)
        return cli_usage_error ("follow", "--task and a topic cannot be used together");
    if (args->history && (!args->task || args->has_after))
        return cli_usage_error ("follow", "--history needs --task, and cannot be used with --after");
    int64_t after = -1;
    int status = s_start (self, args, &after);
    if (status)
        return status;
    int rc = args->task? stele_client_follow_task (self->client, args->task, after):
        stele_client_follow (self->client, topic, after);
    if (rc) {
        cli_report ("%s", stele_client_error (self->client));
        return rc == STELE_EUNAUTHORIZED? EX_NOPERM: EX_UNAVAILABLE;
    }
    return s_follow (self, args);
}

const cli_command_t cli_cmd_follow = {
    .name = "follow",
    .summary = "print events as they are committed",
    .usage = {
        .usage = "stele follow [OPTION]... [TOPIC]",
        .about =
            "Print events as they are committed, each once and in order; events lost on the feed are fetched. TOPIC is "
            "type/ID, exactly: 'task.state_changed/build-7' matches the changes of state of one task. One that ends with "
            "'/' or '*', or has no '/', is a prefix: 'task.' matches every event of tasks, 'task.state_changed/' every "
            "change of state, 'task.state_changed/build-*' those of some tasks. --task follows everything about one task. With --json, print one object per line, as 'stele publish' "
            "reads it.",
        .after = "With a key that has the role feed but not query, only new events are printed, without those that the feed "
                 "lost.\n\nRuns until Ctrl-C or N events; with --timeout, also until no event came for that time "
                 "(exit status 69). If the feed cannot be reached, that is reported, and retried.",
        .examples =
            "  stele follow\n"
            "  stele follow --task build-7 --history\n"
            "  stele follow task.state_changed/ --json | jq -r 'select(.state == \"failed\") | .task_id'\n"
            "  stele follow --after 0 --count 10"
    },
    .options = s_options,
    .args_size = sizeof (args_t),
    .operands_max = 1,
    .run = s_run
};
