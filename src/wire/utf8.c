/*  utf8 - validate UTF-8

    RFC 3629, section 4: the table of well-formed byte sequences.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <string.h>
#include "wire/scan.h"

//  Size of the sequence at 'at', 0 if invalid
static size_t
s_sequence (const unsigned char *at, size_t left)
{
    unsigned first = at [0];
    unsigned low = 0x80;            // Bounds of the second byte: no overlong forms, no
    unsigned high = 0xbf;           // surrogates, nothing above U+10FFFF
    size_t size;
    if (first < 0x80)
        return 1;
    if (first < 0xc2 || first > 0xf4)
        return 0;
    if (first < 0xe0)
        size = 2;
    else
    if (first < 0xf0) {
        size = 3;
        low = first == 0xe0? 0xa0: low;
        high = first == 0xed? 0x9f: high;
    }
    else {
        size = 4;
        low = first == 0xf0? 0x90: low;
        high = first == 0xf4? 0x8f: high;
    }
    if (left < size || at [1] < low || at [1] > high)
        return 0;
    for (size_t i = 2; i < size; i++)
        if ((at [i] & 0xc0) != 0x80)
            return 0;
    return size;
}

bool
stele_utf8_valid (const char *text, size_t size)
{
    const unsigned char *next = (const unsigned char *) text;
    size_t left = size;
    while (left) {
        //  Most text is ASCII: eight bytes at a time
        uint64_t word;
        if (left >= sizeof word) {
            memcpy (&word, next, sizeof word);
            if ((word & UINT64_C (0x8080808080808080)) == 0) {
                next += sizeof word;
                left -= sizeof word;
                continue;
            }
        }
        size_t bytes = s_sequence (next, left);
        if (bytes == 0)
            return false;
        next += bytes;
        left -= bytes;
    }
    return true;
}
