/*  quote - a stranger's text inside a message for a person

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_QUOTE_H_INCLUDED
#define STELE_QUOTE_H_INCLUDED

#include <stddef.h>

/*  Enough for what stele_quote writes                                       */
#define STELE_QUOTE_SIZE 48

/*  The first 40 bytes or so as valid UTF-8 without control characters, "..." where
    that was not all. Returns the buffer.                                    */
const char *
    stele_quote (char buffer [STELE_QUOTE_SIZE], const char *text, size_t size);

#endif
