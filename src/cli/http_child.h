/*  http_child - stele-http as a child of steled

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLI_HTTP_CHILD_H_INCLUDED
#define STELE_CLI_HTTP_CHILD_H_INCLUDED

#include <stdint.h>
#include <sys/types.h>
#include "cli/terminal/options.h"

#define CLI_HTTP_OPTIONS_MAX 32

typedef struct {
    cli_list_t options;             // Of the child: name, value, name, value ... An empty value is none, whatever the environment says.
    pid_t pid;                      // 0: not running
    int64_t started_ms;             // Steady clock
    int64_t again_ms;               // When to start it again; 0: it is running
} cli_http_child_t;

/*  Start it with its options, which the caller has appended, at most CLI_HTTP_OPTIONS_MAX words. Without an address to listen at,
    there is no HTTP server. Returns 0, or an exit status after a message in the log: the program is missing. */
int
    cli_http_child_start (cli_http_child_t *self);

/*  Have it read the tokens and the certificate again.                       */
void
    cli_http_child_reload (cli_http_child_t *self);

/*  A child has ended (SIGCHLD): report it. It is started again after a second, unless it has refused its settings. */
void
    cli_http_child_check (cli_http_child_t *self);

/*  Milliseconds until the next start is due, or -1; and start it if it is due. */
int64_t
    cli_http_child_due_ms (cli_http_child_t *self);

/*  Stop it, and wait for its end for at most 'timeout_ms'; then kill it.    */
void
    cli_http_child_stop (cli_http_child_t *self, int timeout_ms);

#endif
