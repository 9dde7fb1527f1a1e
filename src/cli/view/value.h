/*  value - fields of an answer as people read them

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLI_VALUE_H_INCLUDED
#define STELE_CLI_VALUE_H_INCLUDED

#include <stdbool.h>
#include <stdint.h>
#include <jansson.h>
#include "cli/terminal/format.h"

/*  Text of a string field, NULL if it is absent or not a string.            */
const char *
    cli_value_string (const json_t *record, const char *key);

/*  Time of a field in microseconds; false if it is absent or not a time.     */
bool
    cli_value_time (const json_t *record, const char *key, int64_t *time_us);

/*  A number, also in the forms {"$uint":digits} and {"$float":"NaN"} (doc/PROTOCOL.md section 10),
    rounded to a double; false if it is none.                                */
bool
    cli_value_number (const json_t *value, double *number);

/*  A number with all of its digits, in all of these forms; "" if it is none. */
cli_short_t
    cli_value_number_text (const json_t *value);

/*  Flag of json_dumps for the reals in a value: 15 digits if they read back the same, else 17. */
size_t
    cli_value_precision (const json_t *value);

/*  Is the value bytes, in the form {"$bin":base64}?                         */
bool
    cli_value_is_bytes (const json_t *value);

/*  Content: text or bytes. Caller frees return value, which is terminated with a NUL that is
    not counted; NULL for anything else.                                     */
char *
    cli_value_content (const json_t *value, size_t *size);

/*  Any value as text for a page: numbers rounded and grouped, with the unit that their key names
    (*_bytes and *_size a size; *_us, *_ms, *_s and seconds a duration; consistent a share); times
    to the second; maps as JSON. Caller frees return value.                  */
char *
    cli_value_text (const char *key, const json_t *value, size_t *size);

/*  Replace the array of texts that a field has by one text, the words separated by spaces. */
void
    cli_value_join (json_t *record, const char *key);

#endif
