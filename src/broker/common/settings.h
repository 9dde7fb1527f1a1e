/*  settings - the table of the broker's settings

    A row is an option of steled (--name), a key of steled.conf and a name for the actor's SET. From the
    table come `steled --help`, the defaults, and the checks of values; doc/check.sh compares
    steled.conf(5) and steled.conf.example with it.

    To add a setting: a row below, a paragraph in doc/steled.conf.5 and the default in
    doc/steled.conf.example.

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

/*  X (name, member, type, default, argument, where, help)
      type      TEXT      any text but an empty one
                OPTIONAL  text; empty means off
                WORD      one of the words that 'argument' lists
                FLAG      yes or no; an option without argument
                COUNT     an integer of at least 1, in the unit that 'argument' names
      default   as text
      argument  of the option, as the help shows it; NULL for a FLAG
      where     FILE: option and key of the file; LIVE: the same, and SIGHUP applies a change;
                OPTION: option only
      help      one sentence or two, without the default                     */
#define STELE_SETTINGS_LEDGER(X) \
    X ("ledger", ledger, TEXT, "stele.db", "FILE", FILE, "Keep the ledger, a SQLite database, in FILE; it is created if missing.") \
    X ("integrity", integrity, WORD, "quick", "quick|full|none", FILE, "Check the ledger at startup: quick (the newest part of a large file), full (all of it, which can take hours), or none.") \
    X ("file-mode", file_mode, WORD, "0600", "0600|0640|0644|0660|0664", FILE, "Mode of the ledger and of the files next to it, whatever the umask; set at every start.") \
    X ("wal-bytes", wal_bytes, COUNT, "134217728", "BYTES", FILE, "Let the write-ahead log of the ledger grow to this size before it is copied into the ledger; only a program that reads the ledger for long makes it longer.") \
    X ("accept-loss", accept_loss, FLAG, "no", NULL, OPTION, "Start although acked events are missing from the ledger (otherwise exit status 65), and record the loss. For one start only.") \
    X ("interrupted", interrupted, WORD, "owner", "owner|all|none", FILE, "Which tasks in progress (starting, running, completing) to mark as failed: owner (those whose orchestrator died or left them), all (every one, at each start of the broker), or none.") \
    X ("mode", mode, WORD, "dual", "dual|sqlite|redis", FILE, "What an ack waits for: dual (the ledger; Redis follows), sqlite (the ledger; Redis is not updated), or redis (Redis only: PERSISTENCE IS OFF). 'stele mode' changes it at run time.")

#define STELE_SETTINGS_NODES(X) \
    X ("shared-log", shared_log, TEXT, "none", "URL", FILE, "Share one log with other nodes, each with a ledger of its own: postgres:CONNINFO, with a connection string of PostgreSQL; or none.") \
    X ("shared-log-name", shared_log_name, TEXT, "stele", "NAME", FILE, "Name of the log in that database: one per ledger.") \
    X ("shared-log-lease", shared_log_lease_ms, COUNT, "3000", "MILLISECONDS", FILE, "Let another node lead when the one that writes has given no sign of life for this long.") \
    X ("shared-log-timeout", shared_log_timeout_ms, COUNT, "10000", "MILLISECONDS", FILE, "Longest wait for PostgreSQL, without a byte of its answer. After it, an append is in doubt: acks are held back until PostgreSQL answers.") \
    X ("shared-log-unreplicated", shared_log_unreplicated, FLAG, "no", NULL, FILE, "Lead although commits of PostgreSQL do not wait for a standby: acks then hold only as long as its primary.") \
    X ("node", node, OPTIONAL, "", "NAME", FILE, "Name of this node, different from those of all other nodes of the log; the host name if not set.") \
    X ("role", role, WORD, "auto", "auto|follower", FILE, "auto: lead if no other node does. follower: never lead.") \
    X ("advertise", advertise, OPTIONAL, "", "ENDPOINTS", FILE, "Where clients reach the events endpoint of this node; other nodes name it while this one leads.") \
    X ("advertise-requests", advertise_requests, OPTIONAL, "", "ENDPOINTS", FILE, "The same for the endpoint of requests.")

