/*  json_quick - canonical JSON text to msgpack, without a tree

    For text that the broker wrote and whose checksum was verified (segments of a backup). It does not check everything
    that stele_json_parse_pack does: duplicate keys and UTF-8 are checked where the msgpack is decoded.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_JSON_QUICK_H_INCLUDED
#define STELE_JSON_QUICK_H_INCLUDED

#include <stdbool.h>
#include "wire/pack.h"

/*  Pack one JSON value. False: it is not JSON without spaces, or it has something rare (a key that begins with "$", an
    integer of more than 18 digits, \u above 7f): nothing was packed, use stele_json_parse_pack. */
bool
    stele_json_quick_pack (const char *text, size_t size, stele_pack_t *pack);

#endif
