/*  fork - detect that this process is a child of the one that created a client

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <pthread.h>
#include "client/connection/fork.h"

static int s_generation;
static pthread_once_t s_once = PTHREAD_ONCE_INIT;

static void
s_forked (void)
{
    s_generation++;
}

static void
s_watch (void)
{
    int rc = pthread_atfork (NULL, NULL, s_forked);
    assert (rc == 0);
}

int
stele_fork_generation (void)
{
    //  Cheaper than getpid, which is a system call, for each event
    pthread_once (&s_once, s_watch);
    return s_generation;
}
