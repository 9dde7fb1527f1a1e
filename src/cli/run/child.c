/*  child - start a command, pass signals on to it, wait for its end

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#define _GNU_SOURCE                 // pipe2, execvpe

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/clock.h"
#include "cli/run/child.h"

static sigset_t s_mask_before;
static struct sigaction s_pipe_before;

int
cli_child_catch_signals (void)
{
    static const int numbers [] = {
        SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGUSR1, SIGUSR2
    };
    sigset_t caught;
    sigemptyset (&caught);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers [0]; i++)
        sigaddset (&caught, numbers [i]);
    sigprocmask (SIG_BLOCK, &caught, &s_mask_before);
    signal (SIGCHLD, SIG_DFL);
    const struct sigaction ignore = { .sa_handler = SIG_IGN };
    sigaction (SIGPIPE, &ignore, &s_pipe_before);
    return signalfd (-1, &caught, SFD_CLOEXEC | SFD_NONBLOCK);
}

static bool
s_is_in_foreground (void)
{
    int terminal = open ("/dev/tty", O_RDONLY | O_CLOEXEC | O_NOCTTY);
    bool foreground = terminal >= 0 && tcgetpgrp (terminal) == getpgrp ();
    if (terminal >= 0)
        close (terminal);
    return foreground;
}

//  In the child, up to execvpe: only functions that are safe after fork in a program with threads
static void
s_run (const cli_child_t *self, char *const *command, char *const *environment, int out, int err, int report)
{
    if (self->own_group)
        setpgid (0, 0);
    dup2 (out, STDOUT_FILENO);
    dup2 (err, STDERR_FILENO);
    signal (SIGXFSZ, SIG_DFL);          // stele.c ignores it
    sigaction (SIGPIPE, &s_pipe_before, NULL);
    sigprocmask (SIG_SETMASK, &s_mask_before, NULL);
    execvpe (command [0], command, environment);
    int reason = errno;
    while (write (report, &reason, sizeof reason) < 0 && errno == EINTR)
        ;
    _exit (127);
}

//  Pipes for two outputs and the report of a failed exec. False: errno
static bool
s_open_pipes (int (*pipes) [2], bool merge)
{
    memset (pipes, 0xff, 3 * sizeof pipes [0]);
    for (int i = 0; i < 3; i++)
        if (!(merge && i == 1) && pipe2 (pipes [i], O_CLOEXEC))
            return false;
    return true;
}

static void
s_close (int handle)
{
    if (handle >= 0)
        close (handle);
}

void
cli_child_start (cli_child_t *self, char *const *command, char *const *environment, bool merge)
{
    int pipes [3] [2];
    *self = (cli_child_t) { .out = -1, .err = -1, .own_group = !s_is_in_foreground () };
    self->started_us = stele_clock_steady_us ();
    if (!s_open_pipes (pipes, merge))
        self->error = errno;
    else
    if ((self->pid = fork ()) < 0) {
        self->error = errno;
        self->pid = 0;
    }
    else
    if (self->pid == 0)
        s_run (self, command, environment, pipes [0] [1], pipes [merge? 0: 1] [1], pipes [2] [1]);
    for (int i = 0; i < 3; i++)
        s_close (pipes [i] [1]);
    if (self->pid && self->own_group)
        setpgid (self->pid, self->pid);
    //  The end of the pipe is closed by a successful exec
    int reason;
    if (self->pid && read (pipes [2] [0], &reason, sizeof reason) == (ssize_t) sizeof reason)
        self->error = reason;
    s_close (pipes [2] [0]);
    if (self->error) {
        if (self->pid)
            waitpid (self->pid, NULL, 0);
        self->pid = 0;
        self->ended = true;
        self->ended_us = stele_clock_steady_us ();
        s_close (pipes [0] [0]);
        s_close (pipes [1] [0]);
        return;
    }
    self->out = pipes [0] [0];
    self->err = pipes [1] [0];
}

void
cli_child_signal (const cli_child_t *self, int number)
{
    if (self->pid)
        kill (self->own_group? -self->pid: self->pid, number);
}

void
cli_child_pass_on (const cli_child_t *self, const struct signalfd_siginfo *received)
{
    if (!self->ended && (self->own_group || received->ssi_code != SI_KERNEL))
        cli_child_signal (self, (int) received->ssi_signo);
}

void
cli_child_check (cli_child_t *self)
{
    if (self->ended || wait4 (self->pid, &self->status, WNOHANG, &self->usage) != self->pid)
        return;
    self->ended = true;
    self->ended_us = stele_clock_steady_us ();
}

void
cli_child_die_by (int number)
{
    const struct rlimit none = { 0, 0 };
    setrlimit (RLIMIT_CORE, &none);
    signal (number, SIG_DFL);
    sigset_t one;
    sigemptyset (&one);
    sigaddset (&one, number);
    raise (number);
    sigprocmask (SIG_UNBLOCK, &one, NULL);
}
