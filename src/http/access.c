/*  access - the tokens of clients: who sends a request, and what that one may do

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <zlib.h>
#include <event2/util.h>
#include <netinet/in.h>
#include "base/clock.h"
#include "base/memory.h"
#include "broker/common/log.h"
#include "http/access.h"
#include "wire/pack.h"

#define LOOK_MS 1000

typedef struct http_token {
    http_actor_t actor;
    unsigned char hash [CLI_TOKEN_HASH];
    unsigned roles;                 // Bits of s_roles
    int64_t not_after_us;           // 0: no end
    bool revoked;                   // In the file
    bool gone;                      // Not in the file any more, or changed
    stele_pack_t *pack;
    http_rate_t rate;
    struct http_token *next;
} s_token_t;

struct http_access {
    char *path;
    s_token_t *tokens;              // Those of now before those that are gone, in each case
    s_token_t *probe;
    struct stat seen;               // The file as it was when it was read last
    int64_t looked_ms;              // Steady clock
};

//  Each with those that it includes, as in the broker (protocol section 14)
static const struct { const char *word; unsigned bits; } s_roles [] = {
    { "any", 1 }, { "metrics", 2 }, { "query", 4 | 2 }, { "publish", 8 }, { "operate", 16 | 4 | 2 }, { "admin", 63 }
};
#define ROLE_COUNT (sizeof s_roles / sizeof s_roles [0])

//  -- tokens of the file --------------------------------------------------------------------------

static void
s_pack_words (stele_pack_t *pack, const char *key, const cli_list_t *list)
{
    stele_pack_key (pack, key);
    stele_pack_array (pack, list->count);
    for (size_t i = 0; i < list->count; i++)
        stele_pack_string (pack, list->items [i]);
}

static s_token_t *
s_new (const cli_token_t *line)
{
    s_token_t *self = STELE_NEW (s_token_t);
    memcpy (self->actor.id, line->id, sizeof self->actor.id);
    strcpy (self->actor.name, line->name);
    memcpy (self->hash, line->hash, sizeof self->hash);
    self->actor.bound = line->users.count > 0;
    self->actor.token = self;
    self->not_after_us = line->not_after_us;
    self->revoked = line->revoked_us != 0;
    self->roles = s_roles [0].bits;
    for (size_t i = 0; i < line->roles.count; i++)
        for (size_t role = 0; role < ROLE_COUNT; role++)
            if (strcmp (line->roles.items [i], s_roles [role].word) == 0)
                self->roles |= s_roles [role].bits;
    self->pack = stele_pack_new ();
    assert (self->pack);
    stele_pack_map_begin (self->pack);
    stele_pack_key_string (self->pack, "name", line->name);
    s_pack_words (self->pack, "roles", &line->roles);
    if (self->actor.bound)
        s_pack_words (self->pack, "users", &line->users);
    stele_pack_map_end (self->pack);
    self->actor.packed = stele_pack_data (self->pack);
    self->actor.packed_size = stele_pack_size (self->pack);
    uLong sum = crc32 (0, (const Bytef *) line->id, CLI_TOKEN_ID);
    self->actor.version = (uint32_t) crc32 (sum, self->actor.packed, (uInt) self->actor.packed_size);
    return self;
}

static void
s_free (s_token_t *self)
{
    stele_pack_destroy (&self->pack);
    free (self);
}

static bool
s_is_same (const s_token_t *self, const s_token_t *other)
{
    return strcmp (self->actor.id, other->actor.id) == 0 && memcmp (self->hash, other->hash, sizeof self->hash) == 0
        && self->not_after_us == other->not_after_us && self->revoked == other->revoked
        && self->actor.packed_size == other->actor.packed_size
        && memcmp (self->actor.packed, other->actor.packed, self->actor.packed_size) == 0;
}

//  Those that are the same stay, so that streams go on
static void
s_take (http_access_t *self, const cli_tokens_t *lines)
{
    s_token_t *fresh = NULL, *token;
    for (token = self->tokens; token; token = token->next)
        token->gone = true;
    for (size_t i = 0; i < lines->count; i++) {
        s_token_t *made = s_new (&lines->items [i]);
        for (token = self->tokens; token && !s_is_same (token, made); token = token->next);
        if (token) {
            token->gone = false;
            s_free (made);
        }
        else {
            made->next = fresh;
            fresh = made;
        }
    }
    while (fresh) {
        token = fresh;
        fresh = token->next;
        token->next = self->tokens;
        self->tokens = token;
    }
}

static int
s_read (http_access_t *self, stele_refusal_t *refusal)
{
    cli_tokens_t lines = { 0 };
    //  Before it is read: what changes meanwhile is seen later
    if (stat (self->path, &self->seen) != 0)
        memset (&self->seen, 0, sizeof self->seen);
    int rc = cli_tokens_load (&lines, self->path, refusal);
    if (rc == 0)
        s_take (self, &lines);
    cli_tokens_clear (&lines);
    return rc;
}

http_access_t *
http_access_new (const char *path, stele_refusal_t *refusal)
{
    http_access_t *self = STELE_NEW (http_access_t);
    self->path = stele_memory_copy (path, strlen (path));
    self->probe = s_new (&(cli_token_t) { .name = "stele-http" });
    if (s_read (self, refusal) != 0)
        http_access_destroy (&self);
    return self;
}

void
http_access_destroy (http_access_t **self_p)
{
    http_access_t *self = *self_p;
    if (!self)
        return;
    while (self->tokens) {
        s_token_t *token = self->tokens;
        self->tokens = token->next;
        s_free (token);
    }
    s_free (self->probe);
    free (self->path);
    free (self);
    *self_p = NULL;
}

void
http_access_reload (http_access_t *self)
{
    stele_refusal_t refusal;
    if (s_read (self, &refusal) != 0) {
        stele_log_error ("tokens_refused", "tokens: nothing was changed, a revoked token is still accepted: %s", refusal.message);
        return;
    }
    size_t valid = 0;
    for (const s_token_t *token = self->tokens; token; token = token->next)
        valid += http_actor_is_valid (&token->actor);
    stele_log_info ("tokens", "tokens: read again, %zu valid", valid);
}

void
http_access_tick (http_access_t *self)
{
    struct stat now = { 0 };
    int64_t now_ms = stele_clock_steady_ms ();
    if (now_ms < self->looked_ms + LOOK_MS)
        return;
    self->looked_ms = now_ms;
    if (stat (self->path, &now) != 0)
        memset (&now, 0, sizeof now);
    if (now.st_ino != self->seen.st_ino || now.st_size != self->seen.st_size || now.st_dev != self->seen.st_dev
    ||  now.st_mode != self->seen.st_mode || now.st_mtim.tv_sec != self->seen.st_mtim.tv_sec
    ||  now.st_mtim.tv_nsec != self->seen.st_mtim.tv_nsec)
        http_access_reload (self);
}

const http_actor_t *
http_access_probe (const http_access_t *self)
{
    return &self->probe->actor;
}

//  -- actors --------------------------------------------------------------------------------------

bool
http_actor_is_valid (const http_actor_t *self)
{
    const s_token_t *token = self->token;
    return !token->gone && !token->revoked && (token->not_after_us == 0 || stele_clock_us () < token->not_after_us);
}

bool
http_actor_may (const http_actor_t *self, const char *role)
{
    for (size_t i = 0; i < ROLE_COUNT && self; i++)
        if (strcmp (role, s_roles [i].word) == 0)
            return self->token->roles & 1u << i;
    return !self;                   // An unknown role is nobody's
}

int
http_actor_take (const http_actor_t *self, int64_t per_second)
{
    return http_rate_take (&self->token->rate, per_second, stele_clock_steady_us ());
}

//  -- requests ------------------------------------------------------------------------------------

//  NULL with *why: it is not the text of a valid token
static const s_token_t *
s_find (const http_access_t *self, http_span_t text, const char **why)
{
    char id [CLI_TOKEN_ID];
    unsigned char hash [CLI_TOKEN_HASH];
    const s_token_t *found = NULL;
    if (!cli_token_read (text.data, text.size, id, hash, why))
        return NULL;
    for (const s_token_t *token = self->tokens; token && !found; token = token->next)
        if (!token->gone && strcmp (token->actor.id, id) == 0)
            found = token;
    if (!found || !cli_token_hash_is (found->hash, hash)) {
        *why = "it is not known here";
        return NULL;
    }
    *why = found->revoked? "it was revoked": "it has expired";
    return http_actor_is_valid (&found->actor)? found: NULL;
}

//  Of the peer, for the log
static void
s_print_address (const struct sockaddr *address, char text [64])
{
    strcpy (text, "a unix socket");
    if (address->sa_family == AF_INET)
        evutil_inet_ntop (AF_INET, &((const struct sockaddr_in *) address)->sin_addr, text, 64);
    if (address->sa_family == AF_INET6)
        evutil_inet_ntop (AF_INET6, &((const struct sockaddr_in6 *) address)->sin6_addr, text, 64);
}

int
http_access_identify (http_access_t *self, http_span_t authorization, const struct sockaddr *address, http_peer_t *peer,
    const http_actor_t **actor, int *wait_s, char why [HTTP_ACCESS_WHY])
{
    const char *reason = "";
    http_span_t text = authorization;
    *wait_s = 0;
    if (!authorization.data) {
        snprintf (why, HTTP_ACCESS_WHY, "this server needs a token: send 'Authorization: Bearer TOKEN'; 'stele token new' makes one");
        return 401;
    }
    bool is_bearer = text.size > 7 && strncasecmp (text.data, "Bearer ", 7) == 0;
    if (is_bearer) {
        text.data += 7;
        text.size -= 7;
        while (text.size && *text.data == ' ') {
            text.data++;
            text.size--;
        }
    }
    const s_token_t *token = is_bearer? s_find (self, text, &reason): NULL;
    if (token) {
        *actor = &token->actor;
        return 0;
    }
    *wait_s = http_peer_wrong (peer, stele_clock_steady_ms ());
    if (*wait_s) {
        snprintf (why, HTTP_ACCESS_WHY, "more than %d wrong tokens in a minute came from this address: retry in %d s",
            HTTP_PEER_WRONG_MAX, *wait_s);
        return 429;
    }
    snprintf (why, HTTP_ACCESS_WHY, is_bearer? "the token is refused: %s": "Authorization has another scheme than Bearer%s", reason);
    char from [64];
    s_print_address (address, from);
    stele_log_warning ("access_denied", "access denied: from %s: %s", from, why);
    return 401;
}
