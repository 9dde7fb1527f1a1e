/*  pages - lists, requested page by page

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdlib.h>
#include "cli/shared/pages.h"

static void
s_print_page (cli_t *self, json_t *answer, const json_t *rows,
    cli_row_fn *row, cli_page_fn *page, void *arg)
{
    self->rows += json_array_size (rows);
    if (self->json) {
        cli_print_answer (self);
        return;
    }
    for (size_t i = 0; i < json_array_size (rows); i++)
        row (self, json_array_get (rows, i), arg);
    if (page)
        page (self, answer, arg);
    cli_flush_stdout ();
}

//  Keep the last rows of all pages
static void
s_keep_last (json_t *kept, const json_t *rows, int64_t tail)
{
    json_array_extend (kept, (json_t *) rows);
    while ((int64_t) json_array_size (kept) > tail)
        json_array_remove (kept, 0);
}

//  Print the kept rows as one page, which is the last one
static void
s_print_last (cli_t *self, json_t *answer, const char *key, json_t *kept, cli_row_fn *row, cli_page_fn *page, void *arg)
{
    json_object_set (answer, key, kept);
    json_object_del (answer, "next");
    free (self->text);
    self->text = json_dumps (answer, JSON_COMPACT);
    s_print_page (self, answer, kept, row, page, arg);
}

int
cli_ask_pages (cli_t *self, json_t *request, const char *key, int64_t limit,
    cli_row_fn *row, cli_page_fn *page, void *arg, json_t **next)
{
    int status = EX_OK;
    int64_t left = limit? limit: INT64_MAX;
    json_t *cursor = NULL, *kept = self->tail? json_array (): NULL;
    while (left) {
        json_object_set_new (request, "limit",
            json_integer (left < CLI_PAGE_ROWS? left: CLI_PAGE_ROWS));
        json_t *answer = cli_ask (self, json_incref (request));
        json_decref (cursor);
        cursor = NULL;
        if (!answer) {
            status = self->status;
            break;
        }
        const json_t *rows = json_object_get (answer, key);
        if (kept)
            s_keep_last (kept, rows, self->tail);
        else
            s_print_page (self, answer, rows, row, page, arg);
        left -= (int64_t) json_array_size (rows) < left? (int64_t) json_array_size (rows): left;
        cursor = json_incref (json_object_get (answer, "next"));
        if (kept && (!cursor || json_is_null (cursor) || !left))
            s_print_last (self, answer, key, kept, row, page, arg);
        json_decref (answer);
        if (!cursor || json_is_null (cursor))
            break;
        json_object_set (request, "cursor", cursor);
        json_object_del (request, "total");     // Counted once is enough
    }
    if (json_is_null (cursor))
        cursor = NULL;                          // json_null is not counted
    if (next)
        *next = cursor;
    else
        json_decref (cursor);
    json_decref (kept);
    json_decref (request);
    return status;
}

//  -- tables ----------------------------------------------------------------------

typedef struct {
    const cli_list_view_t *view;
    cli_table_t *table;
} s_table_t;

static void
s_table_row (cli_t *self, json_t *row, void *arg)
{
    (void) self;
    s_table_t *table = arg;
    table->view->row (table->table, row, table->view->arg);
}

static void
s_table_page (cli_t *self, json_t *answer, void *arg)
{
    (void) self;
    (void) answer;
    cli_table_flush (((s_table_t *) arg)->table, stdout);
}

int
cli_ask_table (cli_t *self, json_t *request, const cli_list_view_t *view)
{
    s_table_t table = { view, cli_table_new (view->columns, &self->style) };
    json_t *next = NULL;
    int status = cli_ask_pages (self, request, view->key, view->limit, s_table_row, s_table_page, &table, &next);
    if (status == EX_OK && !self->json && view->none && cli_table_rows (table.table) == 0)
        fprintf (stderr, "%s\n", view->none);
    cli_report_more (self, next, view->more);
    cli_table_destroy (&table.table);
    return status;
}

void
cli_report_more (const cli_t *self, json_t *next, const char *how)
{
    if (next && !self->json) {
        fflush (stdout);
        fprintf (stderr, "more rows exist: %s\n", how);
    }
    json_decref (next);
}
