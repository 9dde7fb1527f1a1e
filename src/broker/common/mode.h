/*  mode - the store that acks wait for: dual, sqlite, redis

      dual     the ledger, on stable storage; Redis follows (the default)
      sqlite   the ledger; Redis is not updated
      redis    Redis; the ledger is not written until another mode is set (ingest/redis_mode.h)

    The writer owns the mode. It pauses the cache follower, which follows in dual only.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_MODE_H_INCLUDED
#define STELE_MODE_H_INCLUDED

#include "broker/common/settings.h"

typedef enum { STELE_MODE_DUAL, STELE_MODE_SQLITE, STELE_MODE_REDIS, STELE_MODE_COUNT } stele_mode_t;

/*  The word of a mode; the mode of a word, or -1.                           */
const char *
    stele_mode_word (stele_mode_t mode);
int
    stele_mode_of (const char *word, size_t size);

/*  The mode that a broker with these settings starts in.                    */
stele_mode_t
    stele_mode_initial (const stele_settings_t *settings);

#endif
