/*  actor - start an actor, or report that no thread is available

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_ACTOR_H_INCLUDED
#define STELE_ACTOR_H_INCLUDED

#include <pthread.h>
#include <czmq.h>
#include <openssl/crypto.h>
#include "base/tsan.h"

typedef struct {
    zactor_fn *actor;
    void *args;
} stele_actor_start_t;

//  What libcrypto keeps for a thread would be freed at its very end, for which nobody waits
static inline void
stele_actor_run (zsock_t *pipe, void *args)
{
    stele_actor_start_t start = *(stele_actor_start_t *) args;
    STELE_TSAN_RELEASE (args);
    start.actor (pipe, start.args);
    OPENSSL_thread_stop ();
}

static inline void *
stele_actor_probe (void *arg)
{
    return arg;
}

/*  zactor_new, which would wait forever if the system cannot start a thread (limits of memory or
    threads): so try one first. NULL with errno if that fails. Caller owns return value. */
static inline zactor_t *
stele_actor_new (zactor_fn *actor, void *args)
{
    pthread_t thread;
    int rc = pthread_create (&thread, NULL, stele_actor_probe, NULL);
    if (rc) {
        errno = rc;
        return NULL;
    }
    pthread_join (thread, NULL);
    //  It is copied before zactor_new returns: that waits for the signal of the actor
    stele_actor_start_t start = { actor, args };
    zactor_t *self = zactor_new (stele_actor_run, &start);
    STELE_TSAN_ACQUIRE (&start);
    return self;
}

#endif
