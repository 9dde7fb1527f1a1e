/*  table - rows for people, within the width of the terminal

    Rows are kept until cli_table_flush, which lays out the columns and prints;
    a long list is flushed page by page, under one header.

        static const cli_column_t s_columns [] = {
            { "TASK", CLI_CUT | CLI_ID, 16 }, { "STATE", 0, 0 }, { "ERRORS", CLI_RIGHT, 0 },
            { "TITLE", CLI_CUT, 12 }, CLI_COLUMNS_END
        };
        cli_table_t *table = cli_table_new (s_columns, style);
        cli_table_text (table, id, strlen (id));
        ...
        cli_table_flush (table, stdout);

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLI_TABLE_H_INCLUDED
#define STELE_CLI_TABLE_H_INCLUDED

#include "cli/terminal/format.h"

enum {
    CLI_RIGHT = 1,                  // Aligned to the right, as numbers are
    CLI_CUT = 2,                    // May be cut to fit, down to 'width_min'
    CLI_ID = 4,                     // Cut in the middle, and only after the other columns
    CLI_OPTIONAL = 8,               // Hidden while no row has it
    CLI_SPARE = 16,                 // Hidden if the terminal is too narrow, last column first
    CLI_SPARE_LATE = 32             // The same, after those and first column first
};

typedef struct {
    const char *title;
    int flags;
    size_t width_min;               // Of a column that may be cut
} cli_column_t;

#define CLI_COLUMNS_END { NULL, 0, 0 }

typedef struct cli_table cli_table_t;

/*  Columns are borrowed. Caller owns return value.                          */
cli_table_t *
    cli_table_new (const cli_column_t *columns, const cli_style_t *style);

void
    cli_table_destroy (cli_table_t **self_p);

/*  Add the next cell; after the last column a new row starts. Text is copied, at most the first
    4 KiB. NULL is an empty cell.                                            */
void
    cli_table_text (cli_table_t *self, const char *text, size_t size);
void
    cli_table_word (cli_table_t *self, const char *text);
void
    cli_table_colour (cli_table_t *self, cli_colour_t colour, const char *text);

/*  Add text below the last row, which must be complete. At most the first 64 KiB. */
void
    cli_table_note (cli_table_t *self, cli_colour_t colour, const char *text, size_t size);

/*  Print the rows added since the last call, and the header if it was not printed yet. Prints
    nothing without rows.                                                    */
void
    cli_table_flush (cli_table_t *self, FILE *file);

/*  Number of rows since the table was created.                              */
size_t
    cli_table_rows (const cli_table_t *self);

#endif
