/*  broker - the supervisor: starts, watches and stops the other actors

    Order of the start: the writer (it opens the ledger, creates or migrates it, and applies
    the rule of interrupted tasks), then the followers and the requests. Order of the
    stop: no more events, followers to the head (bounded), requests, and the
    writer last, since it has the only connection that writes.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "broker/common/actor.h"
#include "broker/followers/follower.h"
#include "broker/ingest/ingest.h"
#include "broker/common/mode.h"
#include "broker/common/poll.h"
#include "broker/requests/requests.h"
#include "fault/fault.h"
#include "ledger/reader.h"
#include "stele_broker.h"
#include "base/clock.h"
#include "wire/scan.h"

typedef struct {
    zsock_t *pipe;
    stele_settings_t *settings;
    zactor_t *ingest, *requests, *feed, *pipeline, *cache, *search;
    stele_follower_args_t follower_args;
    stele_requests_args_t requests_args;
    char *ledger_id;
    char *events_endpoint, *pipeline_in_endpoint;
    char *requests_endpoint, *feed_endpoint, *pipeline_out_endpoint;
    stele_pack_t *recovery;         // What the writer's start did, as one map
    int64_t begun_us;               // Steady clock: START
    bool refused;                   // A setting was: START would start something else
    bool terminated;
} s_broker_t;

//  -- start --------------------------------------------------------------------

static int
s_no_thread (s_broker_t *self)
{
    char text [200];
    snprintf (text, sizeof text, "cannot start a thread: %s; raise the limit of memory or of tasks",
        strerror (errno));
    zstr_sendx (self->pipe, "FAILED", text, NULL);
    return -1;
}

//  Wait for the word of an actor that was just made. 0 and what it said, or -1 after FAILED
//  was passed on.
static int
s_started (s_broker_t *self, zactor_t *actor, char **endpoint)
{
    char *status = NULL, *text = NULL;
    int rc = -1;
    if (!actor)
        return s_no_thread (self);
    if (zstr_recvx (actor, &status, &text, NULL) < 1)
        zstr_sendx (self->pipe, "FAILED", "an actor ended while it started", NULL);
    else
    if (streq (status, "READY")) {
        rc = 0;
        if (endpoint) {
            *endpoint = text;
            text = NULL;
        }
    }
    else
        zstr_sendx (self->pipe, "FAILED", text? text: "an actor could not start", NULL);
    zstr_free (&status);
    zstr_free (&text);
    return rc;
}

//  Pass on why the writer could not start, with the name of the code that it may have said
static void
s_failed (s_broker_t *self, const char *text, zmsg_t *said)
{
    char *name = said? zmsg_popstr (said): NULL;
    zstr_sendx (self->pipe, "FAILED", text, name, NULL);
    zstr_free (&name);
}

static int
s_start_ingest (s_broker_t *self)
{
    STELE_FAULT (start_ingest);
    self->ingest = stele_actor_new (stele_ingest, self->settings);
    if (!self->ingest)
        return s_no_thread (self);
    zmsg_t *said = zmsg_recv (self->ingest);
    char *status = said? zmsg_popstr (said): NULL;
    char *text = said? zmsg_popstr (said): NULL;
    int rc = -1;
    if (!status || strneq (status, "READY") || zmsg_size (said) != 4)
        s_failed (self, text? text: "the writer ended while it started", said);
    else {
        self->ledger_id = text;
        text = NULL;
        char *head = zmsg_popstr (said);
        self->follower_args.head = strtoll (head, NULL, 10);
        zstr_free (&head);
        self->events_endpoint = zmsg_popstr (said);
        self->pipeline_in_endpoint = zmsg_popstr (said);
        zframe_t *recovery = zmsg_pop (said);
        stele_pack_packed (self->recovery, zframe_data (recovery), zframe_size (recovery));
        zframe_destroy (&recovery);
        rc = 0;
    }
    zstr_free (&status);
    zstr_free (&text);
    zmsg_destroy (&said);
    return rc;
}

static int
s_start_followers (s_broker_t *self)
{
    STELE_FAULT (start_followers);
    self->follower_args.settings = self->settings;
    self->feed = stele_actor_new (stele_feed, &self->follower_args);
    if (s_started (self, self->feed, &self->feed_endpoint))
        return -1;
    if (*self->settings->pipeline_out) {
        self->pipeline = stele_actor_new (stele_pipeline, &self->follower_args);
        if (s_started (self, self->pipeline, &self->pipeline_out_endpoint))
            return -1;
    }
    if (strneq (self->settings->redis, "none")) {
        self->cache = stele_actor_new (stele_cache_follower, &self->follower_args);
        if (s_started (self, self->cache, NULL))
            return -1;
    }
    self->search = stele_actor_new (stele_search_follower, &self->follower_args);
    return s_started (self, self->search, NULL);
}

static const char *
s_or_off (const char *endpoint)
{
    return endpoint && *endpoint? endpoint: "off";
}

static int
s_start_requests (s_broker_t *self)
{
    STELE_FAULT (start_requests);
    self->requests_args = (stele_requests_args_t) {
        .settings = self->settings,
        .ledger_id = self->ledger_id,
        .started_at_us = stele_clock_us (),
        .head = self->follower_args.head,
        .has_cache = self->cache != NULL,
        .has_pipeline = self->pipeline != NULL
    };
    self->requests = stele_actor_new (stele_requests, &self->requests_args);
    if (s_started (self, self->requests, &self->requests_endpoint))
        return -1;
    zstr_sendx (self->requests, "ENDPOINTS",
        "events", self->events_endpoint, "requests", self->requests_endpoint,
        "feed", self->feed_endpoint, "pipeline-in", s_or_off (self->pipeline_in_endpoint),
        "pipeline-out", s_or_off (self->pipeline_out_endpoint), NULL);
    return 0;
}

//  -- the recovery report --------------------------------------------------------

static double
s_real (const stele_pack_t *map, const char *key)
{
    stele_token_t token = stele_scan_find (stele_pack_data (map), stele_pack_size (map), key, NULL, NULL);
    return token.kind == STELE_SCAN_REAL? token.real: 0;
}

static int64_t
s_integer (const stele_pack_t *map, const char *key)
{
    stele_token_t token = stele_scan_find (stele_pack_data (map), stele_pack_size (map), key, NULL, NULL);
    return token.kind == STELE_SCAN_INTEGER? token.integer: 0;
}

//  Tasks that are not terminal, by state: packed as a map, and as text for the log.
static void
s_restored (s_broker_t *self, stele_pack_t *pack, char *text, size_t text_size)
{
    stele_ledger_stats_t stats = { 0 };
    stele_refusal_t refusal;
    stele_reader_t *reader = stele_reader_open (self->settings->ledger, &refusal);
    if (reader)
        stele_reader_stats (reader, &stats);
    stele_reader_close (&reader);
    size_t mark = stele_pack_open_map (pack);
    size_t count = 0;
    size_t used = 0;
    *text = 0;
    for (int state = 1; state < STELE_TASK_TERMINAL_FROM; state++) {
        const char *word = stele_vocabulary_word (STELE_VOCABULARY_TASK_STATE, state);
        stele_pack_key_integer (pack, word, stats.by_state [state]);
        count++;
        if (stats.by_state [state] && used < text_size)
            used += (size_t) snprintf (text + used, text_size - used, "%s%lld %s",
                used? ", ": "", (long long) stats.by_state [state], word);
    }
    stele_pack_close (pack, mark, count);
}

//  One report: to the log, and to the requests as stats.recovery. 'aligned' is what the cache
//  said, NULL without Redis.
static void
s_report (s_broker_t *self, zframe_t *aligned)
{
    stele_pack_t *pack = stele_pack_new ();
    assert (pack);
    stele_pack_t *redis = stele_pack_new ();
    assert (redis);
    if (aligned)
        stele_pack_packed (redis, zframe_data (aligned), zframe_size (aligned));
    else
        stele_pack_map (redis, 0);
    char restored [256];
    stele_pack_map (pack, 5);
    stele_pack_string (pack, "restored");
    s_restored (self, pack, restored, sizeof restored);
    stele_pack_key_integer (pack, "interrupted", s_integer (self->recovery, "interrupted"));
    stele_pack_key_integer (pack, "repaired", s_integer (redis, "repaired"));
    stele_pack_string (pack, "seconds");
    stele_pack_map (pack, 5);
    stele_pack_key_real (pack, "open", s_real (self->recovery, "open_s"));
    stele_pack_key_real (pack, "interrupt", s_real (self->recovery, "interrupt_s"));
    stele_pack_key_real (pack, "redis", s_real (redis, "align_s"));
    stele_pack_key_real (pack, "compare", s_real (redis, "compare_s"));
    double total = (double) (stele_clock_steady_us () - self->begun_us) / 1e6;
    stele_pack_key_real (pack, "total", total);
    stele_pack_string (pack, "redis");
    stele_pack_packed (pack, stele_pack_data (redis), stele_pack_size (redis));
    zsock_send (self->requests, "sb", "RECOVERY", stele_pack_data (pack), stele_pack_size (pack));
    zsys_info ("recovered: active tasks: %s; %lld interrupted, %lld repaired in Redis; %.3f s"
        " (ledger %.3f, interrupt %.3f, redis %.3f, compare %.3f)",
        *restored? restored: "none", (long long) s_integer (self->recovery, "interrupted"),
        (long long) s_integer (redis, "repaired"), total,
        s_real (self->recovery, "open_s"), s_real (self->recovery, "interrupt_s"),
        s_real (redis, "align_s"), s_real (redis, "compare_s"));
    stele_pack_destroy (&pack);
    stele_pack_destroy (&redis);
}

//  -- stop -------------------------------------------------------------------------

//  Say something to an actor and wait for its answer, until a time or until hurried.
static void
s_ask (s_broker_t *self, zactor_t *actor, const char *what, const char *answer, int64_t until_us)
{
    if (!actor)
        return;
    zstr_send (actor, what);
    while (true) {
        int64_t left_ms = (until_us - stele_clock_steady_us ()) / 1000;
        zmq_pollitem_t items [] = {
            { zsock_resolve (actor), 0, ZMQ_POLLIN, 0 },
            { zsock_resolve (self->pipe), 0, ZMQ_POLLIN, 0 }
        };
        //  HURRY, or a second $TERM, ends the wait
        if (left_ms <= 0 || stele_poll (items, 2, left_ms) < 0 || (items [1].revents & ZMQ_POLLIN))
            return;
        if (!(items [0].revents & ZMQ_POLLIN))
            continue;
        zmsg_t *said = zmsg_recv (actor);
        //  After FAILED comes only the signal of its end, which zactor_destroy waits for
        bool done = !said || zframe_streq (zmsg_first (said), answer)
            || zframe_streq (zmsg_first (said), "FAILED");
        zmsg_destroy (&said);
        if (done)
            return;
    }
}

//  'drain' only when all actors run: one that failed has ended, and its last word is for
//  zactor_destroy to hear.
static void
s_stop (s_broker_t *self, bool drain)
{
    int64_t until_us = stele_clock_steady_us () + self->settings->drain_ms * 1000;
    STELE_FAULT (stop_begin);
    if (drain) {
        s_ask (self, self->ingest, "PAUSE", "PAUSED", until_us);
        STELE_FAULT (stop_paused);
        s_ask (self, self->cache, "DRAIN", "DRAINED", until_us);
        STELE_FAULT (stop_cache);
        s_ask (self, self->feed, "DRAIN", "DRAINED", until_us);
        STELE_FAULT (stop_feed);
        s_ask (self, self->pipeline, "DRAIN", "DRAINED", until_us);
        STELE_FAULT (stop_pipeline);
    }
    zactor_destroy (&self->requests);
    STELE_FAULT (stop_requests);
    zactor_destroy (&self->cache);
    zactor_destroy (&self->feed);
    zactor_destroy (&self->pipeline);
    zactor_destroy (&self->search);
    STELE_FAULT (stop_followers);
    zactor_destroy (&self->ingest);
    STELE_FAULT (stop_ingest);
}

//  -- commands ----------------------------------------------------------------------

//  The lock, the log and the mark of a ledger have its name: by two names it would have two of each
static void
s_resolve_ledger (stele_settings_t *settings)
{
    struct stat status;
    char *path = lstat (settings->ledger, &status) == 0 && S_ISLNK (status.st_mode)?
        realpath (settings->ledger, NULL): NULL;
    if (!path)
        return;
    free (settings->ledger);
    settings->ledger = path;
}

static void
s_start (s_broker_t *self)
{
    if (self->ingest) {
        zstr_sendx (self->pipe, "FAILED", "the broker was started already", NULL);
        return;
    }
    if (self->refused) {
        zstr_sendx (self->pipe, "FAILED", "a setting was refused", NULL);
        return;
    }
    self->begun_us = stele_clock_steady_us ();
    s_resolve_ledger (self->settings);
    if (s_start_ingest (self) || s_start_followers (self) || s_start_requests (self)) {
        s_stop (self, false);
        return;
    }
    char line [1024];
    snprintf (line, sizeof line,
        "ready: ledger %s (%s) at position %lld; events %s, requests %s, feed %s; redis %s",
        self->settings->ledger, self->ledger_id, (long long) self->follower_args.head,
        self->events_endpoint, self->requests_endpoint, self->feed_endpoint, self->settings->redis);
    if (!self->cache || stele_mode_initial (self->settings) != STELE_MODE_DUAL)
        s_report (self, NULL);
    STELE_FAULT (start_ready);
    zstr_sendx (self->pipe, "READY", line, NULL);
}

static void
s_set (s_broker_t *self, zmsg_t *command, bool load)
{
    char *name = zmsg_popstr (command);
    char *value = load? NULL: zmsg_popstr (command);
    stele_refusal_t refusal;
    int rc;
    if (!name || (!load && !value))
        rc = stele_refuse (&refusal, STELE_EMISSING_FIELD, NULL, "SET takes a name and a value");
    else
        rc = load? stele_settings_load (self->settings, name, &refusal):
            stele_settings_set (self->settings, name, value, &refusal);
    if (rc) {
        self->refused = true;
        zstr_sendx (self->pipe, "FAILED", refusal.message, NULL);
    }
    zstr_free (&name);
    zstr_free (&value);
}

static void
s_command (s_broker_t *self)
{
    zmsg_t *command = zmsg_recv (self->pipe);
    char *verb = command? zmsg_popstr (command): NULL;
    if (!verb || streq (verb, "$TERM"))
        self->terminated = true;
    else
    if (streq (verb, "SET"))
        s_set (self, command, false);
    else
    if (streq (verb, "CONFIG"))
        s_set (self, command, true);
    else
    if (streq (verb, "START"))
        s_start (self);
    else
    if (streq (verb, "VERBOSE"))
        self->settings->verbose = true;
    else
    if (strneq (verb, "HURRY"))
        zstr_sendx (self->pipe, "FAILED", "unknown command", NULL);
    zstr_free (&verb);
    zmsg_destroy (&command);
}

//  What the writer says by itself: that it failed.
static void
s_ingest_said (s_broker_t *self)
{
    char *status = NULL, *text = NULL;
    zstr_recvx (self->ingest, &status, &text, NULL);
    zstr_sendx (self->pipe, "FAILED", text? text: "the writer ended", NULL);
    zstr_free (&status);
    zstr_free (&text);
    s_stop (self, false);
}

static void
s_cache_said (s_broker_t *self)
{
    zmsg_t *said = zmsg_recv (self->cache);
    if (said && zmsg_size (said) == 2 && zframe_streq (zmsg_first (said), "ALIGNED"))
        s_report (self, zmsg_last (said));
    zmsg_destroy (&said);
}

void
stele_broker (zsock_t *pipe, void *args)
{
    (void) args;
    s_broker_t self = {
        .pipe = pipe, .settings = stele_settings_new (), .recovery = stele_pack_new ()
    };
    zsock_signal (pipe, 0);
    while (!self.terminated) {
        zmq_pollitem_t items [3] = { { zsock_resolve (pipe), 0, ZMQ_POLLIN, 0 } };
        int count = 1;
        if (self.ingest)
            items [count++] = (zmq_pollitem_t) { zsock_resolve (self.ingest), 0, ZMQ_POLLIN, 0 };
        if (self.ingest && self.cache)
            items [count++] = (zmq_pollitem_t) { zsock_resolve (self.cache), 0, ZMQ_POLLIN, 0 };
        if (stele_poll (items, count, -1) < 0)
            break;
        if (items [0].revents & ZMQ_POLLIN)
            s_command (&self);
        else
        if (count > 1 && (items [1].revents & ZMQ_POLLIN))
            s_ingest_said (&self);
        else
        if (count > 2 && (items [2].revents & ZMQ_POLLIN))
            s_cache_said (&self);
    }
    if (self.ingest)
        s_stop (&self, true);
    zstr_free (&self.ledger_id);
    zstr_free (&self.events_endpoint);
    zstr_free (&self.pipeline_in_endpoint);
    zstr_free (&self.requests_endpoint);
    zstr_free (&self.feed_endpoint);
    zstr_free (&self.pipeline_out_endpoint);
    stele_pack_destroy (&self.recovery);
    STELE_TSAN_ACQUIRE (self.settings);
    stele_settings_destroy (&self.settings);
}