#define STELE_SETTINGS_BACKUP(X) \
    X ("backup", backup, OPTIONAL, "", "DIRECTORY", FILE, "Keep backups of the ledger in DIRECTORY, on another disk if possible: a snapshot per day, verified, and every event in between.") \
    X ("backup-lag", backup_lag_s, COUNT, "10", "SECONDS", FILE, "Write the newest events to the backup at this interval.") \
    X ("backup-at", backup_at, TEXT, "03:00", "HH:MM", FILE, "Take the snapshot of the day at this time (UTC).") \
    X ("backup-daily", backup_daily, COUNT, "30", "SNAPSHOTS", FILE, "Keep the newest snapshot of each of so many days.") \
    X ("backup-weekly", backup_weekly, COUNT, "8", "SNAPSHOTS", FILE, "Also keep the newest snapshot of each of so many weeks.") \
    X ("backup-monthly", backup_monthly, COUNT, "12", "SNAPSHOTS", FILE, "Also keep the newest snapshot of each of so many months.") \
    X ("seal", seal, OPTIONAL, "", "FILE", FILE, "Keep hashes of all events, and sign them with the key in FILE, which 'stele key new NAME --sign' makes, so that 'stele verify' can prove that no event was changed; unsigned: without a key.") \
    X ("seal-lag", seal_lag_s, COUNT, "10", "SECONDS", FILE, "Sign the newest events at this interval.")

#define STELE_SETTINGS_ARCHIVE(X) \
    X ("archive-after", archive_after, OPTIONAL, "", "TIME", FILE, "Move tasks that ended this long ago (such as 90d, 12h, 30m, 45s) from the ledger to archives next to it, one file per year, which are read with it.")

#define STELE_SETTINGS_ENDPOINTS(X) \
    X ("events", events, TEXT, "tcp://127.0.0.1:5570", "ENDPOINT", FILE, "Accept events from producers at this ZeroMQ endpoint (ROUTER).") \
    X ("requests", requests, TEXT, "tcp://127.0.0.1:5571", "ENDPOINT", FILE, "Answer requests at this endpoint (ROUTER).") \
    X ("feed", feed, TEXT, "tcp://127.0.0.1:5572", "ENDPOINT", FILE, "Publish committed events at this endpoint (XPUB).") \
    X ("pipeline-in", pipeline_in, OPTIONAL, "", "ENDPOINT", FILE, "Accept events without acks at this endpoint (PULL).") \
    X ("pipeline-out", pipeline_out, OPTIONAL, "", "ENDPOINT", FILE, "Push every committed event to the next stage at this endpoint (PUSH).") \
    X ("http", http, OPTIONAL, "", "ADDRESS", FILE, "Run stele-http, the HTTP server, at ADDRESS:PORT (such as 127.0.0.1:5580) or unix:PATH, for as long as the broker runs.") \
    X ("http-key", http_key, OPTIONAL, "", "FILE", FILE, "Let stele-http connect with this key, as made by 'stele key new'; needed with keys, unless requests and feed are ipc endpoints.") \
    X ("http-cert", http_cert, OPTIONAL, "", "FILE", FILE, "Serve HTTPS with the certificate in FILE (PEM, with its chain after it). With it and tokens, http may be an address that other machines can reach. SIGHUP reads it again.") \
    X ("http-cert-key", http_cert_key, OPTIONAL, "", "FILE", FILE, "The private key of http-cert (PEM); others than its owner and its group must not be able to read it.") \
    X ("http-host", http_host, OPTIONAL, "", "NAMES", FILE, "Let stele-http also serve requests that are addressed to these names, separated by commas; needed behind a proxy.") \
    X ("http-mode", http_mode, WORD, "0600", "0600|0660|0666", FILE, "Mode of the socket, if http is unix:PATH: who may write to it may connect.") \
    X ("http-rate", http_rate, COUNT, "20", "REQUESTS", FILE, "With tokens, answer at most this many requests over HTTP per second of each token, and of each address without a token; after a pause, five times as many at once.") \
    X ("tokens", tokens, OPTIONAL, "", "FILE", FILE, "Let stele-http serve only clients that have a token of FILE, which 'stele token' makes.")

#define STELE_SETTINGS_ACCESS(X) \
    X ("keys", keys, OPTIONAL, "", "DIRECTORY", FILE, "Let in only clients that have a key in DIRECTORY, and encrypt: every tcp endpoint demands CURVE. 'stele key' makes keys.") \
    X ("insecure", insecure, FLAG, "no", NULL, FILE, "Listen without keys on tcp endpoints that other machines can reach: whoever reaches them may read and change everything.") \
    X ("ipc-mode", ipc_mode, WORD, "umask", "umask|0600|0660|0666", FILE, "Mode of the sockets of ipc endpoints: who may write to a socket may connect. umask: as the umask of the process leaves it.")

