/*  scope - which tasks an export is about, as they were at its position

    An event passes when its task does. So that this needs no memory for every task,
    answers are remembered in a table of fixed size, and asked for again where
    they were pushed out.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLI_SCOPE_H_INCLUDED
#define STELE_CLI_SCOPE_H_INCLUDED

#include <jansson.h>
#include "cli/shared/cli.h"

/*  What is asked for; zero is "any". Several values of one: any of them.     */
typedef struct {
    cli_list_t tasks, states, roles, providers, models;
    const char *user, *parent, *from, *to;
} cli_scope_filter_t;

typedef struct cli_scope cli_scope_t;

/*  The filter is borrowed. NULL: a time in it is none, which was said. Caller owns
    return value.                                                            */
cli_scope_t *
    cli_scope_new (cli_t *cli, const cli_scope_filter_t *filter, int64_t position);
void
    cli_scope_destroy (cli_scope_t **self_p);

/*  Does it leave anything out?                                              */
bool
    cli_scope_limits (const cli_scope_t *self);

/*  Does this record of a task pass?                                         */
bool
    cli_scope_task (const cli_scope_t *self, const json_t *task);

/*  Does what belongs to this task, session or user pass? 'row' is an event or a record
    that names it. 1, 0, or -1: the broker did not say, cli->status has it.  */
int
    cli_scope_row (cli_scope_t *self, const json_t *row);

#endif
