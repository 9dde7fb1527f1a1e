/*  rate - a bound of requests per second: a bucket of tokens, as one number

    The bucket is full with HTTP_RATE_BURST seconds' worth of requests, and fills at the rate.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_HTTP_RATE_H_INCLUDED
#define STELE_HTTP_RATE_H_INCLUDED

#include <stdint.h>

#define HTTP_RATE_BURST 5           // Seconds' worth

/*  Steady clock: when the bucket will be full. Zeroed to begin with.        */
typedef struct {
    int64_t full_us;
} http_rate_t;

/*  Take one request out of the bucket. Returns 0, or the seconds after which there is one again. */
static inline int
http_rate_take (http_rate_t *self, int64_t per_second, int64_t now_us)
{
    int64_t each_us = 1000000 / per_second > 0? 1000000 / per_second: 1;
    int64_t full_us = (self->full_us > now_us? self->full_us: now_us) + each_us;
    int64_t wait_us = full_us - now_us - each_us * per_second * HTTP_RATE_BURST;
    if (wait_us > 0)
        return (int) ((wait_us + 999999) / 1000000);
    self->full_us = full_us;
    return 0;
}

#endif
