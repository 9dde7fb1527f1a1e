/*  text - text of producers, made safe to show on a terminal

    Tasks carry whatever programs printed: escape sequences, broken UTF-8, characters that change
    the direction of writing. All text for people goes through here. A control character is shown
    as its picture (ESC is U+241B), a character that is invisible or reorders the line as \u202e,
    a byte that is not UTF-8 as \xff.

    Widths are columns of a terminal. The text is UTF-8 in every locale.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLI_TEXT_H_INCLUDED
#define STELE_CLI_TEXT_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/*  Where a text that is too wide is cut. Ids often start alike and differ at the end. */
typedef enum { CLI_CUT_END, CLI_CUT_MIDDLE } cli_cut_t;

/*  Columns that the text takes when printed; at most 'columns_max' (0: no bound), also if it is
    wider.                                                                   */
size_t
    cli_text_width (const char *text, size_t size, size_t columns_max);

/*  Print on one line in at most 'columns' (0: no bound); a wider text is cut with an ellipsis.
    Returns the columns used.                                                */
size_t
    cli_text_print (FILE *file, const char *text, size_t size, size_t columns, cli_cut_t cut);

/*  Print every line after 'indent' spaces, tabs as they are, and end the last line. At most
    'lines_max' lines (0: all); returns how many were left out.              */
size_t
    cli_text_print_lines (FILE *file, const char *text, size_t size, int indent,
        size_t lines_max);

/*  Is it valid UTF-8?                                                       */
bool
    cli_text_is_utf8 (const char *text, size_t size);

/*  Print valid UTF-8 as a JSON string, in quotes. Characters that a terminal obeys or hides are
    written as \uXXXX, which reads back as the same text.                    */
void
    cli_text_print_json_string (FILE *file, const char *text, size_t size);

#endif
