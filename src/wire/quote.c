/*  quote - untrusted text, made safe to show in a message

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <string.h>
#include "wire/quote.h"
#include "wire/scan.h"

#define QUOTE_MAX 40

const char *
stele_quote (char buffer [STELE_QUOTE_SIZE], const char *text, size_t size)
{
    size_t shown = size < QUOTE_MAX? size: QUOTE_MAX;
    //  Truncate at a character boundary
    while (shown < size && shown > QUOTE_MAX - 4 && ((unsigned char) text [shown] & 0xc0) == 0x80)
        shown--;
    if (shown)
        memcpy (buffer, text, shown);
    bool valid = stele_utf8_valid (buffer, shown);
    for (size_t i = 0; i < shown; i++) {
        unsigned char byte = (unsigned char) buffer [i];
        if (byte < 0x20 || byte == 0x7f || (byte > 0x7f && !valid))
            buffer [i] = '?';
    }
    memcpy (buffer + shown, shown < size? "...": "", shown < size? 4: 1);
    return buffer;
}
