/*  mode - the store that acks wait for: dual, sqlite, redis

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <czmq.h>
#include "broker/common/mode.h"

static const char *const s_words [STELE_MODE_COUNT] = { "dual", "sqlite", "redis" };

const char *
stele_mode_word (stele_mode_t mode)
{
    return s_words [mode];
}

int
stele_mode_of (const char *word, size_t size)
{
    for (int mode = 0; mode < STELE_MODE_COUNT; mode++)
        if (strlen (s_words [mode]) == size && memcmp (s_words [mode], word, size) == 0)
            return mode;
    return -1;
}

stele_mode_t
stele_mode_initial (const stele_settings_t *settings)
{
    int mode = stele_mode_of (settings->mode, strlen (settings->mode));
    if (streq (settings->redis, "none") || mode < 0)
        return STELE_MODE_SQLITE;
    return (stele_mode_t) mode;
}
