/*  push - publish a file of events, durably: for publish, import and migrate

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLI_PUSH_H_INCLUDED
#define STELE_CLI_PUSH_H_INCLUDED

#include "cli/shared/cli.h"

typedef struct {
    const char *command;            // Name of the subcommand, for messages
    const char *producer;           // NULL: a random name, for this run only
    int64_t batch;                  // Events per message, 0: the default
    int64_t sequence;               // Of the first event, 0: after the last durable one
    bool numbered;                  // Events are numbered by their lines: stop at a bad line
    bool restore;                   // The events come from an export
    bool warns_others;              // Warn if the ledger has other events too
    const char *spool;              // Keep events in this file until they are acked; NULL: none
    const char *rejects;            // Keep lines that are not events in this file; NULL: only report them
    bool accept_loss;               // Continue if the broker lost events that the spool records as acked
} cli_push_t;

/*  Publish JSON Lines until they end and every event is durable or refused; print the counts.
    Returns the exit status. The file descriptor stays the caller's; -1 with a spool sends only
    the events that it holds. With a spool, events are durable there and an unreachable broker is
    no failure, unless this run added no event: then EX_TEMPFAIL.            */
int
    cli_push (cli_t *cli, const cli_push_t *how, int fd);

#endif
