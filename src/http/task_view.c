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

#define ROUND_MS         1000       // Between two rounds
#define TASKS_MAX         400       // Of one stream in a round
#define FETCHES_MAX       800       // Of all streams in a round
#define STATUSES_MAX      400       // Of one request
#define FETCH_MS         5000
#define S_KEY_SIZE        300

typedef struct {
    char *json;                     // The record; NULL: there is none, or it was not answered yet
    char state [32], role [256];
} s_record_t;

//  One request for records
typedef struct s_request {
    struct s_request *next;         // Of the round
    http_task_view_t *view;
    const http_actor_t *actor;      // Whose records they are; NULL: there are no tokens
    char actor_id [CLI_TOKEN_ID];
    int64_t token;                  // 0: answered
} s_request_t;

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
    s_request_t *requests;          // Of this round
    size_t left;                    // Of them, not answered yet
    bool failed;                    // One of them, or it could not be sent
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
    free (record->json);
    free (record);
}

static void
s_free_requests (http_task_view_t *self)
{
    while (self->requests) {
        s_request_t *request = self->requests;
        self->requests = request->next;
        if (request->token)
            http_upstream_forget (self->server->upstream, request->token);
        free (request);
    }
}

void
http_task_view_destroy (http_task_view_t **self_p)
{
    http_task_view_t *self = *self_p;
    if (!self)
        return;
    s_free_requests (self);
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
s_print_key (const char *actor_id, const char *id, char key [S_KEY_SIZE])
{
    snprintf (key, S_KEY_SIZE, "%s/%s", actor_id, id);
}

static const char *
s_actor_id (const http_stream_t *stream)
{
    return stream->actor? stream->actor->id: "";
}

static const s_record_t *
s_record (const http_task_view_t *self, const http_stream_t *stream, const char *id)
{
    char key [S_KEY_SIZE];
    s_print_key (s_actor_id (stream), id, key);
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

//  These changes are its own, and in a later round
static void
s_keep (http_stream_t *stream, zhash_t *changed)
{
    zlist_t *ids = zhash_keys (changed);
    for (char *id = zlist_first (ids); id; id = zlist_next (ids))
        zhash_insert (stream->changed, id, stream);
    zlist_destroy (&ids);
}

static void
s_end_round (http_task_view_t *self)
{
    s_block_t *block = NULL;
    for (http_stream_t *stream = self->streams; stream; stream = stream->next) {
        size_t unread = http_conn_unread (stream->conn);
        zhash_t *changed = stream->sending_shared? self->sending: stream->sending;
        //  Else what was not answered would be missing until it changes again
        if (self->failed && changed)
            s_keep (stream, changed);
        else
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
    s_free_requests (self);
    zhash_destroy (&self->sending);
    zhash_destroy (&self->records);
}

//  -- the records ----------------------------------------------------------------------------------

static void s_on_statuses (void *arg, const void *answer, size_t size, const stele_refusal_t *refusal);

static void
s_begin_statuses (const http_task_view_t *self, stele_pack_t *pack, size_t *mark)
{
    stele_pack_clear (pack);
    stele_pack_map_begin (pack);
    stele_pack_key_string (pack, "op", "task.statuses");
    stele_pack_key_integer (pack, "min_position", self->position);
    stele_pack_key (pack, "task_ids");
    *mark = stele_pack_open_array (pack);
}

//  Send what was begun, with 'count' ids. Returns false if the broker cannot be asked.
static bool
s_send_statuses (http_task_view_t *self, stele_pack_t *pack, size_t mark, size_t count, const http_actor_t *actor)
{
    stele_refusal_t refusal;
    s_request_t *request = STELE_NEW (s_request_t);
    request->view = self;
    request->actor = actor;
    if (actor)
        strcpy (request->actor_id, actor->id);
    stele_pack_close (pack, mark, count);
    stele_pack_map_end (pack);
    int64_t token = http_upstream_send (self->server->upstream, pack, actor, FETCH_MS, s_on_statuses, request, &refusal);
    if (token < 0) {
        self->failed = true;
        free (request);
        return false;
    }
    request->token = token;
    request->next = self->requests;
    self->requests = request;
    self->left++;
    return true;
}

//  Request the records of those tasks that were not requested for this actor in this round. Returns false if the broker
//  cannot be asked.
static bool
s_fetch_all (http_task_view_t *self, const http_stream_t *stream, zhash_t *changed)
{
    stele_pack_t *pack = self->server->pack;
    size_t mark = 0, count = 0;
    bool asked = true;
    zlist_t *ids = zhash_keys (changed);
    for (char *id = zlist_first (ids); id && asked; id = zlist_next (ids)) {
        char key [S_KEY_SIZE];
        s_print_key (s_actor_id (stream), id, key);
        if (zhash_lookup (self->records, key))
            continue;
        zhash_insert (self->records, key, STELE_NEW (s_record_t));
        zhash_freefn (self->records, key, s_free_record);
        if (count == 0)
            s_begin_statuses (self, pack, &mark);
        stele_pack_string (pack, id);
        if (++count == STATUSES_MAX) {
            asked = s_send_statuses (self, pack, mark, count, stream->actor);
            count = 0;
        }
    }
    if (count > 0 && asked)
        asked = s_send_statuses (self, pack, mark, count, stream->actor);
    zlist_destroy (&ids);
    return asked;
}

//  One entry of an answer. Returns false if the record did not fit into it.
static bool
s_take_status (const s_request_t *request, const stele_map_t *entry)
{
    char id [STELE_LIMIT_ID + 1] = "", key [S_KEY_SIZE];
    stele_map_t task, error;
    stele_map_text (entry, "task_id", id, sizeof id);
    s_print_key (request->actor_id, id, key);
    s_record_t *record = zhash_lookup (request->view->records, key);
    if (record && stele_map_map (entry, "task", &task)) {
        stele_map_text (&task, "state", record->state, sizeof record->state);
        stele_map_text (&task, "role", record->role, sizeof record->role);
        record->json = stele_json_print (task.data, task.size, true);
    }
    return !stele_map_map (entry, "error", &error) || stele_map_code (&error, "code") != STELE_ETOO_LARGE;
}

static void
s_take_statuses (http_task_view_t *self, const s_request_t *request, stele_scan_t scan)
{
    stele_pack_t *pack = self->server->pack;
    size_t mark = 0, left = 0;
    uint32_t count = stele_scan_next (&scan).count;
    while (count--) {
        stele_map_t entry;
        char id [STELE_LIMIT_ID + 1];
        stele_scan_skip (&scan, &entry.data, &entry.size);
        if (s_take_status (request, &entry) || !stele_map_text (&entry, "task_id", id, sizeof id))
            continue;
        if (left++ == 0)
            s_begin_statuses (self, pack, &mark);
        stele_pack_string (pack, id);
    }
    if (left > 0)
        s_send_statuses (self, pack, mark, left, request->actor);
}

static void
s_on_statuses (void *arg, const void *answer, size_t size, const stele_refusal_t *refusal)
{
    s_request_t *request = arg;
    http_task_view_t *self = request->view;
    stele_refusal_t error;
    const void *statuses;
    size_t statuses_size;
    request->token = 0;
    if (!refusal && http_reply_check (answer, size, &error) == 0
    &&  stele_scan_find (answer, size, "statuses", &statuses, &statuses_size).kind == STELE_SCAN_ARRAY)
        s_take_statuses (self, request, stele_scan_start (statuses, statuses_size));
    else
        self->failed = true;
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

static void
s_begin_round (http_task_view_t *self, int64_t position, int64_t now_ms)
{
    self->records = zhash_new ();
    self->failed = false;
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
        //  It has changes of its own, or cannot be sent anything now: those of the shared set are its own from now on
        if (shares && !(alone && (room || stream->sending_shared)))
            s_keep (stream, self->sending);
        if (!alone && may_send)
            room = s_add (self, stream);
    }
    if (self->records && self->left == 0)
        s_end_round (self);
}
