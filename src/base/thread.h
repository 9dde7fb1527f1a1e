/*  thread - start, name and prioritize the broker's threads

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_THREAD_H_INCLUDED
#define STELE_THREAD_H_INCLUDED

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/resource.h>

/*  Name this thread for ps -L and top -H: at most 15 characters.            */
static inline void
stele_thread_name (const char *name)
{
    prctl (PR_SET_NAME, name);
}

/*  Start a thread that blocks all signals. False: not started.              */
static inline bool
stele_thread_start (pthread_t *thread, void *(*run) (void *), void *arg)
{
    sigset_t all, before;
    sigfillset (&all);
    pthread_sigmask (SIG_SETMASK, &all, &before);
    bool started = pthread_create (thread, NULL, run, arg) == 0;
    pthread_sigmask (SIG_SETMASK, &before, NULL);
    return started;
}

/*  Lower the priority of this thread by 'nice', where the system supports it. */
static inline void
stele_thread_nice (int nice)
{
#ifdef __linux__
    setpriority (PRIO_PROCESS, 0, nice);
#else
    (void) nice;
#endif
}

#endif
