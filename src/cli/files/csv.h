/*  csv - records as lines of RFC 4180

    Lines end with CR LF, fields are quoted if needed, quotes in them are doubled,
    and the first line names the columns. An absent value is empty, an empty text is
    a pair of quotes.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLI_CSV_H_INCLUDED
#define STELE_CLI_CSV_H_INCLUDED

#include <stdbool.h>
#include <stdio.h>
#include <jansson.h>

/*  Columns of a record, ended by NULL. A column NAME_encoding is 'base64' if the column NAME
    holds bytes; the column extra holds the fields of the record without a column, as JSON. */
typedef const char *const cli_csv_columns_t [];

void
    cli_csv_header (FILE *file, cli_csv_columns_t columns);

/*  Write one record, given as the text of its row and as its values. With 'spreadsheet', a text
    that a spreadsheet would run as a formula has an apostrophe before it: it is not the text any
    more, so this is not the default.                                        */
void
    cli_csv_row (FILE *file, cli_csv_columns_t columns, bool spreadsheet, const char *row, size_t size,
        json_t *record);

#endif
