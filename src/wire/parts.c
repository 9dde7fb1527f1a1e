/*  parts - versions of the libraries that only this room uses

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <jansson.h>
#include <msgpack.h>
#include "wire/wire_parts.h"

const char *
stele_msgpack_version (void)
{
    return msgpack_version ();
}

const char *
stele_jansson_version (void)
{
    return jansson_version_str ();
}