#define STELE_SETTINGS_REDIS(X) \
    X ("redis", redis, TEXT, "redis://127.0.0.1:6379/0", "URL", FILE, "Keep the live state of tasks in this Redis: redis://host:port/db, unix:///path.sock?db=N, or none to run without Redis.") \
    X ("redis-prefix", redis_prefix, TEXT, "{stele}", "PREFIX", FILE, "Start every key in Redis with PREFIX.") \
    X ("terminal-ttl", terminal_ttl_s, COUNT, "86400", "SECONDS", FILE, "Keep a finished task in Redis for this long after its last event.") \
    X ("legacy-keys", legacy_keys, FLAG, "no", NULL, FILE, "Also write the keys task_status:ID, which earlier systems read.")

#define STELE_SETTINGS_PRODUCERS(X) \
    X ("heartbeat", heartbeat_ms, COUNT, "2000", "MILLISECONDS", FILE, "Ask producers to send a ping at this interval.") \
    X ("lease-grace", lease_grace_ms, COUNT, "15000", "MILLISECONDS", FILE, "Shortest time that a lease remains valid after the broker starts, so that producers can reconnect.") \
    X ("window", window, COUNT, "65536", "EVENTS", FILE, "Most unacked events per producer.")

#define STELE_SETTINGS_LIMITS(X) \
    X ("message-bytes", message_bytes, COUNT, "16777216", "BYTES", FILE, "Refuse messages that are larger than this.") \
    X ("message-events", message_events, COUNT, "10000", "EVENTS", FILE, "Most events per message.") \
    X ("batch-events", batch_events, COUNT, "10000", "EVENTS", FILE, "Most events per transaction.") \
    X ("workers", workers, COUNT, "2", "THREADS", FILE, "Number of threads that answer requests.") \
    X ("list-limit", list_limit, COUNT, "1000", "ROWS", FILE, "Most rows per page of an answer.") \
    X ("request-ms", request_ms, COUNT, "5000", "MILLISECONDS", FILE, "Longest time that a request may take.") \
    X ("search-lag", search_lag_events, COUNT, "1000000", "EVENTS", FILE, "Let the index for searches fall this far behind while events arrive quickly; it catches up in pauses, and when a search needs it.") \
    X ("rollup-lag", rollup_lag_events, COUNT, "1000000", "EVENTS", FILE, "Let the counts per minute, hour and day fall this far behind while events arrive quickly, but rest no longer than ten seconds; they catch up in pauses, and when they are requested.") \
    X ("drain-ms", drain_ms, COUNT, "5000", "MILLISECONDS", FILE, "Longest time that a stop waits for Redis, the feed, the pipeline and the backup to catch up.")

#define STELE_SETTINGS_SECRETS(X) \
    X ("redact", redact, WORD, "mask", "mask|refuse|report|off", FILE, "What to do with secrets (keys, tokens, passwords) in events: mask them before anything is stored, refuse the event, report (store it, count and log), or off.") \
    X ("redact-rules", redact_rules, OPTIONAL, "", "FILE", FILE, "Also use the rules of FILE to recognise secrets; see redact.rules for the form.")

#define STELE_SETTINGS_LOG(X) \
    X ("log", log, WORD, "text", "text|json|zsys", LIVE, "Log as text (with the prefixes of sd-daemon if standard error is systemd's journal), as json (JSON Lines), or through zsys of czmq, for a program that embeds the broker.") \
    X ("log-level", log_level, WORD, "info", "error|warning|info|debug", LIVE, "Log messages of this level and of those before it.")

/*  G (title in the help, name, table, X): the groups of the settings, in the order of the help */
#define STELE_SETTINGS_GROUPS(G, X) \
    G ("Ledger", ledger, STELE_SETTINGS_LEDGER, X) \
    G ("Nodes", nodes, STELE_SETTINGS_NODES, X) \
    G ("Backup", backup, STELE_SETTINGS_BACKUP, X) \
    G ("Archive", archive, STELE_SETTINGS_ARCHIVE, X) \
    G ("Endpoints", endpoints, STELE_SETTINGS_ENDPOINTS, X) \
    G ("Access", access, STELE_SETTINGS_ACCESS, X) \
    G ("Secrets", secrets, STELE_SETTINGS_SECRETS, X) \
    G ("Redis", redis, STELE_SETTINGS_REDIS, X) \
    G ("Producers", producers, STELE_SETTINGS_PRODUCERS, X) \
    G ("Limits", limits, STELE_SETTINGS_LIMITS, X) \
    G ("Log", log, STELE_SETTINGS_LOG, X)

