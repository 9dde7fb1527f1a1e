/*  child - start a command, pass signals on to it, wait for its end

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLI_CHILD_H_INCLUDED
#define STELE_CLI_CHILD_H_INCLUDED

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/types.h>

typedef struct {
    pid_t pid;                      // 0: not started
    bool own_group;                 // It leads a process group of its own
    int out, err;                   // What it writes, to be read and closed by the caller; -1: none
    int error;                      // errno, if it could not be started
    int64_t started_us, ended_us;   // Of the steady clock
    bool ended;
    int status;                     // As of wait4
    struct rusage usage;            // Of the command and of those of its children that it waited for
} cli_child_t;

/*  From now on, signals that this process would pass on or that end a child are readable from the
    descriptor that is returned. A child starts with the signals as they were. Call it before
    threads start.                                                           */
int
    cli_child_catch_signals (void);

/*  Start the command. It gets a process group of its own, unless this process is in the
    foreground of a terminal: there it stays in the group of this process, so that it can read
    from the terminal, and gets Ctrl-C and Ctrl-Z from it. With 'merge', out is also its
    standard error.                                                          */
void
    cli_child_start (cli_child_t *self, char *const *command, char *const *environment, bool merge);

/*  Send a signal to the process group of the command, or to the command alone if it has none of its
    own.                                                                     */
void
    cli_child_signal (const cli_child_t *self, int number);

/*  Pass a signal of this process on, unless the terminal has sent it to both.  */
void
    cli_child_pass_on (const cli_child_t *self, const struct signalfd_siginfo *received);

/*  Find out whether the command has ended. Sets 'ended' and what follows it. */
void
    cli_child_check (cli_child_t *self);

/*  End this process by that signal, as the command ended.                    */
void
    cli_child_die_by (int number);

#endif
