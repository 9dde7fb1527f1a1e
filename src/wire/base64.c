/*  base64 - RFC 4648 section 4, strict: padded, no other characters

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "wire/base64.h"

static const char s_alphabet [] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t
stele_base64_encode (const void *bytes, size_t size, char *text)
{
    const unsigned char *next = bytes;
    char *start = text;
    for (size_t left = size; left > 0;) {
        size_t group = left < 3? left: 3;
        unsigned bits = (unsigned) next [0] << 16;
        bits |= group > 1? (unsigned) next [1] << 8: 0;
        bits |= group > 2? next [2]: 0;
        *text++ = s_alphabet [bits >> 18];
        *text++ = s_alphabet [bits >> 12 & 63];
        *text++ = group > 1? s_alphabet [bits >> 6 & 63]: '=';
        *text++ = group > 2? s_alphabet [bits & 63]: '=';
        next += group;
        left -= group;
    }
    return (size_t) (text - start);
}

static int
s_digit (char digit)
{
    if (digit >= 'A' && digit <= 'Z')
        return digit - 'A';
    if (digit >= 'a' && digit <= 'z')
        return digit - 'a' + 26;
    if (digit >= '0' && digit <= '9')
        return digit - '0' + 52;
    return digit == '+'? 62: digit == '/'? 63: -1;
}

ptrdiff_t
stele_base64_decode (const char *text, size_t size, void *bytes)
{
    unsigned char *next = bytes;
    if (size % 4)
        return -1;
    for (size_t at = 0; at < size; at += 4) {
        int padding = 0;
        if (at + 4 == size)
            padding = text [at + 3] != '='? 0: text [at + 2] != '='? 1: 2;
        unsigned bits = 0;
        for (int i = 0; i < 4; i++) {
            int digit = i >= 4 - padding? 0: s_digit (text [at + (size_t) i]);
            if (digit < 0)
                return -1;
            bits = bits << 6 | (unsigned) digit;
        }
        //  Bits after the last byte must be zero, so that each value has one text
        if (bits & ((1u << (8 * padding)) - 1))
            return -1;
        for (int i = 0; i < 3 - padding; i++)
            *next++ = (unsigned char) (bits >> (16 - 8 * i));
    }
    return next - (unsigned char *) bytes;
}
