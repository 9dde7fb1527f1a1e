/*  rows - the rows of an answer, as raw JSON text

    Exports copy the text instead of parsing and printing it again: no number loses a digit, and
    the same rows give the same bytes.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLI_ROWS_H_INCLUDED
#define STELE_CLI_ROWS_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>

typedef struct {
    const char *next, *end;         // The rest of the answer
    bool inside;
} cli_rows_t;

/*  Start with the array 'key' of an answer: one JSON object on one line, as from
    stele_client_request_json.                                               */
cli_rows_t
    cli_rows_start (const char *answer, const char *key);

/*  The next element of the array, which must be an object; false: no more.  */
bool
    cli_rows_next (cli_rows_t *self, const char **row, size_t *size);

/*  Locate the member 'key' of an object, with its name and one comma, so that the text before
    and after it is the object without the member. False: there is none.     */
bool
    cli_rows_member (const char *row, size_t size, const char *key,
        const char **member, size_t *member_size);

/*  Text of the value of the member 'key'. False: there is none.             */
bool
    cli_rows_value (const char *row, size_t size, const char *key,
        const char **value, size_t *value_size);

#endif
