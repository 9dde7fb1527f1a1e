/*  ask - one request to the broker, its answer, or what to say and exit with

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLI_ASK_H_INCLUDED
#define STELE_CLI_ASK_H_INCLUDED

#include <jansson.h>
#include "cli/shared/cli.h"

/*  A request for that operation. Caller owns return value.                  */
json_t *
    cli_request (const char *op);

/*  Add a list of words where it is not empty; a text where it is not NULL.  */
void
    cli_request_list (json_t *request, const char *key, const cli_list_t *list);
void
    cli_request_text (json_t *request, const char *key, const char *text);

/*  A date alone (2026-01-31) as the time of its beginning in UTC; other text, or NULL,
    as it is. Valid as long as both.                                         */
typedef struct { char text [32]; } cli_time_t;
const char *
    cli_time_text (const char *text, cli_time_t *room);

/*  The same as cli_request_text for a time, which may be a date alone. Digits alone are sent as
    an integer: microseconds, or the position that 'at' takes too.           */
void
    cli_request_time (json_t *request, const char *key, const char *text);

/*  Ask, and wait for the answer. Takes the request. Caller owns return value. NULL: it
    failed, why was said on stderr, and self->status is the program's status. */
json_t *
    cli_ask (cli_t *self, json_t *request);

/*  The same, but not to find what is asked for is said by NULL and status CLI_NO alone. */
json_t *
    cli_ask_or_none (cli_t *self, json_t *request);

/*  The same with a time-out of its own, for what takes long: waits that long only
    for a broker that answers at all.                                        */
json_t *
    cli_ask_long (cli_t *self, json_t *request, int timeout_ms);

/*  Print the last answer as it came, one line of JSON.                      */
void
    cli_print_answer (const cli_t *self);

/*  Ask for an answer, and print it with --json, else with 'print'. Returns the
    program's status. What most subcommands are.                             */
typedef void (cli_print_fn) (cli_t *self, json_t *answer, void *arg);
int
    cli_ask_and_print (cli_t *self, json_t *request, cli_print_fn *print, void *arg);

/*  -- lists, page by page ------------------------------------------------------ */

/*  Ask page after page, until 'limit' rows came (0: all), and hand each row of the
    array 'key' to 'row', each page's end to 'page' (may be NULL). With --json
    neither is called: each page's answer is printed on a line. Takes the request.
    Returns the program's status; *next is the cursor to go on with, if not NULL:
    the caller's, NULL where there are no more rows.                         */
typedef void (cli_row_fn) (cli_t *self, json_t *row, void *arg);
typedef void (cli_page_fn) (cli_t *self, json_t *answer, void *arg);
int
    cli_ask_pages (cli_t *self, json_t *request, const char *key, int64_t limit,
        cli_row_fn *row, cli_page_fn *page, void *arg, json_t **next);

/*  Say on stderr that a list has more rows, and how they are had, where 'next' is not
    NULL; an answer in JSON says so itself. Takes 'next'.                    */
void
    cli_say_more (const cli_t *self, json_t *next, const char *how);

#define CLI_MORE_LIMIT "a larger --limit, or none for all"

#endif
