/*  span - events as spans of traces

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "model/vocabulary.h"
#include "relay/filter.h"
#include "relay/otlp.h"
#include "relay/span.h"
#include "wire/time.h"

#define DEPTH_MAX 64                // Of parents: they may form a circle
#define PAGES_MAX 20                // Of the history or the metrics of one task
#define PAGE_ROWS 500
#define TOOK_MAX_US 1e15            // Of a command: 30 years

bool
relay_span_ends (const stele_event_t *event)
{
    const char *type = stele_event_type (event), *state = relay_event_text (event, "state");
    return strcmp (type, "session.command_executed") == 0 || (strncmp (type, "task.", 5) == 0
        && stele_vocabulary_code (STELE_VOCABULARY_TASK_STATE, state, strlen (state)) >= STELE_TASK_TERMINAL_FROM);
}

static const char *
s_text (const json_t *record, const char *key)
{
    const char *text = json_string_value (json_object_get (record, key));
    return text? text: "";
}

static int64_t
s_integer (const json_t *record, const char *key)
{
    return json_integer_value (json_object_get (record, key));
}

static int64_t
s_time_us (const json_t *record, const char *key)
{
    const char *text = s_text (record, key);
    int64_t time_us = 0;
    stele_time_parse (text, strlen (text), &time_us);
    return time_us;
}

static void
s_span_id (const char *task_id, int64_t attempt, char id [RELAY_SPAN_ID])
{
    json_t *text = json_sprintf ("%s#%" PRId64, task_id, attempt);
    relay_otlp_id (json_string_value (text), id, RELAY_SPAN_ID);
    json_decref (text);
}

//  The trace is that of the root: the last ancestor whose id is known, whether it was created or not
static int
s_find_trace (relay_source_t *source, const json_t *task, int64_t at, relay_span_t *span)
{
    json_t *record = json_incref ((json_t *) task);
    char root [256];
    int code = 0;
    snprintf (root, sizeof root, "%s", s_text (task, "task_id"));
    for (int depth = 0; depth < DEPTH_MAX && code == 0 && record && *s_text (record, "parent_id"); depth++) {
        json_t *parent = NULL;
        snprintf (root, sizeof root, "%s", s_text (record, "parent_id"));
        code = relay_source_task (source, root, at, &parent);
        if (code == 0 && depth == 0)
            s_span_id (root, parent? s_integer (parent, "attempt"): 1, span->parent_id);
        json_decref (record);
        record = parent;
    }
    json_decref (record);
    relay_otlp_id (root, span->trace_id, sizeof span->trace_id);
    return code;
}

//  -- rows of an attempt ----------------------------------------------------------------------

typedef struct {
    int64_t attempt, position;      // Of the event that ends it
    int64_t start_us, first_us;     // When it was started; its first event
    bool ended_before;              // The task was in this state already
    json_t *metrics;
} s_attempt_t;

typedef void (s_row_fn) (const json_t *row, s_attempt_t *attempt);

//  Call 'fn' for the rows of the attempt, up to its end, the latest first
static int
s_each (relay_source_t *source, const char *op, const char *rows, const char *task_id, s_attempt_t *attempt, s_row_fn *fn)
{
    json_t *cursor = json_null ();
    int code = 0;
    bool more = true;
    for (int page = 0; page < PAGES_MAX && more && code == 0; page++) {
        json_t *request = json_pack ("{ss, ss, ss, si, sO}", "op", op, "task_id", task_id, "order", "desc", "limit", PAGE_ROWS,
            "cursor", cursor), *answer = NULL;
        code = relay_source_ask (source, request, &answer);
        json_decref (request);
        const json_t *list = json_object_get (answer, rows);
        for (size_t i = 0; i < json_array_size (list) && more; i++) {
            const json_t *row = json_array_get (list, i);
            more = s_integer (row, "attempt") >= attempt->attempt;
            if (more && s_integer (row, "attempt") == attempt->attempt && s_integer (row, "id") <= attempt->position)
                fn (row, attempt);
        }
        json_decref (cursor);
        cursor = json_incref (json_object_get (answer, "next"));
        more = more && cursor && !json_is_null (cursor);
        json_decref (answer);
    }
    json_decref (cursor);
    return code == STELE_ENOT_FOUND? 0: code;
}

static void
s_take_change (const json_t *row, s_attempt_t *attempt)
{
    const char *state = s_text (row, "state_to");
    attempt->first_us = s_time_us (row, "timestamp");
    if (strcmp (state, "running") == 0 || strcmp (state, "starting") == 0)
        attempt->start_us = attempt->first_us;
    if (s_integer (row, "id") == attempt->position && strcmp (s_text (row, "state_from"), state) == 0)
        attempt->ended_before = true;
}

//  The name that conventions for traces of models give a metric
static const char *
s_attribute (const char *name)
{
    static const char *const names [] [2] = {
        { "input_tokens", "gen_ai.usage.input_tokens" }, { "prompt_tokens", "gen_ai.usage.input_tokens" },
        { "tokens_in", "gen_ai.usage.input_tokens" }, { "output_tokens", "gen_ai.usage.output_tokens" },
        { "completion_tokens", "gen_ai.usage.output_tokens" }, { "tokens_out", "gen_ai.usage.output_tokens" },
    };
    for (size_t i = 0; i < sizeof names / sizeof names [0]; i++)
        if (strcmp (names [i] [0], name) == 0)
            return names [i] [1];
    return NULL;
}

//  Tokens are added up; of another metric, the latest value counts, which comes first
static void
s_take_metric (const json_t *row, s_attempt_t *attempt)
{
    const char *name = s_text (row, "name"), *usage = s_attribute (name);
    const json_t *value = json_object_get (row, "value");
    json_t *key = usage? json_string (usage): strncmp (name, "gen_ai.", 7) == 0? json_string (name): json_sprintf ("stele.metric.%s", name);
    const json_t *known = json_object_get (attempt->metrics, json_string_value (key));
    if (known && usage && json_is_integer (known) && json_is_integer (value))
        json_object_set_new (attempt->metrics, json_string_value (key),
            json_integer (json_integer_value (known) + json_integer_value (value)));
    else
    if (known && usage)
        json_object_set_new (attempt->metrics, json_string_value (key), json_real (json_number_value (known) + json_number_value (value)));
    else
    if (!known && json_is_number (value))
        json_object_set (attempt->metrics, json_string_value (key), (json_t *) value);
    json_decref (key);
}

//  -- an attempt ------------------------------------------------------------------------------

static json_t *
s_attributes (const json_t *task, const stele_event_t *event, const s_attempt_t *attempt)
{
    json_t *list = json_array (), *value;
    const char *key;
    relay_otlp_text (list, "stele.task.id", s_text (task, "task_id"));
    relay_otlp_text (list, "stele.task.title", s_text (task, "title"));
    relay_otlp_text (list, "stele.task.role", s_text (task, "role"));
    relay_otlp_text (list, "stele.task.state", relay_event_text (event, "state"));
    relay_otlp_text (list, "stele.task.parent_id", s_text (task, "parent_id"));
    relay_otlp_integer (list, "stele.task.attempt", attempt->attempt);
    relay_otlp_integer (list, "stele.position", attempt->position);
    relay_otlp_text (list, "user.id", s_text (task, "user_id"));
    relay_otlp_text (list, "gen_ai.provider.name", s_text (task, "provider"));
    relay_otlp_text (list, "gen_ai.request.model", s_text (task, "model"));
    json_object_foreach (attempt->metrics, key, value)
        if (json_is_integer (value))
            relay_otlp_integer (list, key, json_integer_value (value));
        else
            relay_otlp_real (list, key, json_real_value (value));
    return list;
}

static int
s_of_task (relay_source_t *source, const char *ledger, const stele_event_t *event, const json_t *task, char **text)
{
    const char *task_id = s_text (task, "task_id"), *title = s_text (task, "title"), *state = relay_event_text (event, "state");
    const char *producer = s_text (task, "producer");
    s_attempt_t attempt = { .attempt = s_integer (task, "attempt"), .position = stele_event_position (event), .metrics = json_object () };
    relay_span_t span = { .name = *title? title: task_id, .end_us = stele_event_integer (event, "time", 0),
        .message = stele_event_string (event, "error_message", NULL) };
    int code = s_each (source, "task.history", "history", task_id, &attempt, s_take_change);
    if (code == 0 && !attempt.ended_before)
        code = s_each (source, "task.metrics", "metrics", task_id, &attempt, s_take_metric);
    if (code == 0 && !attempt.ended_before)
        code = s_find_trace (source, task, attempt.position, &span);
    if (code == 0 && !attempt.ended_before) {
        s_span_id (task_id, attempt.attempt, span.span_id);
        span.start_us = attempt.start_us? attempt.start_us: attempt.first_us? attempt.first_us: span.end_us;
        span.status = strcmp (state, "passed") == 0? RELAY_OK: strcmp (state, "cancelled") == 0? RELAY_UNSET: RELAY_ERROR;
        if (!span.message)
            span.message = state;
        span.attributes = s_attributes (task, event, &attempt);
        *text = relay_otlp_request (*producer? producer: "stele", ledger, &span);
    }
    json_decref (attempt.metrics);
    return code == 0? !attempt.ended_before: code;
}

//  -- a command of a session --------------------------------------------------------------------

static int
s_of_command (relay_source_t *source, const char *ledger, const stele_event_t *event, const json_t *session, char **text)
{
    const char *session_id = relay_event_text (event, "session_id"), *command = relay_event_text (event, "command");
    const char *task_id = s_text (session, "task_id"), *producer = "stele";
    int64_t position = stele_event_position (event), exit_code = stele_event_integer (event, "exit_code", 0);
    json_t *word = json_stringn (command, strcspn (command, " \t\r\n"));
    relay_span_t span = { .name = json_string_value (word), .end_us = stele_event_integer (event, "time", 0),
        .status = !stele_event_has (event, "exit_code")? RELAY_UNSET: exit_code == 0? RELAY_OK: RELAY_ERROR };
    json_t *task = NULL, *id = json_sprintf ("%s@%" PRId64, session_id, position), *status = json_sprintf ("exit status %" PRId64, exit_code);
    int code = *task_id? relay_source_task (source, task_id, position, &task): 0;
    relay_otlp_id (*task_id? task_id: session_id, span.trace_id, sizeof span.trace_id);
    if (code == 0 && task)
        code = s_find_trace (source, task, position, &span);
    if (code == 0) {
        if (!*span.name)
            span.name = "command";
        if (*task_id)
            s_span_id (task_id, task? s_integer (task, "attempt"): 1, span.parent_id);
        relay_otlp_id (json_string_value (id), span.span_id, sizeof span.span_id);
        double took_us = stele_event_real (event, "execution_time_ms", 0) * 1000;
        //  Any number is accepted, also one that is none
        span.start_us = span.end_us - (took_us > 0 && took_us < TOOK_MAX_US? (int64_t) took_us: 0);
        span.message = json_string_value (status);
        span.attributes = json_array ();
        relay_otlp_text (span.attributes, "stele.session.id", session_id);
        relay_otlp_text (span.attributes, "stele.task.id", task_id);
        relay_otlp_text (span.attributes, "stele.session.cli_tool", s_text (session, "cli_tool"));
        relay_otlp_text (span.attributes, "process.command_line", command);
        relay_otlp_integer (span.attributes, "stele.position", position);
        if (stele_event_has (event, "exit_code"))
            relay_otlp_integer (span.attributes, "process.exit.code", exit_code);
        producer = *s_text (task, "producer")? s_text (task, "producer"): producer;
        *text = relay_otlp_request (producer, ledger, &span);
    }
    json_decref (task);
    json_decref (id);
    json_decref (word);
    json_decref (status);
    return code == 0? 1: code;
}

int
relay_span_request (relay_source_t *source, const char *ledger, const stele_event_t *event, char **text)
{
    json_t *record = NULL;
    int code;
    if (strncmp (stele_event_type (event), "task.", 5) == 0) {
        code = relay_source_task (source, relay_event_text (event, "task_id"), stele_event_position (event), &record);
        code = code == 0 && record? s_of_task (source, ledger, event, record, text): code;
    }
    else {
        json_t *request = json_pack ("{ss, ss}", "op", "session.get", "session_id", relay_event_text (event, "session_id")), *answer = NULL;
        code = relay_source_ask (source, request, &answer);
        json_decref (request);
        code = code == 0 || code == STELE_ENOT_FOUND? s_of_command (source, ledger, event, json_object_get (answer, "session"), text): code;
        json_decref (answer);
    }
    json_decref (record);
    return code;
}
