/*  actor - start an actor, or say that there is no thread for it

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_ACTOR_H_INCLUDED
#define STELE_ACTOR_H_INCLUDED

#include <pthread.h>
#include <czmq.h>
#include "base/tsan.h"

static inline void *
stele_actor_probe (void *arg)
{
    return arg;
}

/*  zactor_new, which waits for ever where the system gives no thread (a limit of memory or of
    tasks): so one is tried first. NULL: none, errno says why. Caller owns return value. */
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
    return zactor_new (actor, args);
}

#endif