#define STELE_SETTINGS_ROWS(title, name, table, X) table (X)
#define STELE_SETTINGS(X) STELE_SETTINGS_GROUPS (STELE_SETTINGS_ROWS, X)

#define STELE_SETTING_TEXT char *
#define STELE_SETTING_OPTIONAL char *
#define STELE_SETTING_WORD char *
#define STELE_SETTING_FLAG bool
#define STELE_SETTING_COUNT int64_t
#define STELE_SETTING_MEMBER(name, member, type, initial, argument, where, help) STELE_SETTING_##type member;
typedef struct {
    STELE_SETTINGS (STELE_SETTING_MEMBER)
    char instance [33];             // Random, hex: distinguishes brokers in one process
    struct stele_standing *standing;    // Owned: whether this node leads (standing.h)
    struct stele_presence *presence;    // Owned: when producers were last heard (presence.h)
    struct stele_denied *denied;       // Owned: refused access that is not recorded yet (denied.h)
    struct stele_access *access;    // Borrowed: keys and roles (access/access.h); NULL: no keys
} stele_settings_t;
#undef STELE_SETTING_MEMBER

/*  All defaults. Caller owns return value.                                  */
stele_settings_t *
    stele_settings_new (void);

void
    stele_settings_destroy (stele_settings_t **self_p);

/*  Set one by name. Returns 0, or STELE_EINVALID_FIELD with a refusal that names the setting, the
    values that it takes and the value that it got. NULL is an empty value.  */
int
    stele_settings_set (stele_settings_t *self, const char *name, const char *value,
        stele_refusal_t *refusal);

/*  Set everything that a ZPL file contains. Returns the same; the refusal names the file and the line
    too. Settings that precede the refused one keep their new values.        */
int
    stele_settings_load (stele_settings_t *self, const char *path, stele_refusal_t *refusal);

/*  Check the settings together, as a start does before it creates anything: the endpoints, the URL of
    Redis, the mode, and the place of the ledger. Creates nothing. Returns the same as set. */
int
    stele_settings_check (const stele_settings_t *self, stele_refusal_t *refusal);

/*  archive-after in seconds; 0: off, or not a time.                         */
int64_t
    stele_settings_archive_after_s (const stele_settings_t *self);

/*  Take the LIVE settings of 'fresh'. Writes the names of the other settings that differ to 'others',
    separated by ", " ("": none); they keep their values until the next start. Returns whether
    a LIVE one changed.                                                      */
bool
    stele_settings_reload (stele_settings_t *self, const stele_settings_t *fresh, char *others, size_t size);

/*  -- how the actors of one broker reach each other ----------------------------

    Every actor has a mailbox, a ROUTER: a DEALER sends [token][request][identity], the request a msgpack map
    with "op", and receives [token][answer], the answer a msgpack map as in section 4 of the protocol. The
    sender chooses the token. The identity (access/identity_frame.h) is who requests it; without that frame it is
    an actor of this broker. Every mailbox answers "stats" with its part of the
    statistics (without "ok" and "position").
      "writer"    publish, rejected.retry, producer.get, mode, stats; and "follower" {name, position},
                  which stores the cursor of a follower (answered once it is durable), and "audit" {event,
                  answer}, which records an audit event (operations/audit.h), and "archive" {year, archive_id, sessions,
                  items: key, position, events of each}, which replaces copied tasks, or sessions, by stubs (answered with moved)
      "cache"     task.recover, recover, consistency.check, stats; and "pause" {paused}
      "feed", "pipeline", "search", "rollup", "segments", "archive", "seal"    stats
      "backup"    backup, stats
      "search", "rollup"    also "catch_up": follow without rests for some seconds; no answer
    "head" is a PUB that publishes the ledger's head after every commit, and when this node of a shared log begins or ceases to
    lead: a stele_announcement_t (announcement.h). Subscribe to everything, with ZMQ_CONFLATE. "indexed" is one of eight bytes, an
    int64_t in host byte order, of the position of the index for searches, after every portion, at least once per second, and on
    "catch_up"; -1 if no search should wait for it: it fails, or is being built. */

/*  "inproc://stele-INSTANCE-NAME", written to the buffer of at least 80 bytes and returned. */
const char *
    stele_settings_inproc (const stele_settings_t *self, const char *name, char *buffer);

#endif
