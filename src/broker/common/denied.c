/*  denied - count refused access per peer, until it is recorded

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <czmq.h>
#include "base/character.h"
#include "base/clock.h"
#include "base/memory.h"
#include "broker/common/denied.h"

#define OTHERS "others"

typedef struct {
    stele_denied_peer_t denial;          // count 0: nothing since the last event
    int64_t due_us;                 // Steady clock: no event before that
    bool stranger;                  // It is one of the first strangers
} s_entry_t;

struct stele_denied {
    pthread_mutex_t mutex;
    _Atomic bool any;               // There are entries: the writer looks without the mutex
    zhashx_t *entries;              // By identity and address
    int strangers;                  // Of them, those of STELE_DENIED_STRANGER with an address of their own
};

static void
s_free (void **item_p)
{
    free (*item_p);
    *item_p = NULL;
}

stele_denied_t *
stele_denied_new (void)
{
    stele_denied_t *self = STELE_NEW (stele_denied_t);
    self->entries = zhashx_new ();
    assert (self->entries);
    zhashx_set_destructor (self->entries, s_free);
    int rc = pthread_mutex_init (&self->mutex, NULL);
    assert (rc == 0);
    return self;
}

void
stele_denied_destroy (stele_denied_t **self_p)
{
    assert (self_p);
    stele_denied_t *self = *self_p;
    if (!self)
        return;
    zhashx_destroy (&self->entries);
    pthread_mutex_destroy (&self->mutex);
    free (self);
    *self_p = NULL;
}

//  As UTF-8, cut to the size: an event with anything else could not be recorded
static void
s_copy (char *text, size_t size, const char *from)
{
    snprintf (text, size, "%s", from);
    stele_character_mend (text);
}

static s_entry_t *
s_add (stele_denied_t *self, const char *key, const char *who)
{
    s_entry_t *entry = STELE_NEW (s_entry_t);
    s_copy (entry->denial.who, sizeof entry->denial.who, who);
    zhashx_insert (self->entries, key, entry);
    return entry;
}

//  The entry of all strangers beyond the first ones. The address is that of the last one, as its message is.
static s_entry_t *
s_entry_of_strangers (stele_denied_t *self, const char *peer)
{
    s_entry_t *entry = zhashx_lookup (self->entries, STELE_DENIED_STRANGER);
    if (!entry)
        entry = s_add (self, STELE_DENIED_STRANGER, STELE_DENIED_STRANGER);
    s_copy (entry->denial.peer, sizeof entry->denial.peer, peer);
    return entry;
}

//  The entry of that peer; when there is no room for one more, that of all others
static s_entry_t *
s_entry (stele_denied_t *self, const char *who, const char *peer)
{
    bool stranger = strcmp (who, STELE_DENIED_STRANGER) == 0;
    char key [sizeof ((stele_denied_peer_t *) 0)->who + sizeof ((stele_denied_peer_t *) 0)->peer];
    snprintf (key, sizeof key, "%.63s %.255s", peer, who);
    s_entry_t *entry = zhashx_lookup (self->entries, key);
    if (!entry && stranger && self->strangers >= STELE_DENIED_STRANGERS)
        return s_entry_of_strangers (self, peer);
    if (!entry && zhashx_size (self->entries) >= STELE_DENIED_PEERS) {
        stranger = false;
        snprintf (key, sizeof key, "%s", OTHERS);
        who = OTHERS;
        peer = "";
        entry = zhashx_lookup (self->entries, key);
    }
    if (entry)
        return entry;
    entry = s_add (self, key, who);
    s_copy (entry->denial.peer, sizeof entry->denial.peer, peer);
    entry->stranger = stranger;
    self->strangers += stranger;
    return entry;
}

void
stele_denied_note (stele_denied_t *self, const char *who, const char *peer, const char *operation,
    const stele_refusal_t *refusal)
{
    pthread_mutex_lock (&self->mutex);
    stele_denied_peer_t *denial = &s_entry (self, who, peer? peer: "")->denial;
    denial->last_us = stele_clock_us ();
    if (denial->count++ == 0)
        denial->first_us = denial->last_us;
    denial->code = refusal->code;
    s_copy (denial->operation, sizeof denial->operation, operation);
    s_copy (denial->message, sizeof denial->message, refusal->message);
    atomic_store (&self->any, true);
    pthread_mutex_unlock (&self->mutex);
}

bool
stele_denied_take (stele_denied_t *self, int64_t now_us, stele_denied_peer_t *denial)
{
    if (!atomic_load (&self->any))
        return false;
    bool taken = false;
    pthread_mutex_lock (&self->mutex);
    zlistx_t *quiet = zlistx_new ();
    assert (quiet);
    s_entry_t *entry = zhashx_first (self->entries);
    for (; entry && !taken; entry = zhashx_next (self->entries)) {
        if (entry->due_us > now_us)
            continue;
        if (entry->denial.count == 0) {
            zlistx_add_end (quiet, (void *) zhashx_cursor (self->entries));
            self->strangers -= entry->stranger;
            continue;
        }
        *denial = entry->denial;
        entry->denial.count = 0;
        entry->due_us = now_us + STELE_DENIED_US;
        taken = true;
    }
    for (const void *key = zlistx_first (quiet); key; key = zlistx_next (quiet))
        zhashx_delete (self->entries, key);
    zlistx_destroy (&quiet);
    atomic_store (&self->any, zhashx_size (self->entries) > 0);
    pthread_mutex_unlock (&self->mutex);
    return taken;
}
