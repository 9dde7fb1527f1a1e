/*  standing - whether this node of a shared log leads

    The writer sets it, and the threads that answer requests read it.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_STANDING_H_INCLUDED
#define STELE_STANDING_H_INCLUDED

#include <stdatomic.h>
#include <stdint.h>

typedef struct stele_standing {
    atomic_bool leads;
    _Atomic int64_t epoch;          // Of the last batch that this node knows, or that of its own lead
} stele_standing_t;

#endif
