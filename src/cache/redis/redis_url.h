/*  redis_url - parse the URL of a Redis server

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
    bool local;                     // Unix socket
    char place [256];               // Path of the socket, or host
    int port;
    int db;
    char user [128];                // "": none
    char password [256];            // "": none
} stele_redis_url_t;

/*  Returns 0, or STELE_EINVALID_FIELD with a refusal.                         */
int
    stele_redis_url_parse (stele_redis_url_t *self, const char *url, stele_refusal_t *refusal);

/*  Print it without user and password, for logs and statistics. STELE_REDIS_URL_MAX
    bytes always suffice.                                                    */
#define STELE_REDIS_URL_MAX 320
void
    stele_redis_url_print (const stele_redis_url_t *self, char *text, size_t size_max);

#endif
