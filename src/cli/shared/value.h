/*  value - fields of an answer as people read them

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLI_VALUE_H_INCLUDED
#define STELE_CLI_VALUE_H_INCLUDED

#include <jansson.h>
#include "cli/terminal/table.h"

/*  Text of a string field, NULL where it is absent or no string.            */
const char *
    cli_value_string (const json_t *record, const char *key);

/*  Time of a field in microseconds; false where it is absent or no time.     */
bool
    cli_value_time (const json_t *record, const char *key, int64_t *time_us);

/*  Content: text, or bytes in the form {"$bin":base64}. Caller frees return value,
    which is terminated with a NUL that is not counted; NULL for anything else. */
char *
    cli_value_content (const json_t *value, size_t *size);

/*  Any value as text for a page: numbers rounded and grouped, and by the name of the
    key *_bytes and *_size as a size, *_ms and *_us and *_s as a duration; times to
    the second; maps as JSON. Caller frees return value.                      */
char *
    cli_value_text (const char *key, const json_t *value, size_t *size);

/*  -- cells of a table ----------------------------------------------------------- */

/*  The field as it is; numbers without decoration, maps as JSON.            */
void
    cli_cell (cli_table_t *table, const json_t *record, const char *key);

/*  A time to the second; a state in its colour; size and duration.          */
void
    cli_cell_time (cli_table_t *table, const json_t *record, const char *key);
void
    cli_cell_state (cli_table_t *table, const json_t *record, const char *key);
void
    cli_cell_duration (cli_table_t *table, int64_t duration_us);

/*  Beginning of a content: its first line that is not empty, without the space around. */
void
    cli_cell_preview (cli_table_t *table, const json_t *record, const char *key);

/*  Size of a content.                                                       */
void
    cli_cell_content_size (cli_table_t *table, const json_t *record, const char *key);

#endif
