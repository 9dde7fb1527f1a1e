/*  stream - one stream of events or changed tasks to a client (Server-Sent Events)

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/memory.h"
#include "http/params.h"
#include "http/reply.h"
#include "http/session.h"
#include "http/stream.h"
#include "model/vocabulary.h"
#include "wire/json/json.h"
#include "wire/scan.h"

#define PAGE_EVENTS  1000
#define PAGE_MS     15000
#define RETRY_MS     2000           // After which a browser connects again
#define AT_HEAD INT64_MAX           // events.read after the head answers with the head alone

//  -- what passes ------------------------------------------------------------------------------

//  Does ",a,b," have the word?
static bool
s_has_word (const char *list, const char *word)
{
    char key [300];
    snprintf (key, sizeof key, ",%s,", word);
    return strstr (list, key) != NULL;
}

bool
http_stream_is_plain (const http_stream_t *self)
{
    return !self->of_tasks && !self->types && !self->task_ids;
}

bool
http_stream_is_open (const http_stream_t *self)
{
    return self->of_tasks && !self->types && !self->task_ids && !http_actor_is_bound (self->actor);
}

void
http_event_words (const stele_map_t *event, http_event_words_t *words)
{
    char type [64];
    words->event = event;
    *words->type = *words->listed_id = 0;
    if (stele_map_text (event, "type", type, sizeof type))
        snprintf (words->type, sizeof words->type, ",%s,", type);
    if (stele_map_text (event, "task_id", words->task_id, sizeof words->task_id))
        snprintf (words->listed_id, sizeof words->listed_id, ",%s,", words->task_id);
    else
        *words->task_id = 0;
}

//  Most lists are one word, which is compared in no time: this is called for each event and stream
static bool
s_lists (const char *list, const char *word)
{
    size_t list_size = strlen (list), size = strlen (word);
    return size && (size == list_size? memcmp (list, word, size) == 0: size < list_size && strstr (list, word) != NULL);
}

bool
http_stream_passes (const http_stream_t *self, const http_event_words_t *words)
{
    if (self->types && !s_lists (self->types, words->type))
        return false;
    if (!self->task_ids && !self->of_tasks)
        return true;
    return *words->task_id && (!self->task_ids || s_lists (self->task_ids, words->listed_id));
}

//  -- messages -------------------------------------------------------------------------------------

static void
s_send (http_stream_t *self, const void *data, size_t size)
{
    self->sent_ms = stele_clock_steady_ms ();
    http_conn_send (self->conn, data, size);
}

void
http_stream_say (http_stream_t *self, const char *name, int64_t id, const char *format, ...)
{
    char text [1024];
    if (self->form)
        return;
    int used = snprintf (text, sizeof text, "event: %s\n", name);
    if (id >= 0)
        used += snprintf (text + used, sizeof text - (size_t) used, "id: %" PRId64 "\n", id);
    used += snprintf (text + used, sizeof text - (size_t) used, "data: ");
    va_list args;
    va_start (args, format);
    used += vsnprintf (text + used, sizeof text - (size_t) used - 3, format, args);
    va_end (args);
    used += snprintf (text + used, sizeof text - (size_t) used, "\n\n");
    s_send (self, text, (size_t) used);
}

void
http_stream_end (http_stream_t *self, const char *why)
{
    if (self->form) {
        self->form->end (self, why);
        return;
    }
    http_stream_say (self, "end", -1, "{\"status\":401,\"detail\":\"%s\"}", why);
    http_conn_finish (self->conn);
}

void
http_stream_take (http_stream_t *self, const http_event_words_t *words, const char *text, size_t size)
{
    if (self->form)
        self->form->take (self, words->event);
    else
    if (!self->of_tasks)
        s_send (self, text, size);
    else
        zhash_insert (self->changed, words->task_id, self);
}

//  Replace content that is too large by its size
static void
s_pack_without (const stele_map_t *event, stele_pack_t *pack)
{
    stele_scan_t scan = stele_scan_start (event->data, event->size);
    uint32_t count = stele_scan_next (&scan).count;
    stele_pack_clear (pack);
    stele_pack_map (pack, count);
    while (count--) {
        const void *value;
        size_t size;
        stele_token_t key = stele_scan_next (&scan);
        stele_scan_t probe = scan;
        stele_token_t token = stele_scan_next (&probe);
        stele_scan_skip (&scan, &value, &size);
        bool is_content = (key.size == 7 && memcmp (key.data, "content", 7) == 0)
            || (key.size == 6 && memcmp (key.data, "output", 6) == 0);
        if (is_content && (token.kind == STELE_SCAN_TEXT || token.kind == STELE_SCAN_BYTES)
        &&  token.size > HTTP_CONTENT_MAX) {
            stele_pack_string (pack, "content_omitted");
            stele_pack_integer (pack, token.size);
        }
        else {
            stele_pack_text (pack, key.data, key.size);
            stele_pack_packed (pack, value, size);
        }
    }
}

char *
http_stream_text (const stele_map_t *event, int64_t position, stele_pack_t *pack, size_t *size)
{
    const void *data = event->data;
    size_t data_size = event->size;
    if (data_size > HTTP_CONTENT_MAX) {
        s_pack_without (event, pack);
        if (stele_pack_failed (pack))
            return NULL;
        data = stele_pack_data (pack);
        data_size = stele_pack_size (pack);
    }
    char *json = stele_json_print (data, data_size, true);
    if (!json)
        return NULL;
    size_t room = strlen (json) + 64;
    char *text = stele_memory_new (room);
    *size = (size_t) snprintf (text, room, "id: %" PRId64 "\ndata: %s\n\n", position, json);
    free (json);
    return text;
}

//  -- behind: pages of the log ------------------------------------------------------------------------

static void
s_on_drained (void *context)
{
    http_stream_t *self = context;
    http_conn_on_drained (self->conn, 0, NULL);
    if (self->state == HTTP_STREAM_FULL)
        self->state = HTTP_STREAM_BEHIND;
}

void
http_stream_set_full (http_stream_t *self)
{
    self->state = HTTP_STREAM_FULL;
    http_conn_on_drained (self->conn, HTTP_STREAM_UNREAD / 4, s_on_drained);
}

//  The first page tells where the log ends
static void
s_greet (http_stream_t *self, int64_t head)
{
    const char *reason = *self->ledger && strcmp (self->ledger, self->server->ledger) != 0? "other_ledger":
        self->position > head? "unknown_position": head - self->position > HTTP_STREAM_RESUME? "too_far_behind": NULL;
    self->greeted = true;
    if (self->form)
        self->form->greet (self);
    if (self->position < 0) {
        self->position = head;
        reason = NULL;
    }
    http_stream_say (self, "hello", reason? -1: self->position, "{\"ledger\":\"%s\",\"head\":%" PRId64 "}",
        self->server->ledger, head);
    if (reason) {
        self->position = head;
        http_stream_say (self, "reset", head, "{\"reason\":\"%s\",\"ledger\":\"%s\",\"head\":%" PRId64 "}", reason,
            self->server->ledger, head);
    }
}

void
http_stream_forget_changes (http_stream_t *self)
{
    zhash_destroy (&self->changed);
    self->changed = zhash_new ();
}

void
http_stream_reset (http_stream_t *self, const char *reason)
{
    if (self->state == HTTP_STREAM_STATS)
        return;
    if (self->token)
        http_upstream_forget (self->server->upstream, self->token);
    self->token = 0;
    http_stream_forget_changes (self);
    if (self->greeted)
        http_stream_say (self, "reset", -1, "{\"reason\":\"%s\",\"ledger\":\"%s\"}", reason, self->server->ledger);
    self->position = -1;
    self->caught_up = false;
    self->greeted = false;          // A hello with the new ledger and its head follows
    if (self->state != HTTP_STREAM_FULL)
        self->state = HTTP_STREAM_BEHIND;
}

//  Returns false if an event is not valid
static bool
s_take_page (http_stream_t *self, stele_scan_t events)
{
    uint32_t count = stele_scan_next (&events).count;
    http_event_words_t words;
    while (count--) {
        stele_map_t event;
        int64_t position;
        size_t size = 0;
        stele_scan_skip (&events, &event.data, &event.size);
        if (stele_map_open (&event, event.data, event.size) != 0 || !stele_map_integer (&event, "position", &position))
            return false;
        if (position <= self->position)
            continue;
        self->position = position;
        http_event_words (&event, &words);
        if (!http_stream_passes (self, &words))
            continue;
        char *text = self->of_tasks? NULL: http_stream_text (&event, position, self->server->pack, &size);
        if (!text && !self->of_tasks)
            return false;
        http_stream_take (self, &words, text, size);
        free (text);
    }
    return true;
}

static void
s_on_page (void *arg, const void *answer, size_t size, const stele_refusal_t *refusal)
{
    http_stream_t *self = arg;
    stele_refusal_t error;
    stele_map_t map = { answer, size };
    const void *events;
    size_t events_size;
    int64_t head, next;
    self->token = 0;
    self->state = HTTP_STREAM_BEHIND;       // After a failure it is tried again
    if (refusal || http_reply_check (answer, size, &error) || !*self->server->ledger
    ||  !stele_map_integer (&map, "head", &head)
    ||  stele_scan_find (answer, size, "events", &events, &events_size).kind != STELE_SCAN_ARRAY)
        return;
    if (!self->greeted) {
        s_greet (self, head);
        if (self->position == head && http_hub_join (self->server->hub, self, head))
            return;
    }
    if (!s_take_page (self, stele_scan_start (events, events_size))) {
        http_conn_close (self->conn);
        return;
    }
    bool last = !stele_map_integer (&map, "next", &next);
    if (self->position < (last? head: next))
        self->position = last? head: next;
    if (http_conn_unread (self->conn) > HTTP_STREAM_UNREAD)
        http_stream_set_full (self);
    else
    if (last)
        http_hub_join (self->server->hub, self, head);
    http_hub_read (self->server->hub);
}

static void
s_pack_types (const http_stream_t *self, stele_pack_t *pack)
{
    stele_pack_key (pack, "types");
    size_t mark = stele_pack_open_array (pack), count = 0;
    for (int code = 1; code < STELE_EVENT_TYPE_END; code++) {
        const char *type = stele_vocabulary_word (STELE_VOCABULARY_EVENT_TYPE, code);
        if (s_has_word (self->types, type)) {
            stele_pack_string (pack, type);
            count++;
        }
    }
    stele_pack_close (pack, mark, count);
}

bool
http_stream_read (http_stream_t *self)
{
    stele_pack_t *pack = self->server->pack;
    stele_refusal_t refusal;
    stele_pack_clear (pack);
    stele_pack_map_begin (pack);
    stele_pack_key_string (pack, "op", "events.read");
    stele_pack_key_integer (pack, "after", self->position < 0? AT_HEAD: self->position);
    stele_pack_key_integer (pack, "limit", PAGE_EVENTS);
    if (self->caught_up)
        stele_pack_key_integer (pack, "min_position", http_hub_position (self->server->hub));
    if (self->types)
        s_pack_types (self, pack);
    stele_pack_map_end (pack);
    int64_t token = http_upstream_send (self->server->upstream, pack, self->actor, PAGE_MS, s_on_page, self, &refusal);
    if (token < 0)
        return false;
    self->token = token;
    self->state = HTTP_STREAM_READING;
    return true;
}

//  -- start and end -------------------------------------------------------------------------------------

static void
s_on_gone (void *context)
{
    http_stream_t *self = context;
    if (self->token)
        http_upstream_forget (self->server->upstream, self->token);
    http_hub_remove (self->server->hub, self);
    if (self->form)
        self->form->gone (self);
    zhash_destroy (&self->changed);
    zhash_destroy (&self->sending);
    free (self->types);
    free (self->task_ids);
    free (self->states);
    free (self->roles);
    free (self);
}

//  All values of a parameter as ",a,b,"; NULL if there is none
static char *
s_words (const http_target_t *target, const char *name)
{
    char *words = NULL;
    size_t size = 1;
    for (size_t i = 0; i < target->param_count; i++) {
        const http_param_t *param = &target->params [i];
        if (strcmp (param->name.data, name) != 0 || param->value.size == 0)
            continue;
        char *more = stele_memory_new (size + param->value.size + 2);
        snprintf (more, size + param->value.size + 2, "%s%s,", words? words: ",", param->value.data);
        size = strlen (more);
        free (words);
        words = more;
    }
    return words;
}

//  Where to start: Last-Event-ID, which a browser sends when it connects again, wins over the URL
static int
s_read_start (http_stream_t *self, const http_request_t *request, stele_refusal_t *refusal)
{
    http_span_t last = request->head.fields [HTTP_LAST_EVENT_ID];
    if (http_params_number (request, "after", -1, &self->position, refusal))
        return refusal->code;
    if (http_target_param (&request->target, "after").data && self->position < 0)
        return stele_refuse (refusal, STELE_EBAD_REQUEST, "after", "after takes a position, or 0 for all events");
    if (last.size && (!http_span_number (last, &self->position) || self->position < 0))
        return stele_refuse (refusal, STELE_EBAD_REQUEST, "Last-Event-ID", "Last-Event-ID is not a position");
    http_span_t ledger = http_target_param (&request->target, "ledger");
    snprintf (self->ledger, sizeof self->ledger, "%s", ledger.data? ledger.data: "");
    return 0;
}

static int
s_check_types (const char *types, stele_refusal_t *refusal)
{
    while (types && types [1]) {
        size_t size = strcspn (++types, ",");
        if (size && !stele_vocabulary_code (STELE_VOCABULARY_EVENT_TYPE, types, size))
            return stele_refuse (refusal, STELE_EBAD_REQUEST, "types", "there is no event type '%.*s'",
                size > 60? 60: (int) size, types);
        types += size;
    }
    return 0;
}

static int
s_check_stats (const http_stream_t *self, const char *way_out, stele_refusal_t *refusal)
{
    return !http_actor_is_bound (self->actor)? 0: stele_refuse (refusal, STELE_EUNAUTHORIZED, "stats",
        "statistics concern all users, but the token '%s' is bound to users: %s", self->actor->name, way_out);
}

static int
s_read_filter (http_stream_t *self, const http_request_t *request, stele_refusal_t *refusal)
{
    http_span_t view = http_target_param (&request->target, "view");
    self->of_tasks = http_span_is (view, "tasks");
    if (view.data && !self->of_tasks && !http_span_is (view, "events"))
        return stele_refuse (refusal, STELE_EBAD_REQUEST, "view", "view takes events or tasks");
    http_span_t stats = http_target_param (&request->target, "stats");
    self->wants_stats = http_span_is (stats, "true") || http_span_is (stats, "1");
    if (self->wants_stats && s_check_stats (self, "leave out stats", refusal))
        return refusal->code;
    self->types = s_words (&request->target, "types");
    self->task_ids = s_words (&request->target, "task_id");
    self->states = s_words (&request->target, "states");
    self->roles = s_words (&request->target, "roles");
    if (!self->of_tasks && (self->states || self->roles))
        return stele_refuse (refusal, STELE_EBAD_REQUEST, self->states? "states": "roles", "states and roles select "
            "tasks: use them with view=tasks");
    return s_check_types (self->types, refusal);
}

static http_stream_t *
s_new (http_server_t *server, http_conn_t *conn)
{
    http_stream_t *self = STELE_NEW (http_stream_t);
    self->server = server;
    self->conn = conn;
    self->actor = http_conn_request (conn)->actor;
    self->session = self->actor? http_session_number (&server->sessions, &http_conn_request (conn)->head): 0;
    self->changed = zhash_new ();
    http_hub_add (server->hub, self);
    http_conn_set_context (conn, self, s_on_gone);
    return self;
}

void
http_stream_open (http_server_t *server, http_conn_t *conn, const char *types, const http_stream_form_t *form, void *state)
{
    http_stream_t *self = s_new (server, conn);
    self->position = -1;
    self->types = stele_memory_copy (types, strlen (types));
    self->form = form;
    self->form_state = state;
    self->sent_ms = stele_clock_steady_ms ();
    http_conn_endless (conn);
    http_stream_read (self);
}

void
http_stream_start (http_server_t *server, http_conn_t *conn, const http_route_t *route)
{
    stele_refusal_t refusal;
    const http_request_t *request = http_conn_request (conn);
    http_stream_t *self = s_new (server, conn);
    bool of_stats = route == &http_routes [HTTP_ROUTE_STREAM_STATS];
    int rc = http_params_pack (route, request, server->pack, &refusal);
    if (rc == 0 && of_stats)
        rc = s_check_stats (self, "it may follow its own tasks, with GET /v1/stream", &refusal);
    if (rc == 0 && !of_stats)
        rc = s_read_start (self, request, &refusal);
    if (rc == 0 && !of_stats)
        rc = s_read_filter (self, request, &refusal);
    if (rc) {
        http_server_problem (server, conn, &refusal);
        return;
    }
    //  At once, also while the broker is away: a browser does not try again after another status
    http_server_fields (server, conn, -1);
    http_conn_field (conn, "Cache-Control", "no-store");
    http_conn_field (conn, "X-Accel-Buffering", "no");
    http_conn_begin (conn, 200, "text/event-stream", true);
    if (request->head.method == HTTP_HEAD) {
        http_conn_finish (conn);
        return;
    }
    char retry [40];
    s_send (self, retry, (size_t) snprintf (retry, sizeof retry, "retry: %d\n\n", RETRY_MS));
    if (of_stats) {
        self->state = HTTP_STREAM_STATS;
        self->wants_stats = true;
    }
    else
        http_stream_read (self);
}
