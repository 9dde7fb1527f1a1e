/*  access - who is let in, and what a sender may do

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/memory.h"
#include "broker/access/access.h"
#include "broker/access/denials.h"
#include "broker/common/denied.h"
#include "broker/common/log.h"
#include "wire/key_file.h"
#include "wire/quote.h"
#include "wire/time.h"

#define QUOTE_MAX 100               // Bytes of a name in a message

//  Not in czmq 4.2.1
#ifndef ZMQ_ZAP_ENFORCE_DOMAIN
#define ZMQ_ZAP_ENFORCE_DOMAIN 93
#endif

//  Keys that the socket of a domain has let in, each once
typedef struct {
    struct { const stele_identity_t *identity; char public_key [STELE_KEY_TEXT]; } *keys;
    size_t count;
} s_admissions_t;

struct stele_access {
    char *folder;
    _Atomic (stele_keyring_t *) current;    // NULL: closed
    stele_keyring_t **keyrings;     // All, since messages refer to them; the last one is current
    size_t keyring_count;
    pthread_mutex_t mutex;          // Of the keyrings and the admissions
    s_admissions_t admissions [STELE_ACCESS_COUNT];
    stele_denials_t *denials;
    stele_denied_t *denied;         // To be recorded; NULL: not
};

static const char *const s_domains [STELE_ACCESS_COUNT] = {
#define S_DOMAIN(constant, name) name,
    STELE_ACCESS_DOMAINS (S_DOMAIN)
#undef S_DOMAIN
};

//  Of a message whose sender is nobody
static const stele_identity_t s_nobody = { .name = STELE_DENIED_STRANGER };

static void
s_publish (stele_access_t *self, stele_keyring_t *keyring)
{
    self->keyrings = realloc (self->keyrings, (self->keyring_count + 1) * sizeof *self->keyrings);
    assert (self->keyrings);
    self->keyrings [self->keyring_count++] = keyring;
    atomic_store (&self->current, keyring);
}

stele_access_t *
stele_access_new (const char *folder, stele_refusal_t *refusal)
{
    stele_keyring_t *keyring = stele_keyring_load (folder, refusal);
    if (!keyring)
        return NULL;
    stele_access_t *self = STELE_NEW (stele_access_t);
    self->folder = stele_memory_copy (folder, strlen (folder));
    pthread_mutex_init (&self->mutex, NULL);
    self->denials = stele_denials_new ();
    s_publish (self, keyring);
    return self;
}

void
stele_access_record (stele_access_t *self, stele_denied_t *denied)
{
    self->denied = denied;
}

void
stele_access_destroy (stele_access_t **self_p)
{
    stele_access_t *self = *self_p;
    if (!self)
        return;
    for (size_t i = 0; i < self->keyring_count; i++)
        stele_keyring_destroy (&self->keyrings [i]);
    for (int i = 0; i < STELE_ACCESS_COUNT; i++)
        free (self->admissions [i].keys);
    free (self->keyrings);
    stele_denials_destroy (&self->denials);
    pthread_mutex_destroy (&self->mutex);
    free (self->folder);
    free (self);
    *self_p = NULL;
}

stele_access_t *
stele_access_guard (stele_access_t *self, zsock_t *socket, const char *endpoint, stele_access_domain_t domain)
{
    if (!self || strncmp (endpoint, "tcp://", 6) != 0)
        return NULL;
    zsock_set_zap_domain (socket, s_domains [domain]);
    int enforce = 1;
    int rc = zmq_setsockopt (zsock_resolve (socket), ZMQ_ZAP_ENFORCE_DOMAIN, &enforce, sizeof enforce);
    assert (rc == 0);
    zsock_set_curve_server (socket, 1);
    //  The first one: a reload does not change the key of a socket that is bound
    zsock_set_curve_secretkey (socket, stele_keyring_secret (self->keyrings [0]));
    return self;
}

//  Of a key that is not valid now: the folder, or an earlier keyring, has its name. NULL: it was never one.
static const stele_identity_t *
s_revoked (stele_access_t *self, const char *public_key)
{
    const stele_identity_t *identity = NULL;
    pthread_mutex_lock (&self->mutex);
    for (size_t i = self->keyring_count; i-- && !identity; )
        identity = stele_keyring_revoked (self->keyrings [i], public_key);
    pthread_mutex_unlock (&self->mutex);
    return identity;
}

const stele_identity_t *
stele_access_sender (stele_access_t *self, const char *public_key)
{
    if (!self)
        return &stele_identity_local;
    stele_keyring_t *current = atomic_load (&self->current);
    if (!public_key || !current)
        return &s_nobody;
    const stele_identity_t *identity = stele_keyring_find (current, public_key);
    if (!identity)
        identity = s_revoked (self, public_key);
    return identity? identity: &s_nobody;
}

//  -- decide ----------------------------------------------------------------------

static stele_denial_t
s_refuse (const stele_identity_t *identity, stele_role_t role, const char *what, stele_refusal_t *refusal)
{
    if (identity->roles == 0) {
        stele_refuse (refusal, STELE_EUNAUTHORIZED, NULL, "%s: the key '%.100s' %s: ask the operator of the "
            "broker for another one", what, identity->name, identity == &s_nobody? "is not valid any more": "was revoked");
        return STELE_DENIED_REVOKED;
    }
    if (identity->not_after_us && stele_clock_us () >= identity->not_after_us) {
        char time [32];
        stele_time_print (identity->not_after_us, time, sizeof time);
        stele_refuse (refusal, STELE_EUNAUTHORIZED, NULL, "%s: the key '%.100s' was valid until %s: ask the operator of the "
            "broker for another one", what, identity->name, time);
        return STELE_DENIED_EXPIRED;
    }
    //  KEY/NAME: of an actor, whose roles are those that the key has as well (delegate.c)
    const char *actor = strchr (identity->name, '/');
    if (actor)
        stele_refuse (refusal, STELE_EUNAUTHORIZED, NULL, "%s needs the role %s, which '%.300s' does not have: the token '%.100s' and the "
            "key of the HTTP server, '%.*s', must both have it", what, stele_role_word (role), identity->name, actor + 1,
            (int) (actor - identity->name), identity->name);
    else
        stele_refuse (refusal, STELE_EUNAUTHORIZED, NULL, "%s needs the role %s, which the key '%.100s' does not have: ask the "
            "operator of the broker for it", what, stele_role_word (role), identity->name);
    return STELE_DENIED_ROLE;
}

int
stele_access_check (stele_access_t *self, const stele_identity_t *identity, stele_role_t role, const char *what,
    stele_refusal_t *refusal)
{
    if (stele_identity_may (identity, role))
        return 0;
    stele_denial_t denial = s_refuse (identity, role, what, refusal);
    if (self)
        stele_denials_note (self->denials, denial, identity->name, refusal->message);
    return refusal->code;
}

int
stele_access_check_producer (stele_access_t *self, const stele_identity_t *identity, const char *producer, size_t size,
    stele_refusal_t *refusal)
{
    if (stele_identity_may_publish_as (identity, producer, size))
        return 0;
    char quote [QUOTE_MAX + 4];
    stele_refuse (refusal, STELE_EUNAUTHORIZED, "producer", "the key '%.100s' may not publish as producer '%s': ask the operator "
        "of the broker to add the name to the producers of the key", identity->name,
        stele_quote_within (quote, QUOTE_MAX, producer, size));
    if (self)
        stele_denials_note (self->denials, STELE_DENIED_PRODUCER, identity->name, refusal->message);
    return refusal->code;
}

void
stele_access_note_user (stele_access_t *self, const stele_identity_t *identity, const stele_refusal_t *refusal)
{
    char text [sizeof refusal->message + 120];
    snprintf (text, sizeof text, "the key '%.100s': %s", identity->name, refusal->message);
    if (self)
        stele_denials_note (self->denials, STELE_DENIED_USER, identity->name, text);
}

//  Remember whom the socket of a domain has let in
static void
s_admitted (stele_access_t *self, stele_access_domain_t domain, const stele_identity_t *identity, const char *public_key)
{
    s_admissions_t *list = &self->admissions [domain];
    pthread_mutex_lock (&self->mutex);
    size_t i = 0;
    while (i < list->count && strcmp (list->keys [i].public_key, public_key) != 0)
        i++;
    if (i == list->count) {
        list->keys = realloc (list->keys, (list->count + 1) * sizeof *list->keys);
        assert (list->keys);
        list->keys [list->count++].identity = identity;
        memcpy (list->keys [i].public_key, public_key, STELE_KEY_TEXT);
    }
    pthread_mutex_unlock (&self->mutex);
}

bool
stele_access_lapsed (stele_access_t *self, stele_access_domain_t domain)
{
    s_admissions_t *list = &self->admissions [domain];
    stele_keyring_t *current = atomic_load (&self->current);
    bool lapsed = false;
    pthread_mutex_lock (&self->mutex);
    for (size_t i = 0; i < list->count && !lapsed; i++) {
        const stele_identity_t *now = current? stele_keyring_find (current, list->keys [i].public_key): NULL;
        lapsed = !now || !stele_identity_is_same (now, list->keys [i].identity) || !stele_identity_may (now, STELE_ROLE_FEED);
    }
    if (lapsed)
        list->count = 0;
    pthread_mutex_unlock (&self->mutex);
    return lapsed;
}

bool
stele_access_admit (stele_access_t *self, const char *public_key, const char *domain_name, const char *address)
{
    stele_keyring_t *current = atomic_load (&self->current);
    const stele_identity_t *identity = current? stele_keyring_find (current, public_key): NULL;
    if (current && !identity)
        identity = s_revoked (self, public_key);
    stele_access_domain_t domain = 0;
    while (domain < STELE_ACCESS_COUNT && strcmp (s_domains [domain], domain_name) != 0)
        domain++;
    stele_refusal_t refusal = { 0 };
    stele_denial_t denial = STELE_DENIED_UNKNOWN;
    stele_role_t role = domain == STELE_ACCESS_MESSAGES? STELE_ROLE_ANY: STELE_ROLE_FEED;
    if (!identity || domain == STELE_ACCESS_COUNT)
        stele_refuse (&refusal, STELE_EUNAUTHORIZED, NULL, "there is no key with the public key %s", public_key);
    else
    if (!stele_identity_may (identity, role))
        denial = s_refuse (identity, role, domain == STELE_ACCESS_FEED? "feed": domain == STELE_ACCESS_PIPELINE? "pipeline-out":
            "a connection", &refusal);
    else
    if (domain == STELE_ACCESS_PIPELINE && (identity->user_count || identity->topic_count)) {
        denial = STELE_DENIED_ROLE;
        stele_refuse (&refusal, STELE_EUNAUTHORIZED, NULL, "pipeline-out has every event, but the key '%.100s' is bound to "
            "users or topics", identity->name);
    }
    if (refusal.code) {
        char text [sizeof refusal.message + 80];
        snprintf (text, sizeof text, "a connection from %.60s: %s", address, refusal.message);
        stele_denials_note (self->denials, denial, identity? identity->name: address, text);
        if (self->denied)
            stele_denied_note (self->denied, identity? identity->name: s_nobody.name, address, "connect", &refusal);
        return false;
    }
    if (domain != STELE_ACCESS_MESSAGES)
        s_admitted (self, domain, identity, public_key);
    return true;
}

void
stele_access_close (stele_access_t *self)
{
    //  Not while a reload, which has seen that it is open, makes its keyring the current one
    pthread_mutex_lock (&self->mutex);
    atomic_store (&self->current, NULL);
    pthread_mutex_unlock (&self->mutex);
}

//  -- reload ----------------------------------------------------------------------

typedef struct {
    const char *wanted;             // One of the words; NULL: all, as text
    stele_pack_t *pack;
    size_t count, used;
    char text [500];
} s_changes_t;

static void
s_change (const char *what, const char *name, void *arg)
{
    s_changes_t *changes = arg;
    if (changes->wanted && strcmp (what, changes->wanted) == 0) {
        stele_pack_string (changes->pack, name);
        changes->count++;
    }
    if (!changes->wanted && changes->used < sizeof changes->text)
        changes->used += (size_t) snprintf (changes->text + changes->used, sizeof changes->text - changes->used, "%s%s %s",
            changes->used? ", ": "", what, name);
}

static void
s_pack_changes (stele_pack_t *pack, const stele_keyring_t *before, const stele_keyring_t *after)
{
    static const char *const words [] = { "added", "revoked", "changed" };
    for (size_t i = 0; i < sizeof words / sizeof words [0]; i++) {
        s_changes_t changes = { .wanted = words [i], .pack = pack };
        stele_pack_key (pack, words [i]);
        size_t mark = stele_pack_open_array (pack);
        stele_keyring_compare (before, after, s_change, &changes);
        stele_pack_close (pack, mark, changes.count);
    }
    stele_pack_key_integer (pack, "keys", (int64_t) stele_keyring_size (after));
}

int
stele_access_reload (stele_access_t *self, stele_pack_t *pack, stele_refusal_t *refusal)
{
    stele_keyring_t *fresh = stele_keyring_load (self->folder, refusal);
    if (!fresh) {
        stele_log_error ("keys_refused", "keys: nothing was changed, a revoked key is still let in: %s", refusal->message);
        return refusal->code;
    }
    pthread_mutex_lock (&self->mutex);
    stele_keyring_t *before = self->keyrings [self->keyring_count - 1];
    s_changes_t changes = { .text = "" };
    stele_keyring_compare (before, fresh, s_change, &changes);
    if (pack)
        s_pack_changes (pack, before, fresh);
    bool rekeyed = strcmp (stele_keyring_secret (fresh), stele_keyring_secret (self->keyrings [0])) != 0;
    size_t size = stele_keyring_size (fresh);
    //  Closed for good once the ZAP actor has ended
    if (changes.used && atomic_load (&self->current))
        s_publish (self, fresh);
    else
        stele_keyring_destroy (&fresh);
    pthread_mutex_unlock (&self->mutex);
    stele_log_info ("keys", "keys: %zu, %s%s", size, changes.used? changes.text: "nothing changed",
        changes.used >= sizeof changes.text? " ...": "");
    if (rekeyed)
        stele_log_warning ("restart_needed", "keys: the broker's own key has changed: it applies at the next start");
    return 0;
}

void
stele_access_pack_stats (stele_access_t *self, stele_pack_t *pack)
{
    stele_keyring_t *current = atomic_load (&self->current);
    stele_pack_map_begin (pack);
    stele_pack_key_integer (pack, "keys", current? (int64_t) stele_keyring_size (current): 0);
    stele_denials_pack (self->denials, pack);
    stele_pack_map_end (pack);
}
