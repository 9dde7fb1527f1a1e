/*  quote - untrusted text, made safe to show in a message

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <string.h>
#include "base/character.h"
#include "wire/quote.h"
#include "wire/scan.h"

#define QUOTE_MAX 40

const char *
stele_quote_within (char *buffer, size_t bytes_max, const char *text, size_t size)
{
    size_t shown = size < bytes_max? size: bytes_max;
    //  Truncate at a character boundary
    while (shown < size && shown > bytes_max - 4 && ((unsigned char) text [shown] & 0xc0) == 0x80)
        shown--;
    bool valid = stele_utf8_valid (text, shown);
    size_t used = 0;
    for (size_t i = 0; i < shown; ) {
        uint32_t code = (unsigned char) text [i];
        size_t length = valid? stele_character_decode (text + i, shown - i, &code): 1;
        bool plain = !stele_character_is_control (code) && !stele_character_is_hidden (code) && (valid || code < 0x80);
        if (plain)
            memcpy (buffer + used, text + i, length);
        else
            buffer [used] = '?';
        used += plain? length: 1;
        i += length;
    }
    memcpy (buffer + used, shown < size? "...": "", shown < size? 4: 1);
    return buffer;
}

const char *
stele_quote (char buffer [STELE_QUOTE_SIZE], const char *text, size_t size)
{
    return stele_quote_within (buffer, QUOTE_MAX, text, size);
}
