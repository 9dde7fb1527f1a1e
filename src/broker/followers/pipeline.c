/*  pipeline - the follower that pushes events to the next stage (protocol section 6)

    PUSH does not report which messages arrived, so the cursor in the ledger stays behind the last pushed
    event by the capacity of the queue. After a crash those events are pushed again, and the
    next stage drops events up to the last position that it has.

    Of the nodes of a shared log only the one that leads pushes. The cursor is in the log: the next one that leads
    continues from it.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <string.h>
#include "broker/access/access.h"
#include "broker/common/endpoint.h"
#include "broker/common/log.h"
#include "broker/followers/follower.h"
#include "broker/common/send_quota.h"
#include "fault/fault.h"
#include "base/clock.h"
#include "wire/event/event_codec.h"

#define NAME          "pipeline-out"
#define BATCH_EVENTS  500
#define QUEUE_EVENTS  1000
#define SAVE_US       1000000
//  Most bytes that the next stage may leave in the queue, in addition to QUEUE_EVENTS
#define QUEUE_BYTES   (64 * 1024 * 1024)
#define FULL_WAIT_MS  20
#define IDLE_MS       200
#define CHECK_US      200000        // Between two checks of the keys of connections

typedef struct {
    stele_follower_t follower;
    zsock_t *socket;                // PUSH
    stele_access_t *guard;          // NULL: the next stage needs no key
    int64_t checked_us;             // Steady clock: keys of the connections were last checked
    zsock_t *writer;                // DEALER to the writer's mailbox
    int64_t cursor;                 // Position last pushed
    int64_t saved;                  // Cursor that was last sent to the ledger
    int64_t saved_us;               // Steady clock
    int64_t pushed;
    bool pushes;                    // This node leads; false: it follows a shared log
    stele_send_quota_t *unread;
    bool blocked;                   // The next stage does not take more
    bool full;                      // ... due to QUEUE_BYTES, the end of which no socket event reports
} s_pipeline_t;

static int
s_push (const stele_record_t *row, void *arg)
{
    s_pipeline_t *self = arg;
    stele_pack_clear (self->follower.pack);
    stele_record_pack (row, self->follower.pack);
    STELE_FAULT (push_before);
    size_t size = stele_pack_size (self->follower.pack);
    self->full = stele_send_quota_total (self->unread) + size > QUEUE_BYTES
        && stele_send_quota_total (self->unread) > 0;
    zframe_t *frame = self->full? NULL: zframe_new (stele_pack_data (self->follower.pack), size);
    if (self->full || stele_send_quota_send (self->unread, NULL, 0, &frame, self->socket)) {
        self->blocked = true;
        return 1;
    }
    self->cursor = row->values [STELE_POSITION].integer;
    self->pushed++;
    STELE_FAULT (push_after);
    return 0;
}

static void
s_follow (s_pipeline_t *self)
{
    if (self->cursor >= self->follower.head)
        return;
    self->blocked = self->full = false;
    int code = stele_reader_events (self->follower.reader, self->cursor, BATCH_EVENTS, 0,
        s_push, self);
    stele_follower_read (&self->follower, NAME, self->cursor, code);
}

static void
s_save (s_pipeline_t *self)
{
    int64_t now_us = stele_clock_steady_us ();
    int64_t safe = self->cursor - QUEUE_EVENTS;
    if (safe <= self->saved || now_us - self->saved_us < SAVE_US)
        return;
    self->saved = safe;
    self->saved_us = now_us;
    stele_pack_t *pack = self->follower.pack;
    stele_pack_clear (pack);
    stele_pack_map_begin (pack);
    stele_pack_key_string (pack, "op", "follower");
    stele_pack_key_string (pack, "name", NAME);
    stele_pack_key_integer (pack, "position", safe);
    stele_pack_map_end (pack);
    zsock_send (self->writer, "sb", "cursor", stele_pack_data (pack), stele_pack_size (pack));
    STELE_FAULT (cursor_asked);
}

//  Answers that a cursor is durable: the pipeline does not wait for them
static void
s_drop_answers (s_pipeline_t *self)
{
    while (zsock_events (self->writer) & ZMQ_POLLIN) {
        zmsg_t *answer = zmsg_recv (self->writer);
        zmsg_destroy (&answer);
    }
}

static void
s_pack_stats (void *arg)
{
    s_pipeline_t *self = arg;
    stele_pack_t *pack = self->follower.pack;
    stele_pack_map_begin (pack);
    stele_pack_key_integer (pack, "position", self->cursor);
    stele_pack_key_integer (pack, "lag_events", self->follower.head - self->cursor);
    stele_pack_key_integer (pack, "pushed", self->pushed);
    stele_pack_key_integer (pack, "saved", self->saved);
    stele_pack_key_bool (pack, "blocked", self->blocked);
    stele_pack_map_end (pack);
}

static bool
s_drained (void *arg)
{
    s_pipeline_t *self = arg;
    return !self->pushes || self->cursor >= self->follower.head;
}

static int
s_listen (s_pipeline_t *self, const char *endpoint, stele_refusal_t *refusal)
{
    self->socket = zsock_new (ZMQ_PUSH);
    assert (self->socket);
    zsock_set_sndhwm (self->socket, QUEUE_EVENTS);
    //  A PULL peer sends only short messages
    zsock_set_maxmsgsize (self->socket, 4096);
    zsock_set_handshake_ivl (self->socket, 10000);
    zsock_set_linger (self->socket, 1000);
    self->guard = stele_access_guard (self->follower.settings->access, self->socket, endpoint, STELE_ACCESS_PIPELINE);
    self->follower.watched [1] = (zmq_pollitem_t) { zsock_resolve (self->socket), 0, ZMQ_POLLOUT, 0 };
    return stele_follower_bind (&self->follower, self->socket, "pipeline-out", endpoint, refusal);
}

//  False: it cannot be read now
static bool
s_load_cursor (s_pipeline_t *self)
{
    int64_t cursor = stele_reader_follower (self->follower.reader, NAME);
    //  Read after it: a node that follows commits both meanwhile
    int64_t head = stele_reader_head (self->follower.reader);
    int code = head < 0? (int) head: cursor < -1? (int) cursor: 0;      // -1: there is none yet
    stele_follower_read (&self->follower, NAME, self->cursor, code);
    if (code)
        return false;
    if (cursor > head) {
        stele_log_warning (NAME, NAME ": %lld events were pushed, but the ledger has only %lld; continuing from there",
            (long long) cursor, (long long) head);
        cursor = head;
    }
    self->cursor = self->saved = cursor > 0? cursor: 0;
    return true;
}

//  End the connections, with what is in their queues
static void
s_end_connections (s_pipeline_t *self)
{
    stele_refusal_t refusal;
    zsock_set_linger (self->socket, 0);
    zsock_destroy (&self->socket);
    self->blocked = self->full = false;
    if (s_listen (self, self->follower.endpoint, &refusal))
        stele_log_error (NAME, "%s", refusal.message);
}

//  The key of a next stage is not valid any more: as after a restart, what may not have arrived is pushed again
static void
s_end_lapsed (s_pipeline_t *self)
{
    stele_log_info (NAME, NAME ": the key of the next stage is not valid any more; every stage has to connect again");
    self->cursor = self->saved > self->cursor - QUEUE_EVENTS? self->saved:
        self->cursor > QUEUE_EVENTS? self->cursor - QUEUE_EVENTS: 0;
    s_end_connections (self);
}

//  A node that leads pushes from the cursor that the log has. One that follows does not, and shows that cursor.
static void
s_set_role (s_pipeline_t *self)
{
    if (self->pushes && !self->follower.leads)
        s_end_connections (self);
    bool loaded = self->pushes && self->follower.leads? true: s_load_cursor (self);
    self->pushes = self->follower.leads && loaded;
    self->follower.ignore_heads = !self->pushes;
}

static int
s_step (void *arg)
{
    s_pipeline_t *self = arg;
    int64_t now_us = stele_clock_steady_us ();
    if (self->guard && now_us - self->checked_us > CHECK_US) {
        self->checked_us = now_us;
        if (stele_access_lapsed (self->guard, STELE_ACCESS_PIPELINE))
            s_end_lapsed (self);
    }
    s_drop_answers (self);
    s_set_role (self);
    if (!self->pushes) {
        self->follower.watched_count = 1;
        return IDLE_MS;
    }
    if (!self->blocked || self->full || (zsock_events (self->socket) & ZMQ_POLLOUT))
        s_follow (self);
    s_save (self);
    self->follower.watched_count = self->blocked && !self->full? 2: 1;
    if (self->blocked)
        return self->full? FULL_WAIT_MS: IDLE_MS;
    return s_drained (self) || self->follower.unreadable? IDLE_MS: 0;
}

static int
s_open (void *arg, stele_refusal_t *refusal)
{
    s_pipeline_t *self = arg;
    const stele_settings_t *settings = self->follower.settings;
    char endpoint [80];
    self->pushes = s_load_cursor (self) && self->follower.leads;
    self->unread = stele_send_quota_new (0, QUEUE_BYTES);
    self->writer = zsock_new (ZMQ_DEALER);
    assert (self->writer);
    int rc = zsock_connect (self->writer, "%s", stele_settings_inproc (settings, "writer", endpoint));
    assert (rc == 0);
    self->follower.watched [0] = (zmq_pollitem_t) { zsock_resolve (self->writer), 0, ZMQ_POLLIN, 0 };
    self->follower.watched_count = 1;
    return s_listen (self, settings->pipeline_out, refusal);
}

static void
s_close (void *arg)
{
    s_pipeline_t *self = arg;
    zsock_destroy (&self->socket);
    zsock_destroy (&self->writer);
    stele_send_quota_destroy (&self->unread);
}

void
stele_pipeline (zsock_t *pipe, void *args)
{
    static const stele_follower_class_t class = {
        .name = "pipeline", .open = s_open, .step = s_step, .pack_stats = s_pack_stats,
        .drained = s_drained, .close = s_close
    };
    s_pipeline_t self = { .cursor = 0 };
    stele_follower_run (&self.follower, &class, pipe, args);
}
