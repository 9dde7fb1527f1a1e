/*  character - characters of UTF-8, and those that must not reach a terminal

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CHARACTER_H_INCLUDED
#define STELE_CHARACTER_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*  Decode the first character of a text that is not empty. Returns its size in bytes, 0 if it is not
    UTF-8.                                                                   */
size_t
    stele_character_decode (const char *text, size_t size, uint32_t *code);

/*  Replace each byte that is not of UTF-8, such as of a character that was cut, with '?'. */
void
    stele_character_mend (char *text);

/*  A control character: C0, DEL or C1?                                      */
bool
    stele_character_is_control (uint32_t code);

/*  A character that is invisible or reorders the line: direction marks, overrides and isolates, line
    separators, tags, zero-width ones? Not the joiner (U+200D): some scripts need it. */
bool
    stele_character_is_hidden (uint32_t code);

#endif
