/*  clock - read the wall clock and the monotonic clock

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLOCK_H_INCLUDED
#define STELE_CLOCK_H_INCLUDED

#include <stdint.h>
#include <time.h>

/*  Wall clock, microseconds since the Unix epoch: only for timestamps, since it may jump. */
static inline int64_t
stele_clock_us (void)
{
    struct timespec now;
    clock_gettime (CLOCK_REALTIME, &now);
    return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/*  Monotonic clock, microseconds: for waiting and measuring.                */
static inline int64_t
stele_clock_steady_us (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/*  The same in milliseconds, for time-outs and deadlines.                    */
static inline int64_t
stele_clock_steady_ms (void)
{
    return stele_clock_steady_us () / 1000;
}

/*  The same in nanoseconds, for durations below a microsecond.               */
static inline int64_t
stele_clock_steady_ns (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (int64_t) now.tv_sec * 1000000000 + now.tv_nsec;
}

#endif
