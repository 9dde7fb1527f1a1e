/*  table - rows for people, within the width of the terminal

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "base/memory.h"
#include "cli/terminal/table.h"
#include "cli/terminal/text.h"

#define ELLIPSIS "\xe2\x80\xa6"    // After a text that was cut
#define GAP 2                       // Spaces between two columns
#define CELL_BYTES_MAX 4096
#define NOTE_BYTES_MAX 65536
#define CELL_COLUMNS_MAX 1024       // If nothing else bounds the width
#define NOTE_INDENT 4
#define WIDTH_LEAST 4               // Of a column that is cut because nothing else is left

typedef struct {
    char *text;                     // NULL: an empty cell
    size_t size;
    cli_colour_t colour;
} s_cell_t;

struct cli_table {
    const cli_column_t *columns;
    size_t column_count;
    cli_style_t style;
    s_cell_t *cells;                // A note is the last cell of its row
    size_t cell_count;
    size_t cell_room;
    size_t column;                  // Of the next cell
    size_t rows;
    size_t *widths;
    bool *visible;
    bool *spared;                   // Hidden for lack of room
    bool header_printed;
};

cli_table_t *
cli_table_new (const cli_column_t *columns, const cli_style_t *style)
{
    cli_table_t *self = STELE_NEW (cli_table_t);
    self->columns = columns;
    while (columns [self->column_count].title)
        self->column_count++;
    self->style = *style;
    self->widths = stele_memory_new (self->column_count * sizeof *self->widths);
    self->visible = stele_memory_new (self->column_count * sizeof *self->visible);
    self->spared = stele_memory_new (self->column_count * sizeof *self->spared);
    return self;
}

static void
s_clear (cli_table_t *self)
{
    for (size_t i = 0; i < self->cell_count; i++)
        free (self->cells [i].text);
    self->cell_count = 0;
}

void
cli_table_destroy (cli_table_t **self_p)
{
    cli_table_t *self = *self_p;
    if (!self)
        return;
    s_clear (self);
    free (self->cells);
    free (self->widths);
    free (self->visible);
    free (self->spared);
    free (self);
    *self_p = NULL;
}

static void
s_set_cell (s_cell_t *cell, cli_colour_t colour, const char *text, size_t size, size_t size_max)
{
    free (cell->text);
    cell->text = NULL;
    cell->size = 0;
    cell->colour = colour;
    if (!text || !size)
        return;
    if (size <= size_max) {
        cell->text = stele_memory_copy (text, size);
        cell->size = size;
        return;
    }
    size = size_max;                // Not in the middle of a character
    while (size && ((unsigned char) text [size] & 0xc0) == 0x80)
        size--;
    cell->text = stele_memory_new (size + sizeof ELLIPSIS);
    memcpy (cell->text, text, size);
    memcpy (cell->text + size, ELLIPSIS, sizeof ELLIPSIS);
    cell->size = size + sizeof ELLIPSIS - 1;
}

static void
s_append (cli_table_t *self, cli_colour_t colour, const char *text, size_t size)
{
    size_t stride = self->column_count + 1;
    if (self->column == 0) {
        self->cells = stele_array_must_grow (self->cells, &self->cell_room, self->cell_count + stride,
            sizeof *self->cells);
        memset (self->cells + self->cell_count, 0, stride * sizeof *self->cells);
        self->cell_count += stride;
        self->rows++;
    }
    s_cell_t *row = self->cells + self->cell_count - stride;
    s_set_cell (row + self->column, colour, text, size, CELL_BYTES_MAX);
    self->column = (self->column + 1) % self->column_count;
}

void
cli_table_text (cli_table_t *self, const char *text, size_t size)
{
    s_append (self, CLI_PLAIN, text, size);
}

void
cli_table_word (cli_table_t *self, const char *text)
{
    s_append (self, CLI_PLAIN, text, text? strlen (text): 0);
}

void
cli_table_colour (cli_table_t *self, cli_colour_t colour, const char *text)
{
    s_append (self, colour, text, text? strlen (text): 0);
}

void
cli_table_note (cli_table_t *self, cli_colour_t colour, const char *text, size_t size)
{
    assert (self->cell_count && self->column == 0);
    s_set_cell (self->cells + self->cell_count - 1, colour, text, size, NOTE_BYTES_MAX);
}

/*  -- layout ----------------------------------------------------------------- */

/*  Natural widths of the rows at hand; never narrower than what is above them. */
static void
s_measure (cli_table_t *self)
{
    size_t stride = self->column_count + 1;
    for (size_t column = 0; column < self->column_count; column++) {
        bool empty = self->columns [column].flags & CLI_OPTIONAL;
        size_t width = strlen (self->columns [column].title);
        for (size_t i = column; i < self->cell_count; i += stride) {
            const s_cell_t *cell = self->cells + i;
            size_t columns = cell->text? cli_text_width (cell->text, cell->size, CELL_COLUMNS_MAX): 0;
            if (columns > width)
                width = columns;
            if (columns)
                empty = false;
        }
        if (!empty && !self->visible [column] && !self->spared [column]) {
            self->visible [column] = true;
            self->header_printed = false;       // The rows above do not have this column
        }
        if (width > self->widths [column])
            self->widths [column] = width;
    }
}

static size_t
s_total_width (const cli_table_t *self)
{
    size_t total = 0;
    for (size_t column = 0; column < self->column_count; column++)
        if (self->visible [column])
            total += self->widths [column] + (total? GAP: 0);
    return total;
}

