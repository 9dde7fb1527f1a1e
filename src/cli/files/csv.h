/*  csv - records as lines of RFC 4180

    Lines end with CR LF, a field that needs it is quoted, quotes in it are doubled,
    and the first line names the columns. An absent value is empty, an empty text is
    a pair of quotes.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLI_CSV_H_INCLUDED
#define STELE_CLI_CSV_H_INCLUDED

#include <stdio.h>
#include <jansson.h>

/*  Columns of a record, ended by NULL. A column NAME_encoding says 'base64' where the
    column NAME holds bytes; the column extra holds, as a JSON object, what the
    record has beside the columns before it.                                 */
typedef const char *const cli_csv_columns_t [];

void
    cli_csv_header (FILE *file, cli_csv_columns_t columns);

/*  One record, as the text of its row and as its values.                    */
void
    cli_csv_row (FILE *file, cli_csv_columns_t columns, const char *row, size_t size,
        json_t *record);

#endif
