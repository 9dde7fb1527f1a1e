/*  difference - find which events of two copies of a history differ, and in which fields

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLI_DIFFERENCE_H_INCLUDED
#define STELE_CLI_DIFFERENCE_H_INCLUDED

#include "cli/proof/history.h"

/*  Compare the events from 'first' to 'last'. Calls fn per event that differs, with the names of the fields that do, separated
    by ", ". Returns the number of these events, or a code with a refusal: one of the two cannot be read. */
typedef void (cli_difference_fn) (int64_t position, const char *fields, void *arg);
int64_t
    cli_difference_find (cli_history_t *one, cli_history_t *other, int64_t first, int64_t last, cli_difference_fn *fn,
        void *arg, stele_refusal_t *refusal);

#endif
