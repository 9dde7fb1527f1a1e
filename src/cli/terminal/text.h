/*  text - what a producer wrote, made safe to show on a terminal

    Tasks carry whatever programs printed: escape sequences, broken UTF-8,
    characters that turn the direction of writing. Everything that the programs
    show to people goes through here. A control character is shown as its
    picture (ESC is U+241B), what would be invisible or reorder the line as
    \u202e, a byte that is not UTF-8 as \xff.

    Widths are columns of a terminal. The text is UTF-8 whatever the locale says.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLI_TEXT_H_INCLUDED
#define STELE_CLI_TEXT_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/*  Where a text that is too wide is cut. Names that begin alike (ids) are told
    apart by their ends.                                                     */
typedef enum { CLI_CUT_END, CLI_CUT_MIDDLE } cli_cut_t;

/*  Columns that the text takes when it is printed; counts up to 'columns_max',
    which is returned for whatever is wider. 0: no bound.                    */
size_t
    cli_text_width (const char *text, size_t size, size_t columns_max);

/*  Print it on one line in at most 'columns' (0: no bound), cut with an ellipsis
    where it is wider. Returns the columns used.                             */
size_t
    cli_text_print (FILE *file, const char *text, size_t size, size_t columns, cli_cut_t cut);

/*  Print every line of it behind 'indent' spaces, tabs as they are, and end the
    last line. At most 'lines_max' lines (0: all); returns how many were left out. */
size_t
    cli_text_print_lines (FILE *file, const char *text, size_t size, int indent,
        size_t lines_max);

#endif