//  With every column cut as far as it goes
static size_t
s_least_width (const cli_table_t *self)
{
    size_t total = 0;
    for (size_t column = 0; column < self->column_count; column++) {
        const cli_column_t *definition = self->columns + column;
        size_t width = self->widths [column];
        if (definition->flags & CLI_CUT && width > definition->width_min)
            width = definition->width_min;
        if (self->visible [column])
            total += width + (total? GAP: 0);
    }
    return total;
}

static bool
s_is_too_wide (const cli_table_t *self)
{
    return self->style.width && s_least_width (self) > self->style.width;
}

static void
s_spare_one (cli_table_t *self, size_t column, int flag)
{
    if (s_is_too_wide (self) && self->visible [column] && (self->columns [column].flags & flag)) {
        self->visible [column] = false;
        self->spared [column] = true;
    }
}

static void
s_spare (cli_table_t *self)
{
    for (size_t column = self->column_count; column-- > 0;)
        s_spare_one (self, column, CLI_SPARE);
    for (size_t column = 0; column < self->column_count; column++)
        s_spare_one (self, column, CLI_SPARE_LATE);
}

//  Nothing is left to hide: cut any column, the widest first, down to a few characters; and hide the
//  last ones if even that is too wide
static void
s_cut_any (cli_table_t *self, size_t total)
{
    while (total > self->style.width) {
        size_t widest = self->column_count;
        for (size_t column = 0; column < self->column_count; column++)
            if (self->visible [column] && self->widths [column] > WIDTH_LEAST
            && (widest == self->column_count || self->widths [column] > self->widths [widest]))
                widest = column;
        if (widest == self->column_count)
            break;
        self->widths [widest]--;
        total--;
    }
    for (size_t column = self->column_count; column-- > 1 && s_total_width (self) > self->style.width;) {
        self->visible [column] = false;
        self->spared [column] = true;
    }
}

//  The widest column that can still be cut: of ids, or of the others
static size_t *
s_widest (cli_table_t *self, bool ids)
{
    size_t *widest = NULL;
    for (size_t column = 0; column < self->column_count; column++) {
        const cli_column_t *definition = self->columns + column;
        if (self->visible [column] && (definition->flags & CLI_CUT)
        &&  !(definition->flags & CLI_ID) == !ids
        &&  self->widths [column] > definition->width_min
        && (!widest || self->widths [column] > *widest))
            widest = &self->widths [column];
    }
    return widest;
}

static void
s_fit (cli_table_t *self)
{
    s_spare (self);
    size_t total = s_total_width (self);
    while (self->style.width && total > self->style.width) {
        size_t *widest = s_widest (self, false);
        if (!widest)
            widest = s_widest (self, true);
        if (!widest) {
            s_cut_any (self, total);
            return;
        }
        (*widest)--;
        total--;
    }
}

/*  -- printing --------------------------------------------------------------- */

static void
s_pad (FILE *file, size_t columns)
{
    while (columns--)
        fputc (' ', file);
}

static void
s_print_row (const cli_table_t *self, FILE *file, const s_cell_t *row)
{
    size_t pending = 0;             // Spaces before the next text: none at the end of a line
    bool first = true;
    for (size_t column = 0; column < self->column_count; column++) {
        if (!self->visible [column])
            continue;
        if (!first)
            pending += GAP;
        first = false;
        const s_cell_t *cell = row + column;
        size_t width = self->widths [column];
        if (!cell->text) {
            pending += width;
            continue;
        }
        int flags = self->columns [column].flags;
        size_t columns = cli_text_width (cell->text, cell->size, width);
        s_pad (file, pending + (flags & CLI_RIGHT? width - columns: 0));
        cli_style_begin (&self->style, file, cell->colour);
        columns = cli_text_print (file, cell->text, cell->size, width,
            flags & CLI_ID? CLI_CUT_MIDDLE: CLI_CUT_END);
        cli_style_end (&self->style, file, cell->colour);
        pending = flags & CLI_RIGHT || columns > width? 0: width - columns;
    }
    fputc ('\n', file);
}

static void
s_print_header (cli_table_t *self, FILE *file)
{
    s_cell_t *row = stele_memory_new (self->column_count * sizeof *row);
    for (size_t column = 0; column < self->column_count; column++) {
        const char *title = self->columns [column].title;
        s_set_cell (row + column, CLI_BOLD, title, strlen (title), CELL_BYTES_MAX);
    }
    s_print_row (self, file, row);
    for (size_t column = 0; column < self->column_count; column++)
        free (row [column].text);
    free (row);
    self->header_printed = true;
}

void
cli_table_flush (cli_table_t *self, FILE *file)
{
    if (self->cell_count == 0)
        return;
    assert (self->column == 0);
    s_measure (self);
    s_fit (self);
    if (!self->header_printed)
        s_print_header (self, file);
    size_t stride = self->column_count + 1;
    for (size_t i = 0; i < self->cell_count; i += stride) {
        s_print_row (self, file, self->cells + i);
        const s_cell_t *note = self->cells + i + self->column_count;
        if (!note->text)
            continue;
        cli_style_begin (&self->style, file, note->colour);
        cli_text_print_lines (file, note->text, note->size, NOTE_INDENT, 0);
        cli_style_end (&self->style, file, note->colour);
    }
    s_clear (self);
}

size_t
cli_table_rows (const cli_table_t *self)
{
    return self->rows;
}
