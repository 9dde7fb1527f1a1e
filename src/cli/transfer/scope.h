/*  scope - the tasks that an export includes, as of its position

    An event passes if its task does. Answers are cached in a table of fixed size, and requested
    again after eviction: memory does not grow with the number of tasks.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLI_SCOPE_H_INCLUDED
#define STELE_CLI_SCOPE_H_INCLUDED

#include <jansson.h>
#include "cli/shared/cli.h"

/*  The filter; zero means any. Several values of one field: any of them.    */
typedef struct {
    cli_list_t tasks, states, roles, providers, models;
    const char *user, *parent, *from, *to;
} cli_scope_filter_t;

typedef struct cli_scope cli_scope_t;

/*  The filter is borrowed; its times are checked (cli_take_time). Caller owns return value. */
cli_scope_t *
    cli_scope_new (cli_t *cli, const cli_scope_filter_t *filter, int64_t position);
void
    cli_scope_destroy (cli_scope_t **self_p);

/*  Does it exclude anything?                                                */
bool
    cli_scope_limits (const cli_scope_t *self);

/*  Does this task record pass?                                              */
bool
    cli_scope_task (const cli_scope_t *self, const json_t *task);

/*  Does an event or a record pass, by the session or task that it names? 1 or 0; -1: a request
    failed, see cli->status.                                                 */
int
    cli_scope_row (cli_scope_t *self, const json_t *row);

#endif
