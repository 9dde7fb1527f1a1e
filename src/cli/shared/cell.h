/*  cell - fields of an answer as cells of a table

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLI_CELL_H_INCLUDED
#define STELE_CLI_CELL_H_INCLUDED

#include <jansson.h>
#include "cli/terminal/table.h"

/*  The field as it is; numbers without decoration, maps as JSON.            */
void
    cli_cell (cli_table_t *table, const json_t *record, const char *key);

/*  A time to the second; a state in its colour; a duration.                 */
void
    cli_cell_time (cli_table_t *table, const json_t *record, const char *key);
/*  How long ago a time is, empty for one in the future.                     */
void
    cli_cell_age (cli_table_t *table, const json_t *record, const char *key);
void
    cli_cell_state (cli_table_t *table, const json_t *record, const char *key);
void
    cli_cell_duration (cli_table_t *table, int64_t duration_us);

/*  First non-empty line of a content, without surrounding space.            */
void
    cli_cell_preview (cli_table_t *table, const json_t *record, const char *key);

/*  Size of a content.                                                       */
void
    cli_cell_content_size (cli_table_t *table, const json_t *record, const char *key);

#endif
