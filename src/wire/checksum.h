/*  checksum - detect damaged bytes in the files of Stele

    CRC-32 of zlib.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CHECKSUM_H_INCLUDED
#define STELE_CHECKSUM_H_INCLUDED

#include <stddef.h>
#include <stdint.h>

/*  Checksum of bytes that follow those with checksum 'before' (0: none).    */
uint32_t
    stele_checksum (uint32_t before, const void *data, size_t size);

#endif
