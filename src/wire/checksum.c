/*  checksum - detect damaged bytes in the files of Stele

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <zlib.h>
#include "wire/checksum.h"

uint32_t
stele_checksum (uint32_t before, const void *data, size_t size)
{
    return (uint32_t) crc32_z (before, data, size);
}
