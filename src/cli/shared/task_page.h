/*  task_page - the record of a task as a page

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/


#ifndef STELE_TASK_PAGE_H_INCLUDED
#define STELE_TASK_PAGE_H_INCLUDED

#include <jansson.h>
#include "cli/shared/cli.h"

/*  Print the task of an answer, with its owner if the answer has one; absent fields are left out. */
void
    cli_task_print (const cli_t *self, const json_t *answer);

#endif
