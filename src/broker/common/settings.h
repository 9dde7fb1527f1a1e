/*  settings - what a broker can be told, in one table

    The names are those of steled.conf and of the options of steled(8); the
    table is where the programs, the config file and the actor's SET meet.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_SETTINGS_H_INCLUDED
#define STELE_SETTINGS_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "model/refusal.h"

/*  X (name, member, type, default as text, help)
    Types: TEXT, FLAG (yes|no), COUNT (a natural number)                     */
#define STELE_SETTINGS(X) \
    X ("ledger",         ledger,          TEXT,  "stele.db", "file of the ledger (SQLite), made if it is not there") \
    X ("redis",          redis,           TEXT,  "redis://127.0.0.1:6379/0", "Redis for the live state: redis://host:port/db, unix:///path.sock?db=N, or none") \
    X ("mode",           mode,            TEXT,  "dual", "what an ack waits for at a start: dual (the ledger; Redis follows), sqlite (Redis is left alone), redis (only Redis: the ledger is not written)") \
    X ("redis-prefix",   redis_prefix,    TEXT,  "{stele}", "first part of every key in Redis") \
    X ("events",         events,          TEXT,  "tcp://127.0.0.1:5570", "where producers publish (ROUTER)") \
    X ("requests",       requests,        TEXT,  "tcp://127.0.0.1:5571", "where requests are answered (ROUTER)") \
    X ("feed",           feed,            TEXT,  "tcp://127.0.0.1:5572", "where committed events are published (XPUB)") \
    X ("pipeline-in",    pipeline_in,     TEXT,  "", "take events without acks here (PULL); off when empty") \
    X ("pipeline-out",   pipeline_out,    TEXT,  "", "push committed events onward here (PUSH); off when empty") \
    X ("workers",        workers,         COUNT, "2", "threads that answer requests") \
    X ("interrupted",    interrupted,     TEXT,  "owner", "whose running tasks are failed: owner (its orchestrator died), all (at every start), none") \
    X ("legacy-keys",    legacy_keys,     FLAG,  "no", "also keep the keys task_status:ID of earlier versions in Redis") \
    X ("terminal-ttl",   terminal_ttl_s,  COUNT, "86400", "seconds that a finished task stays in Redis") \
    X ("integrity",      integrity,       TEXT,  "quick", "check of the file at start: quick, full, none") \
    X ("accept-loss",    accept_loss,     FLAG,  "no", "start with a ledger that lost what it had acked, and record that; for one start, so no file may hold it") \
    X ("lease-grace",    lease_grace_ms,  COUNT, "15000", "milliseconds that a lease runs on at least after a start") \
    X ("heartbeat",      heartbeat_ms,    COUNT, "2000", "milliseconds between pings that producers are asked for") \
    X ("window",         window,          COUNT, "65536", "events a producer may have unacked") \
    X ("message-bytes",  message_bytes,   COUNT, "16777216", "largest message") \
    X ("message-events", message_events,  COUNT, "10000", "most events a message") \
    X ("batch-events",   batch_events,    COUNT, "10000", "most events a transaction") \
    X ("list-limit",     list_limit,      COUNT, "1000", "most rows a page of an answer") \
    X ("request-ms",     request_ms,      COUNT, "5000", "time that a request may take") \
    X ("drain-ms",       drain_ms,        COUNT, "5000", "time that a stop waits for followers")

#define STELE_SETTING_TEXT char *
#define STELE_SETTING_FLAG bool
#define STELE_SETTING_COUNT int64_t
#define STELE_SETTING_MEMBER(name, member, type, initial, help) STELE_SETTING_##type member;
typedef struct {
    STELE_SETTINGS (STELE_SETTING_MEMBER)
    bool verbose;                   // Log every batch
    char instance [33];             // Random, hex: tells brokers in one process apart
} stele_settings_t;
#undef STELE_SETTING_MEMBER

/*  All defaults. Caller owns return value.                                  */
stele_settings_t *
    stele_settings_new (void);

void
    stele_settings_destroy (stele_settings_t **self_p);

/*  Set one by name. Returns 0, or STELE_EINVALID_FIELD with a refusal that names
    the setting, what it takes and what came.                                */
int
    stele_settings_set (stele_settings_t *self, const char *name, const char *value,
        stele_refusal_t *refusal);

/*  Set all that a ZPL file has. The same answers; the refusal names the file. */
int
    stele_settings_load (stele_settings_t *self, const char *path, stele_refusal_t *refusal);

/*  -- how the actors of one broker reach each other ----------------------------

    Every actor has a mailbox, a ROUTER: a DEALER sends [token][request], one
    map of msgpack with "op", and gets [token][answer], one map of msgpack in the form of
    protocol section 4. Tokens are the sender's own. "stats" every mailbox
    answers with its own part of the statistics (no "ok", no "position").
      "writer"  publish, rejected.retry, stats; and "follower" {name, position}
                that keeps a follower's cursor (answered when durable)
      "cache"   task.recover, recover, consistency.check, stats
      "feed", "pipeline"   stats
    "head" is a PUB that says the ledger's head after every commit: eight bytes,
    int64_t of this machine. Subscribe to all of it, with ZMQ_CONFLATE.      */

/*  "inproc://stele-INSTANCE-NAME"; the buffer holds at least 80 bytes.        */
const char *
    stele_settings_inproc (const stele_settings_t *self, const char *name, char *buffer);

#endif
