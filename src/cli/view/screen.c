/*  screen - a view that is redrawn until q is pressed

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>
#include "base/memory.h"
#include "cli/files/interrupt.h"
#include "cli/view/screen.h"

//  The alternate screen, without a cursor; long lines are cut, not wrapped
#define TO_SCREEN "\033[?1049h\033[?25l\033[?7l"
#define FROM_SCREEN "\033[?7h\033[?25h\033[?1049l"
#define CLEAR "\033[H\033[2J"
#define SAVE_CURSOR "\0337"
#define TO_SAVED "\0338\033[J"              // And clear the rest

struct cli_screen {
    cli_t *cli;
    bool terminal;
    bool keys;                              // stdin is a terminal too
    bool drawn;
    struct termios before;
};

//  A resize only interrupts the wait
static void
s_resized (int signal_number)
{
    (void) signal_number;
}

static void
s_take_keys (cli_screen_t *self)
{
    self->keys = tcgetattr (STDIN_FILENO, &self->before) == 0;
    if (!self->keys)
        return;
    struct termios now = self->before;
    now.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
    now.c_cc [VMIN] = 1;
    now.c_cc [VTIME] = 0;
    now.c_cc [VSUSP] = _POSIX_VDISABLE;
    tcsetattr (STDIN_FILENO, TCSANOW, &now);
}

cli_screen_t *
cli_screen_new (cli_t *cli)
{
    cli_screen_t *self = STELE_NEW (cli_screen_t);
    self->cli = cli;
    self->terminal = isatty (STDOUT_FILENO);
    cli_interrupt_catch ();
    if (self->terminal) {
        struct sigaction action = { .sa_handler = s_resized };
        sigemptyset (&action.sa_mask);
        sigaction (SIGWINCH, &action, NULL);
        s_take_keys (self);
        fputs (TO_SCREEN CLEAR SAVE_CURSOR, stdout);
        fflush (stdout);
    }
    return self;
}

void
cli_screen_destroy (cli_screen_t **self_p)
{
    cli_screen_t *self = *self_p;
    if (!self)
        return;
    if (self->terminal) {
        fputs (FROM_SCREEN, stdout);
        fflush (stdout);
    }
    if (self->keys)
        tcsetattr (STDIN_FILENO, TCSANOW, &self->before);
    free (self);
    *self_p = NULL;
}

int64_t
cli_screen_rows (const cli_screen_t *self, int64_t other_lines, int64_t otherwise)
{
    struct winsize size;
    if (!self->terminal)
        return otherwise;
    int64_t lines = ioctl (STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0? size.ws_row: 24;
    return lines > other_lines? lines - other_lines: 1;
}

void
cli_screen_ask (cli_screen_t *self)
{
    if (self->terminal) {
        fputs (TO_SAVED, stdout);
        fflush (stdout);
        self->cli->style = cli_style_of (stdout);
    }
}

void
cli_screen_begin (cli_screen_t *self)
{
    if (self->terminal)
        fputs (CLEAR, stdout);
    else
    if (self->drawn)
        putchar ('\n');
    self->drawn = true;
}

void
cli_screen_end (cli_screen_t *self)
{
    if (self->terminal)
        fputs (SAVE_CURSOR, stdout);
    cli_flush_stdout ();
}

bool
cli_screen_wait (cli_screen_t *self, int64_t timeout_ms)
{
    int rc = cli_interrupt_wait (self->keys? STDIN_FILENO: -1, (int) timeout_ms);
    if (cli_interrupts ())
        return false;
    if (rc != 1)
        return true;
    char key = 0;
    if (read (STDIN_FILENO, &key, 1) != 1)
        self->keys = false;                 // End of input; only the time-out remains
    return key != 'q' && key != 'Q';
}
