/*  announcement - what the writer publishes to the followers, as bytes on inproc "head"

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_ANNOUNCEMENT_H_INCLUDED
#define STELE_ANNOUNCEMENT_H_INCLUDED

#include <stdint.h>

typedef struct {
    int64_t head;                   // Of the ledger
    int64_t leads;                  // 1; 0: this node follows a shared log
    int64_t epoch;                  // Of the shared log while this node leads; otherwise 0
} stele_announcement_t;

#endif
