/*  denials - count and log accesses that were denied

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <pthread.h>
#include "base/clock.h"
#include "base/memory.h"
#include "broker/access/denials.h"
#include "broker/common/log.h"

#define QUIET_US    60000000
//  Of peers that were logged in the last minute: further ones are counted only
#define PEERS_MAX   100
#define MINUTES     10

typedef struct {
    char name [STELE_LIMIT_ID + 1];
    int64_t logged_us;              // Steady clock; 0: free
    int64_t unlogged;               // Denials since then
} s_peer_t;

struct stele_denials {
    pthread_mutex_t mutex;
    int64_t counts [STELE_DENIAL_COUNT];
    int64_t lately [MINUTES];       // By minute of the steady clock, modulo their number
    int64_t minute;                 // Of the latest
    s_peer_t peers [PEERS_MAX];
};

stele_denials_t *
stele_denials_new (void)
{
    stele_denials_t *self = STELE_NEW (stele_denials_t);
    pthread_mutex_init (&self->mutex, NULL);
    return self;
}

void
stele_denials_destroy (stele_denials_t **self_p)
{
    if (!*self_p)
        return;
    pthread_mutex_destroy (&(*self_p)->mutex);
    free (*self_p);
    *self_p = NULL;
}

//  Forget minutes that have passed
static void
s_advance (stele_denials_t *self, int64_t now_us)
{
    int64_t minute = now_us / QUIET_US;
    for (int i = 0; i < MINUTES && self->minute < minute; i++)
        self->lately [++self->minute % MINUTES] = 0;
    self->minute = minute;
}

//  Should it be logged, and how many were not logged before it?
static bool
s_is_due (stele_denials_t *self, const char *name, int64_t now_us, int64_t *unlogged)
{
    s_peer_t *free_one = NULL;
    for (int i = 0; i < PEERS_MAX; i++) {
        s_peer_t *peer = &self->peers [i];
        bool quiet = peer->logged_us && now_us - peer->logged_us < QUIET_US;
        if (peer->logged_us && strncmp (peer->name, name, sizeof peer->name - 1) == 0) {
            if (quiet) {
                peer->unlogged++;
                return false;
            }
            *unlogged = peer->unlogged;
            peer->unlogged = 0;
            peer->logged_us = now_us;
            return true;
        }
        if (!quiet && !free_one)
            free_one = peer;
    }
    if (!free_one)
        return false;
    snprintf (free_one->name, sizeof free_one->name, "%s", name);
    free_one->logged_us = now_us;
    free_one->unlogged = 0;
    return true;
}

void
stele_denials_note (stele_denials_t *self, stele_denial_t denial, const char *peer, const char *text)
{
    int64_t now_us = stele_clock_steady_us (), unlogged = 0;
    pthread_mutex_lock (&self->mutex);
    self->counts [denial]++;
    s_advance (self, now_us);
    self->lately [self->minute % MINUTES]++;
    bool due = s_is_due (self, peer, now_us, &unlogged);
    pthread_mutex_unlock (&self->mutex);
    char more [80] = "";
    if (unlogged)
        snprintf (more, sizeof more, " (%lld more since the last line)", (long long) unlogged);
    if (due)
        stele_log_warning ("access_denied", "access denied: %s%s", text, more);
}

void
stele_denials_pack (stele_denials_t *self, stele_pack_t *pack)
{
    int64_t counts [STELE_DENIAL_COUNT], lately = 0;
    pthread_mutex_lock (&self->mutex);
    memcpy (counts, self->counts, sizeof counts);
    s_advance (self, stele_clock_steady_us ());
    for (int i = 0; i < MINUTES; i++)
        lately += self->lately [i];
    pthread_mutex_unlock (&self->mutex);
    stele_pack_key (pack, "denied");
    stele_pack_map_begin (pack);
#define S_PACK(constant, key) stele_pack_key_integer (pack, key, counts [STELE_DENIED_##constant]);
    STELE_DENIALS (S_PACK)
#undef S_PACK
    stele_pack_map_end (pack);
    stele_pack_key_integer (pack, "denied_lately", lately);
}
