/*  quote - untrusted text, made safe to show in a message

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_QUOTE_H_INCLUDED
#define STELE_QUOTE_H_INCLUDED

#include <stddef.h>

/*  Always enough for stele_quote                                            */
#define STELE_QUOTE_SIZE 48

/*  Copy the first 40 bytes or so as valid UTF-8, with "?" for control characters and those that
    are invisible or reorder a line (base/character.h), and "..." if truncated. Returns the buffer.                                           */
const char *
    stele_quote (char buffer [STELE_QUOTE_SIZE], const char *text, size_t size);

/*  The same with at most 'bytes_max' bytes of the text (at least 4); the buffer holds 4 more. */
const char *
    stele_quote_within (char *buffer, size_t bytes_max, const char *text, size_t size);

#endif
