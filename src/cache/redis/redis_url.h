/*  redis_url - where Redis is, taken apart

      redis://[[user]:password@]host[:port][/db]     port 6379, db 0; [::1] for IPv6
      unix://[[user]:password@]/path.sock[?db=N]

    user and password may be percent-encoded.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_REDIS_URL_H_INCLUDED
#define STELE_REDIS_URL_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include "model/refusal.h"

typedef struct {
    bool local;                     // A Unix socket: .place is its path, else a host
    char place [256];
    int port;
    int db;
    char user [128];                // "" where there is none
    char password [256];            // "" where there is none
} stele_redis_url_t;

/*  Returns 0, or STELE_EINVALID_FIELD with a refusal that says what is wrong. */
int
    stele_redis_url_parse (stele_redis_url_t *self, const char *url, stele_refusal_t *refusal);

/*  As text for logs and statistics: without user and password. STELE_REDIS_URL_MAX
    bytes always suffice.                                                    */
#define STELE_REDIS_URL_MAX 320
void
    stele_redis_url_print (const stele_redis_url_t *self, char *text, size_t size_max);

#endif
