/*  base64 - RFC 4648 section 4, strict: padded, no other characters

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_BASE64_H_INCLUDED
#define STELE_BASE64_H_INCLUDED

#include <stddef.h>

/*  Size of the text of 'size' bytes                                         */
#define STELE_BASE64_SIZE(size) (((size) + 2) / 3 * 4)

/*  Writes STELE_BASE64_SIZE (size) characters, without a NUL; returns that number. */
size_t
    stele_base64_encode (const void *bytes, size_t size, char *text);

/*  Writes at most size / 4 * 3 bytes and returns their number, -1 if the text is not base64. */
ptrdiff_t
    stele_base64_decode (const char *text, size_t size, void *bytes);

#endif
