/*  codes - numbers that rows hold and SQL text compares with

    They are stored: never renumber one. The codes of states and types are those of
    model/vocabulary.h.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CODES_H_INCLUDED
#define STELE_CODES_H_INCLUDED

//  Kinds of history rows
enum {
    STELE_HISTORY_CREATED = 1,
    STELE_HISTORY_UPDATED = 2,
    STELE_HISTORY_STATE_CHANGED = 3,
    STELE_HISTORY_INTERRUPTED = 4
};

//  Bits of task_states.flags
#define STELE_TASK_FLAG_CREATED     1
#define STELE_TASK_FLAG_STATED      2   // A state was given by an event
#define STELE_TASK_FLAG_INTERRUPTED 4

//  Positions in one row of the table zones; sql/002-zones.sql counts with it too
#define STELE_ZONE 1024

#endif
