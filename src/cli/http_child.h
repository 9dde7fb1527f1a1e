/*  http_child - stele-http as a child of steled

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLI_HTTP_CHILD_H_INCLUDED
#define STELE_CLI_HTTP_CHILD_H_INCLUDED

#include <stdint.h>
#include <sys/types.h>

typedef struct {
    char *address, *requests, *feed;    // NULL: no HTTP server
    char *key;                      // File of the key to connect with; "": none
    char *tokens;                   // File of the tokens; "": none
    const char *log;                // "text" or "json"
    pid_t pid;                      // 0: not running
    int64_t started_ms;             // Steady clock
    int64_t again_ms;               // When to start it again; 0: it is running
} cli_http_child_t;

/*  Start it, for a broker at these endpoints and with the form of its log. An empty address is no HTTP server; 'key' is the
    file of its key, 'tokens' that of the tokens of its clients; each may be empty. Returns 0, or an exit status after a message in the log: the program is missing. */
int
    cli_http_child_start (cli_http_child_t *self, const char *address, const char *requests, const char *feed,
        const char *log, const char *key, const char *tokens);

/*  Have it read the tokens again.                                           */
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
