/*  character - characters of UTF-8, and those that must not reach a terminal

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <string.h>
#include "base/character.h"

size_t
stele_character_decode (const char *text, size_t size, uint32_t *code)
{
    static const uint32_t smallest [] = { 0, 0, 0x80, 0x800, 0x10000 };
    const unsigned char *bytes = (const unsigned char *) text;
    size_t length = bytes [0] < 0x80? 1: bytes [0] < 0xc2? 0: bytes [0] < 0xe0? 2:
                    bytes [0] < 0xf0? 3: bytes [0] < 0xf5? 4: 0;
    if (length == 0 || length > size)
        return 0;
    uint32_t decoded = length == 1? bytes [0]: bytes [0] & (0x7f >> length);
    for (size_t i = 1; i < length; i++) {
        if ((bytes [i] & 0xc0) != 0x80)
            return 0;
        decoded = decoded << 6 | (bytes [i] & 0x3f);
    }
    if (decoded < smallest [length] || decoded > 0x10ffff || (decoded >= 0xd800 && decoded < 0xe000))
        return 0;
    *code = decoded;
    return length;
}

void
stele_character_mend (char *text)
{
    uint32_t code;
    for (size_t size = strlen (text), length; size; text += length, size -= length)
        if ((length = stele_character_decode (text, size, &code)) == 0) {
            *text = '?';
            length = 1;
        }
}

bool
stele_character_is_control (uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0);
}

bool
stele_character_is_hidden (uint32_t code)
{
    static const struct { uint32_t first, last; } hidden [] = {
        { 0xad, 0xad }, { 0x61c, 0x61c }, { 0x180e, 0x180e },
        { 0x200b, 0x200b }, { 0x200e, 0x200f }, { 0x2028, 0x202e }, { 0x2060, 0x206f },
        { 0xfeff, 0xfeff }, { 0xfff9, 0xfffb }, { 0xe0000, 0xe0fff }
    };
    for (size_t i = 0; i < sizeof hidden / sizeof hidden [0]; i++)
        if (code >= hidden [i].first && code <= hidden [i].last)
            return true;
    return false;
}
