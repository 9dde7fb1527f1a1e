/*  screen - a view that is redrawn until q is pressed

    On a terminal it uses the alternate screen, and restores the terminal at the end; otherwise
    updates are printed one after another, separated by an empty line. Between two updates a
    command waits here for keys, signals and a resize of the terminal.

        cli_screen_t *screen = cli_screen_new (self);
        do {
            cli_screen_ask (screen);            // Errors are printed below the view
            json_t *answer = cli_ask (self, ...);
            if (answer) {
                cli_screen_begin (screen);
                ... print to stdout, at most as many lines as fit ...
                cli_screen_end (screen);
            }
        } while (cli_screen_wait (screen, 1000));
        cli_screen_destroy (&screen);

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLI_SCREEN_H_INCLUDED
#define STELE_CLI_SCREEN_H_INCLUDED

#include "cli/shared/cli.h"

typedef struct cli_screen cli_screen_t;

/*  Takes over the terminal. Updates the style of 'cli' with its size. Caller owns return value;
    destroying it restores the terminal.                                     */
cli_screen_t *
    cli_screen_new (cli_t *cli);
void
    cli_screen_destroy (cli_screen_t **self_p);

/*  Rows that fit in addition to so many other lines, at least 1; 'otherwise' without a terminal. */
int64_t
    cli_screen_rows (const cli_screen_t *self, int64_t other_lines, int64_t otherwise);

/*  Call before a request: messages on stderr then appear below the view.    */
void
    cli_screen_ask (cli_screen_t *self);

/*  Start and end an update on stdout.                                       */
void
    cli_screen_begin (cli_screen_t *self);
void
    cli_screen_end (cli_screen_t *self);

/*  Wait for the next update. False: q, Ctrl-C or SIGTERM came, stop.        */
bool
    cli_screen_wait (cli_screen_t *self, int64_t timeout_ms);

#endif
