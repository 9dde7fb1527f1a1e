/*  push - a file of events to the broker, durably: what publish and import share

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLI_PUSH_H_INCLUDED
#define STELE_CLI_PUSH_H_INCLUDED

#include "cli/shared/cli.h"

typedef struct {
    const char *command;            // Name of the subcommand, for what it says
    const char *producer;           // NULL: one of a random name, that never comes back
    int64_t batch;                  // Events a message, 0: the default
    int64_t sequence;               // Of the first event, 0: after the last durable one
    bool numbered;                  // A line that is corrected later must not move the numbers: end there
    bool restore;                   // The events come from an export
    bool says_others;               // Say where the ledger has events beside these
    const char *spool;              // Keep events in that file until they are acked; NULL: none
    bool accept_loss;               // Go on where the broker lost what the spool knows to be acked
} cli_push_t;

/*  Publish JSON Lines until they end and all is durable or refused; print the counts.
    Returns the program's status. The file stays the caller's; -1 with a spool sends only what it
    holds. With a spool an event is durable there, and a broker that is away no failure,
    unless there was no event but those that the spool held: then EX_TEMPFAIL.  */
int
    cli_push (cli_t *cli, const cli_push_t *how, int fd);

#endif
