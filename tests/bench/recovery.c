/*  recovery - to come

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "bench.h"

void bench_recovery (bench_t *self, bench_broker_t *broker, bench_redis_t *redis, uint64_t seed) { (void) self; (void) broker; (void) redis; (void) seed; }
