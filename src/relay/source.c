/*  source - the events of a broker from a position on, and requests to it, for one target

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/memory.h"
#include "relay/source.h"
#include "wire/map.h"
#include "wire/pack.h"
#include "wire/scan.h"

#define REQUEST_MS 5000

struct relay_source {
    const relay_settings_t *settings;
    stele_client_t *requests;       // NULL: not made yet
    stele_client_t *feed;           // NULL: paused
    int timeout_ms;
    char error [512];
};

relay_source_t *
relay_source_new (const relay_settings_t *settings)
{
    relay_source_t *self = STELE_NEW (relay_source_t);
    self->settings = settings;
    self->timeout_ms = REQUEST_MS;
    return self;
}

void
relay_source_destroy (relay_source_t **self_p)
{
    relay_source_t *self = *self_p;
    if (!self)
        return;
    stele_client_destroy (&self->requests);
    stele_client_destroy (&self->feed);
    free (self);
    *self_p = NULL;
}

void
relay_source_set_timeout (relay_source_t *self, int64_t timeout_ms)
{
    self->timeout_ms = timeout_ms < INT_MAX? (int) timeout_ms: INT_MAX;
}

const char *
relay_source_error (const relay_source_t *self)
{
    return self->error;
}

static int
s_failed (relay_source_t *self, stele_client_t *client, int code)
{
    const char *text = stele_client_error (client);
    snprintf (self->error, sizeof self->error, "%s", *text? text: stele_error_text (code));
    return code;
}

int
relay_source_fail (relay_source_t *self, int code, const char *why)
{
    snprintf (self->error, sizeof self->error, "%s", why);
    return code;
}

//  A client that only sends requests and subscribes. NULL: *code has the reason.
static stele_client_t *
s_client (relay_source_t *self, int *code)
{
    stele_client_t *client = stele_client_new (NULL);
    stele_client_set_requests_endpoint (client, self->settings->requests);
    stele_client_set_feed_endpoint (client, self->settings->feed);
    *code = *self->settings->key? stele_client_set_key (client, self->settings->key): 0;
    if (*code == 0)
        return client;
    s_failed (self, client, *code);
    stele_client_destroy (&client);
    return NULL;
}

static int
s_connect (relay_source_t *self)
{
    int code = 0;
    if (!self->requests)
        self->requests = s_client (self, &code);
    return code;
}

int
relay_source_ask (relay_source_t *self, const json_t *request, json_t **answer)
{
    int code = s_connect (self);
    if (code != 0)
        return code;
    char *text = json_dumps (request, JSON_COMPACT), *received = NULL;
    code = stele_client_request_json (self->requests, text, self->timeout_ms, &received);
    free (text);
    if (code != 0)
        return s_failed (self, self->requests, code);
    json_t *message = json_loads (received, JSON_ALLOW_NUL, NULL);
    free (received);
    if (json_is_true (json_object_get (message, "ok"))) {
        *answer = message;
        return 0;
    }
    const json_t *error = json_object_get (message, "error");
    const char *word = json_string_value (json_object_get (error, "code")), *why = json_string_value (json_object_get (error, "message"));
    code = word && strcmp (word, "not_found") == 0? STELE_ENOT_FOUND: STELE_EUNAVAILABLE;
    snprintf (self->error, sizeof self->error, "%s: %s", word? word: "malformed", why? why: "the answer is not JSON");
    json_decref (message);
    return code;
}

int
relay_source_task (relay_source_t *self, const char *task_id, int64_t at, json_t **task)
{
    json_t *request = json_pack ("{ss, ss, sI}", "op", "task.get", "task_id", task_id, "at", (json_int_t) at), *answer = NULL;
    int code = relay_source_ask (self, request, &answer);
    json_decref (request);
    if (code == STELE_ENOT_FOUND) {
        *task = NULL;
        return 0;
    }
    if (code == 0)
        *task = json_incref (json_object_get (answer, "task"));
    json_decref (answer);
    return code;
}

int
relay_source_follow (relay_source_t *self, const char *ledger, int64_t after)
{
    int code = 0;
    relay_source_pause (self);
    self->feed = s_client (self, &code);
    if (code == 0 && (code = stele_client_follow_ledger (self->feed, ledger, "", after)) != 0) {
        s_failed (self, self->feed, code);
        relay_source_pause (self);
    }
    return code;
}

void
relay_source_pause (relay_source_t *self)
{
    stele_client_destroy (&self->feed);
}

bool
relay_source_follows (const relay_source_t *self)
{
    return self->feed != NULL;
}

int
relay_source_next (relay_source_t *self, stele_event_t **event)
{
    int code = stele_client_next (self->feed, 0, event);
    return code == 0 || code == STELE_ETIMEOUT? code: s_failed (self, self->feed, code);
}

int64_t
relay_source_position (const relay_source_t *self)
{
    return self->feed? stele_client_followed (self->feed): -1;
}

int
relay_source_fd (relay_source_t *self)
{
    return self->feed? stele_client_fd (self->feed): -1;
}

//  The first event of an answer to events.read, if it has that position
static int
s_first (relay_source_t *self, const void *answer, size_t size, int64_t position, stele_event_t **event)
{
    const void *events, *data;
    stele_map_t message;
    bool ok = false;
    if (stele_map_open (&message, answer, size) != 0 || !stele_map_bool (&message, "ok", &ok) || !ok
    ||  stele_scan_find (answer, size, "events", &events, &size).kind != STELE_SCAN_ARRAY) {
        snprintf (self->error, sizeof self->error, "events.read was refused, or has no events");
        return STELE_EUNAVAILABLE;
    }
    stele_scan_t scan = stele_scan_start (events, size);
    if (stele_scan_next (&scan).count == 0)
        return STELE_ENOT_FOUND;
    stele_scan_skip (&scan, &data, &size);
    stele_event_t *read = stele_event_decode (data, size, NULL, 0);
    if (read && stele_event_position (read) == position)
        *event = read;
    else
        stele_event_destroy (&read);
    return read? 0: STELE_ENOT_FOUND;
}

int
relay_source_read (relay_source_t *self, int64_t position, stele_event_t **event)
{
    int code = s_connect (self);
    if (code != 0)
        return code;
    stele_pack_t *pack = stele_pack_new ();
    stele_pack_map_begin (pack);
    stele_pack_key_string (pack, "op", "events.read");
    stele_pack_key_integer (pack, "after", position - 1);
    stele_pack_key_integer (pack, "limit", 1);
    stele_pack_map_end (pack);
    void *answer = NULL;
    size_t size = 0;
    code = stele_client_request (self->requests, stele_pack_data (pack), stele_pack_size (pack), self->timeout_ms, &answer, &size);
    stele_pack_destroy (&pack);
    code = code == 0? s_first (self, answer, size, position, event): s_failed (self, self->requests, code);
    free (answer);
    return code;
}
