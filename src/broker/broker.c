/*  broker - the supervisor: starts, watches and stops the other actors

    It starts the writer (which creates, opens or migrates the ledger, and applies the rule for interrupted
    tasks), then the followers, then the requests. It stops taking events first, then waits
    (bounded) for the followers to reach the head, ends requests and followers, and ends the
    writer last, since it has the only connection that writes.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "broker/access/access.h"
#include "broker/access/zap.h"
#include "broker/common/actor.h"
#include "broker/followers/follower.h"
#include "broker/ingest/ingest.h"
#include "broker/operations/audit.h"
#include "broker/common/endpoint.h"
#include "broker/common/log.h"
#include "broker/common/mode.h"
#include "broker/common/poll.h"
#include "broker/recovery_report.h"
#include "broker/requests/requests.h"
#include "cache/cache.h"
#include "cache/redis/redis_url.h"
#include "fault/fault.h"
#include "stele_broker.h"
#include "base/clock.h"
#include "base/file.h"

typedef struct {
    zsock_t *pipe;
    stele_settings_t *settings;
    stele_access_t *access;         // NULL: no keys
    zactor_t *zap, *ingest, *requests;
    zactor_t *followers [STELE_FOLLOWER_COUNT];             // NULL: off
    char *endpoints [STELE_FOLLOWER_COUNT];
    stele_follower_args_t follower_args;
    stele_query_args_t requests_args;
    char *ledger_id;
    char *events_endpoint, *pipeline_in_endpoint, *requests_endpoint;
    stele_pack_t *recovery;         // Report of the start of the writer: a msgpack map
    int64_t begun_us;               // Steady clock: START
    bool refused;                   // A setting was refused, so START is too
    bool started;                   // START was accepted: other threads read the settings
    zlist_t *commands;              // Name and value of each SET; of CONFIG, "" and the file
    zlist_t *later;                 // Messages: commands that came during the start
    bool terminated;
} s_broker_t;

static const struct {
    zactor_fn *actor;
    size_t setting;                 // Offset of a char * in the settings
    const char *off;                // Its value that turns the follower off
    bool drains;
} s_followers [STELE_FOLLOWER_COUNT] = {
#define S_FOLLOWER(name, actor, setting, off, drains) { actor, offsetof (stele_settings_t, setting), off, drains },
    STELE_FOLLOWERS (S_FOLLOWER)
#undef S_FOLLOWER
};

//  -- start --------------------------------------------------------------------

static int
s_no_thread (s_broker_t *self)
{
    char text [200];
    snprintf (text, sizeof text, "cannot start a thread: %s; raise the limit of memory or threads",
        strerror (errno));
    zstr_sendx (self->pipe, "FAILED", text, NULL);
    return -1;
}

//  Wait for the first message of an actor that was just started. Returns 0 and its endpoint, or -1
//  after passing FAILED on.
static int
s_started (s_broker_t *self, zactor_t *actor, char **endpoint)
{
    char *status = NULL, *text = NULL;
    int rc = -1;
    if (!actor)
        return s_no_thread (self);
    if (zstr_recvx (actor, &status, &text, NULL) < 1)
        zstr_sendx (self->pipe, "FAILED", "an actor ended during its start", NULL);
    else
    if (streq (status, "READY")) {
        rc = 0;
        *endpoint = text;
        text = NULL;
    }
    else
        zstr_sendx (self->pipe, "FAILED", text? text: "an actor failed to start", NULL);
    zstr_free (&status);
    zstr_free (&text);
    return rc;
}

//  Pass on why the writer failed to start, with the name of the error code if it sent one
static void
s_failed (s_broker_t *self, const char *text, zmsg_t *message)
{
    char *name = message? zmsg_popstr (message): NULL;
    zstr_sendx (self->pipe, "FAILED", text, name, NULL);
    zstr_free (&name);
}

//  The keys, and who answers for them: before the first bind
static int
s_start_access (s_broker_t *self)
{
    stele_refusal_t refusal;
    char *unused = NULL;
    if (!*self->settings->keys)
        return 0;
    self->access = self->settings->access = stele_access_new (self->settings->keys, &refusal);
    if (!self->access) {
        zstr_sendx (self->pipe, "FAILED", refusal.message, NULL);
        return -1;
    }
    stele_access_record (self->access, self->settings->denied);
    self->zap = stele_actor_new (stele_zap, self->access);
    int rc = s_started (self, self->zap, &unused);
    zstr_free (&unused);
    return rc;
}

//  The first message of the writer. Its start may take long, but ends soon after $TERM.
static zmsg_t *
s_await_ingest (s_broker_t *self)
{
    zmq_pollitem_t items [] = {
        { zsock_resolve (self->ingest), 0, ZMQ_POLLIN, 0 },
        { zsock_resolve (self->pipe), 0, ZMQ_POLLIN, 0 }
    };
    while (!self->terminated && stele_poll (items, 2, -1) >= 0 && !(items [0].revents & ZMQ_POLLIN)) {
        zmsg_t *command = items [1].revents & ZMQ_POLLIN? zmsg_recv (self->pipe): NULL;
        self->terminated = command && zframe_streq (zmsg_first (command), "$TERM");
        if (command)
            zlist_append (self->later, command);
    }
    if (self->terminated) {
        zsock_set_sndtimeo (self->ingest, 0);       // It may have ended meanwhile
        zstr_send (self->ingest, "STOP");
        zsock_set_sndtimeo (self->ingest, -1);
    }
    return zmsg_recv (self->ingest);
}

static int
s_start_ingest (s_broker_t *self)
{
    STELE_FAULT (start_ingest);
    self->ingest = stele_actor_new (stele_ingest, self->settings);
    if (!self->ingest)
        return s_no_thread (self);
    zmsg_t *message = s_await_ingest (self);
    char *status = message? zmsg_popstr (message): NULL;
    char *text = message? zmsg_popstr (message): NULL;
    int rc = -1;
    if (!status || strneq (status, "READY") || zmsg_size (message) != 4)
        s_failed (self, text? text: "the writer ended during its start", message);
    else {
        self->ledger_id = text;
        text = NULL;
        zframe_t *begin = zmsg_pop (message);
        assert (zframe_size (begin) == sizeof self->follower_args.begin);
        memcpy (&self->follower_args.begin, zframe_data (begin), zframe_size (begin));
        zframe_destroy (&begin);
        self->events_endpoint = zmsg_popstr (message);
        self->pipeline_in_endpoint = zmsg_popstr (message);
        zframe_t *recovery = zmsg_pop (message);
        stele_pack_packed (self->recovery, zframe_data (recovery), zframe_size (recovery));
        zframe_destroy (&recovery);
        rc = 0;
    }
    zstr_free (&status);
    zstr_free (&text);
    zmsg_destroy (&message);
    return rc;
}

static int
s_start_followers (s_broker_t *self)
{
    STELE_FAULT (start_followers);
    self->follower_args.settings = self->settings;
    for (int i = 0; i < STELE_FOLLOWER_COUNT; i++) {
        const char *setting = *(char **) ((char *) self->settings + s_followers [i].setting);
        if (streq (setting, s_followers [i].off))
            continue;
        self->followers [i] = stele_actor_new (s_followers [i].actor, &self->follower_args);
        if (s_started (self, self->followers [i], &self->endpoints [i]))
            return -1;
    }
    return 0;
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
    self->requests_args = (stele_query_args_t) {
        .settings = self->settings,
        .ledger_id = self->ledger_id,
        .started_at_us = stele_clock_us (),
        .head = self->follower_args.begin.head,
        .has_cache = self->followers [STELE_FOLLOWER_CACHE] != NULL,
        .has_pipeline = self->followers [STELE_FOLLOWER_PIPELINE] != NULL
    };
    self->requests = stele_actor_new (stele_requests, &self->requests_args);
    if (s_started (self, self->requests, &self->requests_endpoint))
        return -1;
    zstr_sendx (self->requests, "ENDPOINTS",
        "events", self->events_endpoint, "requests", self->requests_endpoint,
        "feed", self->endpoints [STELE_FOLLOWER_FEED],
        "pipeline-in", s_or_off (self->pipeline_in_endpoint),
        "pipeline-out", s_or_off (self->endpoints [STELE_FOLLOWER_PIPELINE]), NULL);
    return 0;
}

//  Report the recovery once: to the log, and to the requests as stats.recovery. 'aligned' is the
//  map that the cache sent, NULL if Redis is not followed.
static void
s_report (s_broker_t *self, zframe_t *aligned)
{
    stele_pack_t *pack = stele_pack_new ();
    assert (pack);
    stele_recovery_report (pack, self->settings, self->recovery, aligned, self->begun_us);
    zsock_send (self->requests, "sb", "RECOVERY", stele_pack_data (pack), stele_pack_size (pack));
    stele_pack_destroy (&pack);
}

//  -- stop -------------------------------------------------------------------------

//  Wait until an actor sends this answer, or until the time, or a command to hurry.
static void
s_await (s_broker_t *self, zactor_t *actor, const char *answer, int64_t until_us)
{
    while (true) {
        int64_t left_ms = (until_us - stele_clock_steady_us ()) / 1000;
        zmq_pollitem_t items [] = {
            { zsock_resolve (actor), 0, ZMQ_POLLIN, 0 },
            { zsock_resolve (self->pipe), 0, ZMQ_POLLIN, 0 }
        };
        //  HURRY or a second $TERM ends the wait
        if (left_ms <= 0 || stele_poll (items, 2, left_ms) < 0 || (items [1].revents & ZMQ_POLLIN))
            return;
        if (!(items [0].revents & ZMQ_POLLIN))
            continue;
        zmsg_t *message = zmsg_recv (actor);
        //  FAILED is followed only by the end signal, which zactor_destroy waits for
        bool done = !message || zframe_streq (zmsg_first (message), answer)
            || zframe_streq (zmsg_first (message), "FAILED");
        zmsg_destroy (&message);
        if (done)
            return;
    }
}

static void
s_await_drained (s_broker_t *self, int follower, int64_t until_us)
{
    if (!self->followers [follower] || !s_followers [follower].drains)
        return;
    s_await (self, self->followers [follower], "DRAINED", until_us);
    STELE_FAULT (stop_drained);
}

//  All followers drain at the same time, within one bound. Only the seal begins after the segments: it holds back its last note
//  in the repository until they have the events.
static void
s_drain (s_broker_t *self)
{
    int64_t until_us = stele_clock_steady_us () + self->settings->drain_ms * 1000;
    zstr_send (self->ingest, "PAUSE");
    s_await (self, self->ingest, "PAUSED", until_us);
    STELE_FAULT (stop_paused);
    for (int i = 0; i < STELE_FOLLOWER_COUNT; i++)
        if (self->followers [i] && s_followers [i].drains && i != STELE_FOLLOWER_SEAL)
            zstr_send (self->followers [i], "DRAIN");
    s_await_drained (self, STELE_FOLLOWER_SEGMENTS, until_us);
    if (self->followers [STELE_FOLLOWER_SEAL])
        zstr_send (self->followers [STELE_FOLLOWER_SEAL], "DRAIN");
    for (int i = 0; i < STELE_FOLLOWER_COUNT; i++)
        if (i != STELE_FOLLOWER_SEGMENTS)
            s_await_drained (self, i, until_us);
}

//  'drain' only if all actors run: one that has failed has ended, and zactor_destroy has to receive
//  its end signal.
static void
s_stop (s_broker_t *self, bool drain)
{
    STELE_FAULT (stop_begin);
    if (drain)
        s_drain (self);
    zactor_destroy (&self->requests);
    STELE_FAULT (stop_requests);
    for (int i = 0; i < STELE_FOLLOWER_COUNT; i++)
        zactor_destroy (&self->followers [i]);
    STELE_FAULT (stop_followers);
    zactor_destroy (&self->ingest);
    zactor_destroy (&self->zap);
    STELE_FAULT (stop_ingest);
}

//  -- commands ----------------------------------------------------------------------

//  Files next to the ledger are named after it (lock, write-ahead log, high-water mark): a symbolic link
//  would give it a second set of them
static void
s_resolve_ledger (stele_settings_t *settings)
{
    struct stat status;
    char *path = lstat (settings->ledger, &status) == 0 && S_ISLNK (status.st_mode)?
        stele_file_resolve (settings->ledger): NULL;
    if (!path)
        return;
    free (settings->ledger);
    settings->ledger = path;
}

//  The URL without user and password
static const char *
s_redis_place (const stele_settings_t *settings, char text [STELE_REDIS_URL_MAX])
{
    stele_redis_url_t url;
    snprintf (text, STELE_REDIS_URL_MAX, "none");
    if (strneq (settings->redis, "none") && stele_redis_url_parse (&url, settings->redis, NULL) == 0)
        stele_redis_url_print (&url, text, STELE_REDIS_URL_MAX);
    return text;
}

//  Whatever only a part that starts later would refuse: a start that is refused must not leave a new ledger
static int
s_check_redis (const stele_settings_t *settings, stele_refusal_t *refusal)
{
    if (streq (settings->redis, "none"))
        return 0;
    stele_cache_options_t options = { .url = settings->redis, .prefix = settings->redis_prefix };
    stele_cache_t *cache = stele_cache_new (&options, refusal);
    int rc = cache? 0: -1;
    stele_cache_destroy (&cache);
    return rc;
}

//  Would the endpoints be refused without the setting insecure?
static void
s_warn_insecure (const stele_settings_t *settings)
{
    stele_settings_t strict = *settings;
    stele_refusal_t refusal;
    strict.insecure = false;
    if (settings->insecure && stele_endpoint_check (&strict, &refusal))
        stele_log_warning ("insecure", "insecure: whoever reaches the endpoints may read and change everything. %s",
            refusal.message);
}

//  READY, the line of the log, and the options of stele-http
static void
s_send_ready (s_broker_t *self, const char *line)
{
    const stele_settings_t *settings = self->settings;
    char rate [24];
    snprintf (rate, sizeof rate, "%lld", (long long) settings->http_rate);
    zstr_sendx (self->pipe, "READY", line, "--listen", settings->http, "--requests", self->requests_endpoint,
        "--feed", self->endpoints [STELE_FOLLOWER_FEED], "--log", streq (settings->log, "json")? "json": "text",
        "--key", settings->http_key, "--tokens", settings->tokens, "--cert", settings->http_cert,
        "--cert-key", settings->http_cert_key, "--socket-mode", settings->http_mode, "--host", *settings->http_host? settings->http_host: "localhost",
        "--rate", rate, NULL);
}

static void
s_start (s_broker_t *self)
{
    stele_refusal_t refusal;
    char place [STELE_REDIS_URL_MAX];
    if (self->started) {
        zstr_sendx (self->pipe, "FAILED", "the broker is already started", NULL);
        return;
    }
    if (self->refused) {
        zstr_sendx (self->pipe, "FAILED", "a setting was refused", NULL);
        return;
    }
    self->begun_us = stele_clock_steady_us ();
    stele_log_configure (self->settings->log, self->settings->log_level);
    s_resolve_ledger (self->settings);
    //  Nothing is created before all settings are checked
    if (stele_settings_check (self->settings, &refusal) || s_check_redis (self->settings, &refusal)
    ||  stele_endpoint_probe (self->settings, &refusal)) {
        zstr_sendx (self->pipe, "FAILED", refusal.message, NULL);
        return;
    }
    s_warn_insecure (self->settings);
    self->started = true;
    bool failed = s_start_access (self) || s_start_ingest (self);
    if (!failed && (s_start_followers (self) || s_start_requests (self))) {
        failed = true;
        zsock_set_sndtimeo (self->ingest, 0);       // It may have ended meanwhile
        zstr_send (self->ingest, "DISCARD");
    }
    if (failed) {
        s_stop (self, false);
        return;
    }
    char line [2048];
    snprintf (line, sizeof line,
        "ready: ledger %s (%s) at position %lld; events %s, requests %s, feed %s; redis %s",
        self->settings->ledger, self->ledger_id, (long long) self->follower_args.begin.head,
        self->events_endpoint, self->requests_endpoint, self->endpoints [STELE_FOLLOWER_FEED],
        s_redis_place (self->settings, place));
    if (!self->followers [STELE_FOLLOWER_CACHE] || stele_mode_initial (self->settings) != STELE_MODE_DUAL
    ||  !self->follower_args.begin.leads)
        s_report (self, NULL);
    STELE_FAULT (start_ready);
    s_send_ready (self, line);
}

//  One SET, or CONFIG with the name ""
static int
s_apply (stele_settings_t *settings, const char *name, const char *value, stele_refusal_t *refusal)
{
    return *name? stele_settings_set (settings, name, value, refusal):
        stele_settings_load (settings, value, refusal);
}

static void
s_set (s_broker_t *self, const char *name, const char *value)
{
    stele_refusal_t refusal;
    int rc;
    if (!name || !value)
        rc = stele_refuse (&refusal, STELE_EMISSING_FIELD, NULL, "SET takes a name and a value, CONFIG a file");
    else
    if (self->started)
        rc = stele_refuse (&refusal, STELE_EINVALID_FIELD, name, "settings come before START");
    else {
        zlist_append (self->commands, (void *) name);
        zlist_append (self->commands, (void *) value);
        rc = s_apply (self->settings, name, value, &refusal);
    }
    if (rc) {
        self->refused = true;
        zstr_sendx (self->pipe, "FAILED", refusal.message, NULL);
    }
}

static void
s_reload_keys (s_broker_t *self)
{
    stele_refusal_t refusal;
    stele_pack_t *pack = stele_pack_new ();
    stele_pack_map_begin (pack);
    int code = stele_access_reload (self->access, pack, &refusal);
    stele_pack_map_end (pack);
    if (code == 0)
        stele_audit_keys (self->settings, stele_identity_local.name, stele_pack_data (pack), stele_pack_size (pack));
    stele_pack_destroy (&pack);
}

//  Read the settings again, as they were given: the file and the commands in their order. Apply those
//  that can change while the broker runs; keep all of them if one is refused.
static void
s_reload (s_broker_t *self)
{
    stele_settings_t *fresh = stele_settings_new ();
    stele_refusal_t refusal;
    char others [600];
    int rc = 0;
    char *name = zlist_first (self->commands);
    for (; name && rc == 0; name = zlist_next (self->commands))
        rc = s_apply (fresh, name, zlist_next (self->commands), &refusal);
    s_resolve_ledger (fresh);
    if (rc == 0)
        rc = stele_settings_check (fresh, &refusal);
    if (rc)
        stele_log_error ("reload_refused", "reload: nothing was changed: %s", refusal.message);
    else {
        bool changed = stele_settings_reload (self->settings, fresh, others, sizeof others);
        stele_log_configure (self->settings->log, self->settings->log_level);
        stele_log_info ("reloaded", "reloaded: %s%s%s%s%s", changed? "log ": "no setting changed",
            changed? self->settings->log: "", changed? ", log-level ": "", changed? self->settings->log_level: "",
            *others? "; the rest applies at the next start": "");
        if (*others)
            stele_log_warning ("restart_needed", "reload: these settings apply at the next start: %s", others);
        if (self->access)
            s_reload_keys (self);
    }
    stele_settings_destroy (&fresh);
}

static void
s_command (s_broker_t *self, zmsg_t *command)
{
    char *verb = command? zmsg_popstr (command): NULL;
    if (!verb || streq (verb, "$TERM"))
        self->terminated = true;
    else
    if (streq (verb, "SET") || streq (verb, "CONFIG")) {
        char *name = streq (verb, "SET")? zmsg_popstr (command): strdup ("");
        char *value = zmsg_popstr (command);
        s_set (self, name, value);
        zstr_free (&name);
        zstr_free (&value);
    }
    else
    if (streq (verb, "START")) {
        s_start (self);
        zmsg_t *later;
        while ((later = zlist_pop (self->later)))
            s_command (self, later);
    }
    else
    if (streq (verb, "VERBOSE"))
        s_set (self, "log-level", "debug");
    else
    if (streq (verb, "RELOAD"))
        s_reload (self);
    else
    //  The writer answers, through s_receive_ingest
    if (streq (verb, "PING")) {
        if (self->ingest)
            zstr_send (self->ingest, "PING");
    }
    else
    if (strneq (verb, "HURRY"))
        zstr_sendx (self->pipe, "FAILED", "unknown command", NULL);
    zstr_free (&verb);
    zmsg_destroy (&command);
}

//  The writer answers PING; it sends a message by itself only if it fails.
static void
s_receive_ingest (s_broker_t *self)
{
    char *status = NULL, *text = NULL;
    zstr_recvx (self->ingest, &status, &text, NULL);
    if (status && streq (status, "PONG"))
        zstr_send (self->pipe, "PONG");
    else {
        zstr_sendx (self->pipe, "FAILED", text? text: "the writer ended", NULL);
        s_stop (self, false);
    }
    zstr_free (&status);
    zstr_free (&text);
}

//  It sends a message only when it ends: what is connected would stay so, and nobody else is let in
static void
s_receive_zap (s_broker_t *self)
{
    zstr_sendx (self->pipe, "FAILED", "the ZAP actor, which checks the keys of clients, has ended", NULL);
    zactor_destroy (&self->zap);
    s_stop (self, false);
}

static void
s_receive_follower (s_broker_t *self, zactor_t *follower)
{
    zmsg_t *message = zmsg_recv (follower);
    if (message && zmsg_size (message) == 2 && zframe_streq (zmsg_first (message), "ALIGNED"))
        s_report (self, zmsg_last (message));
    zmsg_destroy (&message);
}

//  Wait for a message and act on it. Returns false if the context ended.
static bool
s_step (s_broker_t *self)
{
    zmq_pollitem_t items [3 + STELE_FOLLOWER_COUNT] = { { zsock_resolve (self->pipe), 0, ZMQ_POLLIN, 0 } };
    zactor_t *actors [3 + STELE_FOLLOWER_COUNT];
    int count = 1;
    for (int i = -2; i < STELE_FOLLOWER_COUNT; i++) {
        zactor_t *actor = i == -2? self->zap: i == -1? self->ingest: self->followers [i];
        if (actor) {
            actors [count] = actor;
            items [count++] = (zmq_pollitem_t) { zsock_resolve (actor), 0, ZMQ_POLLIN, 0 };
        }
    }
    if (stele_poll (items, count, -1) < 0)
        return false;
    if (items [0].revents & ZMQ_POLLIN) {
        s_command (self, zmsg_recv (self->pipe));
        return true;
    }
    //  One message: s_receive_ingest and s_receive_zap stop all actors
    for (int i = 1; i < count; i++)
        if (items [i].revents & ZMQ_POLLIN) {
            if (actors [i] == self->zap)
                s_receive_zap (self);
            else
            if (actors [i] == self->ingest)
                s_receive_ingest (self);
            else
                s_receive_follower (self, actors [i]);
            break;
        }
    return true;
}

void
stele_broker (zsock_t *pipe, void *args)
{
    (void) args;
    s_broker_t self = {
        .pipe = pipe, .settings = stele_settings_new (), .recovery = stele_pack_new (), .commands = zlist_new (), .later = zlist_new ()
    };
    assert (self.commands && self.later);
    zlist_autofree (self.commands);
    zsock_signal (pipe, 0);
    while (!self.terminated && s_step (&self)) {}
    if (self.ingest || self.zap)
        s_stop (&self, self.ingest != NULL);
    zstr_free (&self.ledger_id);
    zstr_free (&self.events_endpoint);
    zstr_free (&self.pipeline_in_endpoint);
    zstr_free (&self.requests_endpoint);
    for (int i = 0; i < STELE_FOLLOWER_COUNT; i++)
        zstr_free (&self.endpoints [i]);
    zlist_destroy (&self.commands);
    zlist_destroy (&self.later);
    stele_pack_destroy (&self.recovery);
    stele_access_destroy (&self.access);
    STELE_TSAN_ACQUIRE (self.settings);
    stele_settings_destroy (&self.settings);
}
