/*  fault - inject faults at marked places of the code

    Tests of durability must see what happens when a process dies, or
    a call fails, between any two steps. Two kinds of faults:

      points (points.h)   places in the code, marked with STELE_FAULT or STELE_FAULT_CODE, that
                          can kill or stop the process, wait, or return an error
      files (disk.h)      the calls that open, read, write, sync and truncate files, which can fail
                          or write in part, also inside SQLite

    Only in builds configured with --enable-fault-points. In other builds the marks expand to
    nothing: no call, no branch, no name.

    The environment variable STELE_FAULT has rules, separated by commas: NAME:ACTION, or
    NAME:ACTION:N for the N-th time that the place is passed (N+: from then on; without N:
    every time). NAME is a point; `steled --fault-points` lists them. Actions:

      kill        SIGKILL to this process
      exit        _exit (70)
      stop        SIGSTOP to this process, until it receives SIGCONT
      sleep=MS    wait
      hold=FILE   wait as long as that file exists
      error       return an I/O error, if the place can return one
      full, busy, nomem   return that error

    For example, STELE_FAULT=commit_before:kill:3 dies before the third commit. Each action
    except sleep and hold prints one line, "fault: NAME: ACTION", on stderr.

    The name of a control (points.h) alone switches it on. An unknown name or action ends the
    process with status 64: a typing error must not make a test pass.

    To add a point: a row in points.h, and the mark in the code. tests/fault runs the broker
    over every point, so that a new one is tested at once; STELE_FAULT_DISK is in disk.h.

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

/*  Pass a place. Returns 0, or the error of a matching rule. Any thread.    */
int
    stele_fault_hit (stele_fault_t point);

/*  Is the control switched on?                                              */
bool
    stele_fault_control (stele_control_t control);

/*  How often the place was passed.                                          */
unsigned long
    stele_fault_hits (stele_fault_t point);

/*  Replace all rules, and reset the counts; NULL or "": no rules. Returns 0, or -1 with the
    reason in 'error' and nothing changed. Not while other threads pass places. */
int
    stele_fault_set (const char *rules, char *error, size_t error_size);

/*  Print the names of all places, one per line; 'verbose': with descriptions. */
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
