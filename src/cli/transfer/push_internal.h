/*  push_internal - state of a push (push.h), and the functions of its second file, push_report.c

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLI_PUSH_INTERNAL_H_INCLUDED
#define STELE_CLI_PUSH_INTERNAL_H_INCLUDED

#include "cli/files/lines.h"
#include "cli/files/rejects.h"
#include "cli/transfer/publish_counts.h"
#include "cli/transfer/push.h"

#define PUSH_GROUP_EVENTS 1000      // Spooled together

typedef struct {
    cli_t *cli;
    const char *command;
    char name [32];                 // Of the producer, if it was made for this run; "": it was given
    stele_client_t *client;
    cli_publish_counts_t *counts;
    cli_lines_t *lines;
    const char *line;               // The current line
    size_t line_size;
    int64_t bad_lines;
    cli_rejects_t *rejects;         // NULL: bad lines are reported only
    int64_t heard_ms;               // When the broker was last heard, or nothing was unacked
    int64_t shown_ms;               // When progress was last shown
    int64_t shown_events;
    const char *spool;              // NULL: none
    int64_t spooled_before;         // What it held at the start
    int64_t spooled;                // Events that this run added to it
    stele_event_t *group [PUSH_GROUP_EVENTS];    // Read, not spooled yet
    int64_t group_lines [PUSH_GROUP_EVENTS];
    size_t group_count;
    bool progress;                  // stderr is a terminal
    bool warns_others;
    bool restores;                  // Skip the lines of segments that are no events (repository/repository.h)
    int failure;                    // STELE_E..., 0: none
    bool numbered;                  // As in cli_push_t
    bool sequenced;                 // The sequences depend on the lines that are sent
    bool stopped;                   // Read nothing more
    int64_t failed_line;            // First line of the group that failed; 0: the last line
} cli_pushing_t;

/*  Show progress if stderr is a terminal, a few times per second; erase it.  */
void
    cli_push_show_progress (cli_pushing_t *self);
void
    cli_push_wipe_progress (cli_pushing_t *self);

/*  Report how the push ended, and its counts. Returns the exit status.      */
int
    cli_push_end (cli_pushing_t *self);

#endif
