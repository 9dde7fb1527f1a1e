/*  redis_keys - read the keys that an earlier system left in a Redis; writes nothing

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_REDIS_KEYS_H_INCLUDED
#define STELE_REDIS_KEYS_H_INCLUDED

#include <stddef.h>
#include <stdint.h>

typedef struct {
    const char *key;
    size_t key_size;
    const char *text;               // Its string; NULL: a key of another type
    size_t size;
    int64_t expires_ms;             // Unix time; 0: never
} stele_redis_key_t;

typedef int (stele_redis_key_fn) (const stele_redis_key_t *key, void *arg);

/*  Call fn for every key that matches the pattern, in the order of the keys' bytes, each once,
    until it returns non-zero. Keys that expire meanwhile are skipped, and so are those of a broker of
    Stele (PREFIX:ledger, PREFIX:position and everything else of its prefix). Returns 0, what fn
    returned, STELE_EINVALID_FIELD (the URL) or STELE_EUNAVAILABLE, with the reason in 'error'. */
int
    stele_redis_keys (const char *url, const char *pattern, int timeout_ms,
        stele_redis_key_fn *fn, void *arg, char *error, size_t error_size);

#endif
