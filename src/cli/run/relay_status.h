/*  relay_status - run 'stele-relay status', for a bounded time

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLI_RELAY_STATUS_H_INCLUDED
#define STELE_CLI_RELAY_STATUS_H_INCLUDED

#include "cli/run/child.h"

/*  Start the program, of the PATH or as it is installed, with that configuration. It waits 'timeout_ms' for its broker. */
void
    cli_relay_status_start (cli_child_t *child, const char *config, int timeout_ms);

/*  What it printed until it ended: JSON, or why it has none. After 'until_ms' of the steady clock it is killed. Caller owns
    return value.                                                            */
char *
    cli_relay_status_read (cli_child_t *child, int64_t until_ms);

#endif
