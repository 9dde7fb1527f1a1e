/*  settings - the configuration of stele-relay: a file of ZPL

        requests = "tcp://127.0.0.1:5571"
        state = "/var/lib/stele/relay.db"
        target
            ci
                url = "https://ci.example.org/stele"
                secret = "/etc/stele/ci.secret"
                types = "task.state_changed"
                states = "failed, error"

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_RELAY_SETTINGS_H_INCLUDED
#define STELE_RELAY_SETTINGS_H_INCLUDED

#include "cli/terminal/options.h"
#include "model/refusal.h"

#define RELAY_TARGETS_MAX 64
#define RELAY_TARGET_NAME 64        // Characters

/*  Settings of the relay: X (name, member, kind, initial value, minimum, maximum, help)                */
#define RELAY_SETTINGS(X) \
    X ("requests", requests, TEXT, "", 0, 0, "endpoint of the broker's requests (default: STELE_REQUESTS, or tcp://127.0.0.1:5571)") \
    X ("feed", feed, TEXT, "", 0, 0, "endpoint of the broker's feed (default: STELE_FEED, or tcp://127.0.0.1:5572)") \
    X ("key", key, TEXT, "", 0, 0, "key file for connections over tcp (default: STELE_KEY, or none)") \
    X ("state", state, TEXT, "stele-relay.db", 0, 0, "file of positions, undelivered events and dead letters") \
    X ("log", log, TEXT, "text", 0, 0, "form of the log: text or json") \
    X ("log-level", log_level, TEXT, "info", 0, 0, "error, warning, info or debug")

/*  Settings of one target                                                                               */
#define RELAY_TARGET_SETTINGS(X) \
    X ("kind", kind, TEXT, "webhook", 0, 0, "webhook or otlp") \
    X ("url", url, TEXT, "", 0, 0, "http or https") \
    X ("secret", secret, TEXT, "", 0, 0, "file of the secrets that sign webhooks") \
    X ("headers", headers, TEXT, "", 0, 0, "file of more headers, one per line") \
    X ("ca", ca, TEXT, "", 0, 0, "file of certificate authorities, instead of those of the system") \
    X ("types", types, LIST, "", 0, 0, "only events of these types; a word that ends with * is a prefix") \
    X ("states", states, LIST, "", 0, 0, "only events with one of these states") \
    X ("roles", roles, LIST, "", 0, 0, "only events of tasks with one of these roles") \
    X ("users", users, LIST, "", 0, 0, "only events of tasks and sessions of these users") \
    X ("from", from, TEXT, "now", 0, 0, "where a new target begins: now or beginning") \
    X ("parallel", parallel, COUNT, "8", 1, 64, "requests at once, of different tasks") \
    X ("window", window, COUNT, "256", 1, 4096, "undelivered events that are held in memory") \
    X ("timeout-ms", timeout_ms, COUNT, "10000", 100, 600000, "of one request") \
    X ("retry-min-ms", retry_min_ms, COUNT, "1000", 10, 3600000, "pause after the first failure") \
    X ("retry-max-ms", retry_max_ms, COUNT, "900000", 10, 86400000, "longest pause") \
    X ("attempts", attempts, COUNT, "100", 1, 1000000, "requests after which an event is a dead letter") \
    X ("age-s", age_s, COUNT, "86400", 1, 31536000, "time since the first request after which an event is a dead letter")

typedef struct {
    char name [RELAY_TARGET_NAME + 1];
    char *kind, *url, *secret, *headers, *ca, *from;
    cli_list_t types, states, roles, users;
    int64_t parallel, window, timeout_ms, retry_min_ms, retry_max_ms, attempts, age_s;
    bool otlp;                      // Of kind
} relay_target_settings_t;

typedef struct {
    char *requests, *feed, *key, *state, *log, *log_level;
    relay_target_settings_t *targets;
    size_t count, room;
} relay_settings_t;

/*  Read and check the file at 'path'. Returns 0, or STELE_EINVALID_FIELD with a refusal that names the file, the target and the
    setting. 'self' is empty before, and cleared by the caller in any case.  */
int
    relay_settings_load (relay_settings_t *self, const char *path, stele_refusal_t *refusal);
void
    relay_settings_clear (relay_settings_t *self);

/*  The target of that name; NULL: there is none. Owned by 'self'.           */
const relay_target_settings_t *
    relay_settings_find (const relay_settings_t *self, const char *name);

#endif
