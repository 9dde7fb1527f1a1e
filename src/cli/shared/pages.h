/*  pages - lists, requested page by page

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLI_PAGES_H_INCLUDED
#define STELE_CLI_PAGES_H_INCLUDED

#include "cli/shared/ask.h"
#include "cli/terminal/table.h"

/*  Request page after page until there are 'limit' rows (0: all). Each row of the array 'key' is
    passed to 'row', then each answer to 'page' (may be NULL). With --json neither is called:
    each answer is printed on one line. Takes the request. Returns the exit status. *next, if
    not NULL, is the cursor of the rows after these: NULL if there are none, the caller's. */
typedef void (cli_row_fn) (cli_t *self, json_t *row, void *arg);
typedef void (cli_page_fn) (cli_t *self, json_t *answer, void *arg);
int
    cli_ask_pages (cli_t *self, json_t *request, const char *key, int64_t limit,
        cli_row_fn *row, cli_page_fn *page, void *arg, json_t **next);

/*  Print a whole list as a table. 'none' is printed to stderr if it is empty, 'more' is how to
    get the rows after the limit.                                            */
typedef struct {
    const char *key;                // The array of the answer
    int64_t limit;                  // 0: all
    const cli_column_t *columns;
    void (*row) (cli_table_t *table, json_t *row, void *arg);   // Adds one row
    void *arg;                      // Of 'row'
    const char *none;               // NULL: print nothing
    const char *more;
} cli_list_view_t;

/*  Takes the request. Returns the exit status.                              */
int
    cli_ask_table (cli_t *self, json_t *request, const cli_list_view_t *view);

/*  Print to stderr that more rows exist, and how to get them, if 'next' is not NULL; an answer
    in JSON has the cursor itself. Takes 'next'.                             */
void
    cli_report_more (const cli_t *self, json_t *next, const char *how);

#define CLI_MORE_LIMIT "raise --limit, or omit it for all"
#define CLI_MORE_ALL "use --all, or raise --limit"

#endif
