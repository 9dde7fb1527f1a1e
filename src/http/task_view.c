/*  task_view - the latest records of changed tasks, for streams with view=tasks

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/memory.h"
#include "http/reply.h"
#include "http/stream.h"
#include "http/task_view.h"
#include "wire/json/json.h"
#include "wire/map.h"
#include "wire/scan.h"

#define ROUND_MS          250       // Between two rounds
#define TASKS_MAX         200       // Of one stream in a round
#define FETCHES_MAX       400       // Of all streams in a round
#define FETCH_MS         5000
#define S_KEY_SIZE        300

typedef struct {
    http_task_view_t *view;
    int64_t token;                  // 0: answered
    char *json;                     // The record; NULL: there is none
    char state [32], role [256];
} s_record_t;

//  What open streams without a filter are sent in a round, shared by all of them
typedef struct {
    size_t uses;
    const http_actor_t *actor;      // Whose records are in it
    size_t size;
    char *text;
} s_block_t;

struct http_task_view {
    http_server_t *server;
    zhash_t *shared;                // Ids of tasks that changed, for the open streams that are live
    zhash_t *sending;               // Those of this round; NULL: none
    http_stream_t *streams;         // Of the hub, as of the last tick
    zhash_t *records;               // s_record_t of this round by s_print_key; NULL: no round
    size_t left;                    // Not answered yet
    int64_t position;               // Changes up to this are in the round
    int64_t begun_ms;
};

http_task_view_t *
http_task_view_new (struct http_server *server)
{
    http_task_view_t *self = STELE_NEW (http_task_view_t);
    self->server = server;
    self->shared = zhash_new ();
    return self;
}

void
http_task_view_take (http_task_view_t *self, const char *task_id)
{
    zhash_insert (self->shared, task_id, self);
}

void
http_task_view_reset (http_task_view_t *self)
{
    zhash_destroy (&self->shared);
    self->shared = zhash_new ();
}

static void
s_free_record (void *data)
{
    s_record_t *record = data;
    if (record->token)
        http_upstream_forget (record->view->server->upstream, record->token);
    free (record->json);
    free (record);
}

void
http_task_view_destroy (http_task_view_t **self_p)
{
    http_task_view_t *self = *self_p;
    if (!self)
        return;
    zhash_destroy (&self->records);
    zhash_destroy (&self->shared);
    zhash_destroy (&self->sending);
    free (self);
    *self_p = NULL;
}

void
http_task_view_forget (http_task_view_t *self, http_stream_t *stream)
{
    if (self->streams == stream)
        self->streams = stream->next;
}

//  -- the end of a round ---------------------------------------------------------------------------

//  A record that was fetched for one token is not for another one: the key of records has both
static void
s_print_key (const http_stream_t *stream, const char *id, char key [S_KEY_SIZE])
{
    snprintf (key, S_KEY_SIZE, "%s/%s", stream->actor? stream->actor->id: "", id);
}

static const s_record_t *
s_record (const http_task_view_t *self, const http_stream_t *stream, const char *id)
{
    char key [S_KEY_SIZE];
    s_print_key (stream, id, key);
    return zhash_lookup (self->records, key);
}

static bool
s_is_wanted (const http_stream_t *stream, const s_record_t *record)
{
    char key [300];
    if (!record || !record->json)
        return false;
    snprintf (key, sizeof key, ",%s,", record->state);
    if (stream->states && !strstr (stream->states, key))
        return false;
    snprintf (key, sizeof key, ",%s,", record->role);
    return !stream->roles || strstr (stream->roles, key);
}

//  The id comes with the last record: whoever connects again after a part of them gets all of them
static void
s_print (http_task_view_t *self, const http_stream_t *stream, zhash_t *changed, struct evbuffer *output)
{
    const char *last = NULL;
    zlist_t *ids = zhash_keys (changed);
    for (char *id = zlist_first (ids); id; id = zlist_next (ids))
        if (s_is_wanted (stream, s_record (self, stream, id)))
            last = id;
    for (char *id = zlist_first (ids); id; id = zlist_next (ids)) {
        const s_record_t *record = s_record (self, stream, id);
        if (!s_is_wanted (stream, record))
            continue;
        if (id == last)
            evbuffer_add_printf (output, "id: %" PRId64 "\n", stream->sending_to);
        evbuffer_add_printf (output, "data: %s\n\n", record->json);
    }
    zlist_destroy (&ids);
}

static void
s_free_block (const void *data, size_t size, void *arg)
{
    (void) data;
    (void) size;
    s_block_t *block = arg;
    if (--block->uses == 0) {
        free (block->text);
        free (block);
    }
}

static s_block_t *
s_new_block (http_task_view_t *self, const http_stream_t *stream)
{
    struct evbuffer *buffer = evbuffer_new ();
    s_block_t *block = STELE_NEW (s_block_t);
    assert (buffer);
    s_print (self, stream, self->sending, buffer);
    block->uses = 1;
    block->actor = stream->actor;
    block->size = evbuffer_get_length (buffer);
    block->text = stele_memory_new (block->size + 1);
    evbuffer_remove (buffer, block->text, block->size);
    evbuffer_free (buffer);
    return block;
}

//  Open streams of one actor without a filter get the same block
static void
s_send_shared (http_task_view_t *self, http_stream_t *stream, s_block_t **block)
{
    struct evbuffer *output = http_conn_output (stream->conn);
    if (stream->states || stream->roles) {
        s_print (self, stream, self->sending, output);
        return;
    }
    if (!*block || (*block)->actor != stream->actor) {
        if (*block)
            s_free_block (NULL, 0, *block);
        *block = s_new_block (self, stream);
    }
    if ((*block)->size) {
        (*block)->uses++;
        evbuffer_add_reference (output, (*block)->text, (*block)->size, s_free_block, *block);
    }
}

static void
s_end_round (http_task_view_t *self)
{
    s_block_t *block = NULL;
    for (http_stream_t *stream = self->streams; stream; stream = stream->next) {
        size_t unread = http_conn_unread (stream->conn);
        if (stream->sending_shared)
            s_send_shared (self, stream, &block);
        else
        if (stream->sending)
            s_print (self, stream, stream->sending, http_conn_output (stream->conn));
        if (http_conn_unread (stream->conn) > unread)
            stream->sent_ms = stele_clock_steady_ms ();
        stream->sending_shared = false;
        zhash_destroy (&stream->sending);
    }
    if (block)
        s_free_block (NULL, 0, block);
    zhash_destroy (&self->sending);
    zhash_destroy (&self->records);
}

static void
s_on_record (void *arg, const void *answer, size_t size, const stele_refusal_t *refusal)
{
    s_record_t *record = arg;
    http_task_view_t *self = record->view;
    stele_refusal_t error;
    stele_map_t map = { answer, size }, task;
    record->token = 0;
    if (!refusal && http_reply_check (answer, size, &error) == 0 && stele_map_map (&map, "task", &task)) {
        stele_map_text (&task, "state", record->state, sizeof record->state);
        stele_map_text (&task, "role", record->role, sizeof record->role);
        record->json = stele_json_print (task.data, task.size, true);
    }
    if (--self->left == 0)
        s_end_round (self);
}

//  -- the start of a round -----------------------------------------------------------------------------

//  Changes up to there are known to the stream
static int64_t
s_position (const http_task_view_t *self, const http_stream_t *stream)
{
    return stream->caught_up? stream->position: self->position;
}

//  Returns false if the broker cannot be asked
static bool
s_fetch (http_task_view_t *self, const http_stream_t *stream, const char *id)
{
    stele_pack_t *pack = self->server->pack;
    stele_refusal_t refusal;
    char key [S_KEY_SIZE];
    s_print_key (stream, id, key);
    if (zhash_lookup (self->records, key))
        return true;
    s_record_t *record = STELE_NEW (s_record_t);
    record->view = self;
    zhash_insert (self->records, key, record);
    zhash_freefn (self->records, key, s_free_record);
    stele_pack_clear (pack);
    stele_pack_map_begin (pack);
    stele_pack_key_string (pack, "op", "task.status");
    stele_pack_key_string (pack, "task_id", id);
    stele_pack_key_integer (pack, "min_position", self->position);
    stele_pack_map_end (pack);
    int64_t token = http_upstream_send (self->server->upstream, pack, stream->actor, FETCH_MS, s_on_record, record, &refusal);
    if (token < 0)
        return false;
    record->token = token;
    self->left++;
    return true;
}

//  Returns false if the broker cannot be asked
static bool
s_fetch_all (http_task_view_t *self, const http_stream_t *stream, zhash_t *changed)
{
    bool asked = true;
    zlist_t *ids = zhash_keys (changed);
    for (char *id = zlist_first (ids); id && asked; id = zlist_next (ids))
        asked = s_fetch (self, stream, id);
    zlist_destroy (&ids);
    return asked;
}

//  Returns false if the round is full
static bool
s_add (http_task_view_t *self, http_stream_t *stream)
{
    size_t count = zhash_size (stream->changed);
    if (count > TASKS_MAX) {
        http_stream_say (stream, "many", s_position (self, stream), "{\"count\":%zu}", count);
        http_stream_forget_changes (stream);
        return true;
    }
    if (zhash_size (self->records) + count > FETCHES_MAX)
        return false;
    bool asked = s_fetch_all (self, stream, stream->changed);
    stream->sending = stream->changed;
    stream->sending_to = s_position (self, stream);
    stream->changed = zhash_new ();
    return asked;
}

//  The same for the set that open streams share. 'fetched' is the one for whose actor it was fetched before.
static bool
s_add_shared (http_task_view_t *self, http_stream_t *stream, http_stream_t **fetched)
{
    size_t count = zhash_size (self->sending);
    if (count > TASKS_MAX) {
        http_stream_say (stream, "many", self->position, "{\"count\":%zu}", count);
        return true;
    }
    bool is_fetched = *fetched && (*fetched)->actor == stream->actor, asked = true;
    if (!is_fetched && zhash_size (self->records) + count > FETCHES_MAX)
        return false;
    if (!is_fetched)
        asked = s_fetch_all (self, stream, self->sending);
    *fetched = stream;
    stream->sending_shared = true;
    stream->sending_to = self->position;
    return asked;
}

//  It has changes of its own, or cannot be sent anything now: those of the shared set are its own from now on
static void
s_keep_shared (const http_task_view_t *self, http_stream_t *stream)
{
    zlist_t *ids = zhash_keys (self->sending);
    for (char *id = zlist_first (ids); id; id = zlist_next (ids))
        zhash_insert (stream->changed, id, stream);
    zlist_destroy (&ids);
}

static void
s_begin_round (http_task_view_t *self, int64_t position, int64_t now_ms)
{
    self->records = zhash_new ();
    self->begun_ms = now_ms;
    self->position = position;
    self->sending = self->shared;
    self->shared = zhash_new ();
}

void
http_task_view_tick (http_task_view_t *self, http_stream_t *streams, int64_t position)
{
    int64_t now_ms = stele_clock_steady_ms ();
    http_stream_t *fetched = NULL;
    bool room = true;
    self->streams = streams;
    if (self->records || position < 0 || now_ms < self->begun_ms + ROUND_MS)
        return;
    for (http_stream_t *stream = streams; stream; stream = stream->next) {
        bool is_live = stream->state == HTTP_STREAM_LIVE, may_send = room && http_conn_unread (stream->conn) <= HTTP_STREAM_UNREAD;
        bool shares = is_live && http_stream_is_open (stream) && zhash_size (self->records? self->sending: self->shared);
        if (!stream->of_tasks || !(is_live || stream->caught_up) || !(shares || zhash_size (stream->changed)))
            continue;
        if (!self->records)
            s_begin_round (self, position, now_ms);
        bool alone = shares && zhash_size (stream->changed) == 0 && may_send;
        if (alone)
            room = s_add_shared (self, stream, &fetched);
        if (shares && !(alone && (room || stream->sending_shared)))
            s_keep_shared (self, stream);
        if (!alone && may_send)
            room = s_add (self, stream);
    }
    if (self->records && self->left == 0)
        s_end_round (self);
}
