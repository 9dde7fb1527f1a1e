/*  screen - a picture that is drawn again and again, until q

    On a terminal it takes the whole screen and gives it back; elsewhere the
    pictures follow each other, with an empty line between. Between two of them
    a command waits here, where keys, signals and a new size of the terminal
    are seen.

        cli_screen_t *screen = cli_screen_new (self);
        do {
            cli_screen_ask (screen);            // What fails is said below the picture
            json_t *answer = cli_ask (self, ...);
            if (answer) {
                cli_screen_begin (screen);
                ... print to stdout, at most cli_screen_rows () lines ...
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

/*  Takes the terminal. Updates the style of 'cli' with the size. Caller owns return
    value; destroying it gives the terminal back.                            */
cli_screen_t *
    cli_screen_new (cli_t *cli);
void
    cli_screen_destroy (cli_screen_t **self_p);

/*  Lines that a picture may have; without a terminal SIZE_MAX.              */
size_t
    cli_screen_rows (const cli_screen_t *self);

/*  Before the request: what is said on stderr from here on stands below the picture. */
void
    cli_screen_ask (cli_screen_t *self);

/*  Around what is printed to stdout.                                        */
void
    cli_screen_begin (cli_screen_t *self);
void
    cli_screen_end (cli_screen_t *self);

/*  Wait before the next picture. False: q, Ctrl-C or SIGTERM came, stop.    */
bool
    cli_screen_wait (cli_screen_t *self, int64_t timeout_ms);

#endif
