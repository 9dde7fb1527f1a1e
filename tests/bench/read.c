/*  read - to come

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "bench.h"

void bench_read (bench_t *self, bench_broker_t *broker, int64_t tasks, uint64_t seed) { (void) self; (void) broker; (void) tasks; (void) seed; }
