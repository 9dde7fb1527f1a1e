/*  id - ids as arguments of a program

    An id may hold a NUL, which an argument cannot: it is written \x00, and a backslash \x5c, which
    only matters before x00 or x5c. Every other character is unchanged.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLI_ID_H_INCLUDED
#define STELE_CLI_ID_H_INCLUDED

#include <jansson.h>

/*  The id of an argument. NULL: not UTF-8. Caller owns return value.        */
json_t *
    cli_id_read (const char *argument);

/*  The argument for an id; NULL if the value is not text. Caller frees return value. */
char *
    cli_id_argument (const json_t *id);

#endif
