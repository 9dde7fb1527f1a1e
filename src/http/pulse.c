/*  pulse - the statistics and findings, sent once a second to every stream that wants them

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/memory.h"
#include "http/pulse.h"
#include "http/stats.h"

#define PULSE_MS   1000
#define COUNTS_MAX   30             // Of each group, the largest come first
#define EARLY_MS    100              // Streams that are due this soon are sent the same answer

struct http_pulse {
    http_call_t call;               // The first member: an answer is given with its address
    http_stream_t *streams;         // Of the hub, as of the last tick
    bool asked;                     // An answer is awaited
};

http_pulse_t *
http_pulse_new (http_server_t *server)
{
    http_pulse_t *self = STELE_NEW (http_pulse_t);
    self->call.server = server;
    return self;
}

void
http_pulse_destroy (http_pulse_t **self_p)
{
    http_pulse_t *self = *self_p;
    if (!self)
        return;
    if (self->call.state_free)
        self->call.state_free (self->call.state);
    free (self);
    *self_p = NULL;
}

void
http_pulse_forget (http_pulse_t *self, http_stream_t *stream)
{
    if (self->streams == stream)
        self->streams = stream->next;
}

//  A copy without what may be long: producers, and of the counts all but the largest. Caller owns return value.
static json_t *
s_trim (const json_t *stats)
{
    json_t *copy = json_copy ((json_t *) stats), *tasks = json_object_get (stats, "tasks"), *shorter = json_object ();
    const char *key, *word;
    json_t *counts, *count;
    json_object_foreach (tasks, key, counts) {
        json_t *kept = json_is_object (counts)? json_object (): json_incref (counts);
        if (json_is_object (counts))
            json_object_foreach (counts, word, count) {
                if (json_object_size (kept) == COUNTS_MAX)
                    break;
                json_object_set (kept, word, count);
            }
        json_object_set_new (shorter, key, kept);
    }
    json_object_set_new (copy, "tasks", shorter);
    json_object_del (copy, "producers");
    return copy;
}

//  The whole message. Caller frees return value with free().
static char *
s_print (const http_server_t *server, const json_t *stats, const stele_refusal_t *refusal)
{
    json_t *message = json_pack ("{so, so}", "stats", stats? s_trim (stats): json_null (), "findings",
        http_stats_findings (server, stats, refusal));
    char *json = json_dumps (message, JSON_COMPACT);
    size_t size = strlen (json) + 32;
    char *text = stele_memory_new (size);
    snprintf (text, size, "event: stats\ndata: %s\n\n", json);
    free (json);
    json_decref (message);
    return text;
}

static void
s_on_stats (http_call_t *call, const json_t *stats, const stele_refusal_t *refusal)
{
    http_pulse_t *self = (http_pulse_t *) call;
    int64_t now_ms = stele_clock_steady_ms ();
    char *text = s_print (call->server, stats, refusal);
    size_t size = strlen (text);
    self->asked = false;
    for (http_stream_t *stream = self->streams; stream; stream = stream->next) {
        if (!stream->wants_stats || now_ms < stream->stats_ms + PULSE_MS - EARLY_MS)
            continue;
        stream->stats_ms = now_ms;
        //  One that reads slowly is sent a later one
        if (http_conn_unread (stream->conn) > HTTP_STREAM_UNREAD / 4)
            continue;
        stream->sent_ms = now_ms;
        http_conn_send (stream->conn, text, size);
    }
    free (text);
}

void
http_pulse_tick (http_pulse_t *self, http_stream_t *streams)
{
    int64_t now_ms = stele_clock_steady_ms ();
    bool due = false;
    self->streams = streams;
    for (http_stream_t *stream = streams; stream && !due; stream = stream->next)
        due = stream->wants_stats && now_ms >= stream->stats_ms + PULSE_MS;
    if (!due || self->asked)
        return;
    self->asked = true;
    http_stats_start (&self->call, s_on_stats);
}
