/*  fault - faults on purpose, in builds that were configured for them

    With --enable-fault-points a place in the code that is marked with STELE_FAULT
    can be made to kill the process, to stop it, to wait, or to return an
    error. Without it the marks are nothing: no call, no branch, no name.

    STELE_FAULT in the environment says what is to happen, in rules separated by
    commas: NAME:ACTION, or NAME:ACTION:N for the N-th time that the place is
    passed (N+: from then on; without N: each time). Actions:

      kill        SIGKILL to the own process
      exit        _exit (70)
      stop        SIGSTOP to the own process, until somebody sends SIGCONT
      sleep=MS    wait
      error       return an I/O error, where the place can return one
      full, busy, nomem   return that error

    The name of a control (points.h) alone switches it on. An unknown name or
    action ends the process with status 64: a test must not pass because of a typing error.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_FAULT_H_INCLUDED
#define STELE_FAULT_H_INCLUDED

#include <stdbool.h>

#ifdef STELE_WITH_FAULTS

#include <stddef.h>
#include <stdio.h>
#include "fault/points.h"
#include "stele_library.h"

typedef enum {
#define STELE_FAULT_ENUM(name, returns, text) STELE_FAULT_AT_##name,
    STELE_FAULT_POINTS (STELE_FAULT_ENUM)
#undef STELE_FAULT_ENUM
    STELE_FAULT_COUNT
} stele_fault_t;

typedef enum {
#define STELE_CONTROL_ENUM(name, text) STELE_CONTROL_IS_##name,
    STELE_CONTROLS (STELE_CONTROL_ENUM)
#undef STELE_CONTROL_ENUM
    STELE_CONTROL_COUNT
} stele_control_t;

/*  Pass a place. Returns 0, or the error that the rule asks for. Any thread. */
int
    stele_fault_hit (stele_fault_t point);

/*  Is the control switched on?                                              */
bool
    stele_fault_control (stele_control_t control);

/*  How often the place was passed.                                          */
unsigned long
    stele_fault_hits (stele_fault_t point);

/*  Replace all rules, and count from 0 again; NULL or "": none. Returns 0, or -1 with
    the reason in 'error': then nothing has changed. Not while other threads pass places. */
int
    stele_fault_set (const char *rules, char *error, size_t error_size);

/*  The names of all places, one a line; 'verbose': each with its description.  */
STELE_EXPORT void
    stele_fault_list (FILE *file, bool verbose);

#define STELE_FAULT(name)      ((void) stele_fault_hit (STELE_FAULT_AT_##name))
#define STELE_FAULT_CODE(name) stele_fault_hit (STELE_FAULT_AT_##name)
#define STELE_CONTROL(name)    stele_fault_control (STELE_CONTROL_IS_##name)

#else

#define STELE_FAULT(name)      ((void) 0)
#define STELE_FAULT_CODE(name) 0
#define STELE_CONTROL(name)    false

#endif

#endif
