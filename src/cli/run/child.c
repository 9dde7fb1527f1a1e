/*  child - start a command, pass signals on to it, wait for its end

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#define _GNU_SOURCE                 // pipe2

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/memory.h"
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
    //  What this program was started to ignore (nohup, a script's background job) does not reach the command either
    for (size_t i = 0; i < sizeof numbers / sizeof numbers [0]; i++) {
        struct sigaction now;
        sigaction (numbers [i], NULL, &now);
        if (numbers [i] == SIGCHLD || now.sa_handler != SIG_IGN)
            sigaddset (&caught, numbers [i]);
    }
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

static void
s_close (int handle)
{
    if (handle >= 0)
        close (handle);
}

//  Start with the signals as they were, and these pipes as outputs. Returns 0 or errno. A spawn does not copy
//  the page tables of this process, as fork does.
static int
s_spawn (cli_child_t *self, char *const *command, char *const *environment, int out, int err)
{
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t files;
    sigset_t defaults;
    sigemptyset (&defaults);
    sigaddset (&defaults, SIGXFSZ);     // stele.c ignores it
    if (s_pipe_before.sa_handler != SIG_IGN)
        sigaddset (&defaults, SIGPIPE);
    posix_spawnattr_init (&attributes);
    posix_spawnattr_setflags (&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF
        | (self->own_group? POSIX_SPAWN_SETPGROUP: 0));
    posix_spawnattr_setsigmask (&attributes, &s_mask_before);
    posix_spawnattr_setsigdefault (&attributes, &defaults);
    posix_spawn_file_actions_init (&files);
    int error = posix_spawn_file_actions_adddup2 (&files, out, STDOUT_FILENO);
    if (error == 0)
        error = posix_spawn_file_actions_adddup2 (&files, err, STDERR_FILENO);
    if (error == 0)
        error = posix_spawnp (&self->pid, command [0], &files, &attributes, command, environment);
    //  A script without #!, which a shell would run too
    if (error == ENOEXEC) {
        size_t count = 0;
        while (command [count])
            count++;
        char **script = stele_memory_new ((count + 2) * sizeof *script);
        static char shell [] = "/bin/sh";
        script [0] = shell;
        memcpy (script + 1, command, count * sizeof *script);
        error = posix_spawn (&self->pid, script [0], &files, &attributes, script, environment);
        free (script);
    }
    posix_spawn_file_actions_destroy (&files);
    posix_spawnattr_destroy (&attributes);
    return error;
}

void
cli_child_start (cli_child_t *self, char *const *command, char *const *environment, bool merge)
{
    int out [2] = { -1, -1 }, err [2] = { -1, -1 };
    *self = (cli_child_t) { .out = -1, .err = -1, .own_group = !s_is_in_foreground () };
    self->started_us = stele_clock_steady_us ();
    if (pipe2 (out, O_CLOEXEC) || (!merge && pipe2 (err, O_CLOEXEC)))
        self->error = errno;
    else
        self->error = s_spawn (self, command, environment, out [1], merge? out [1]: err [1]);
    s_close (out [1]);
    s_close (err [1]);
    if (self->error) {
        self->pid = 0;
        self->ended = true;
        self->ended_us = stele_clock_steady_us ();
        s_close (out [0]);
        s_close (err [0]);
        return;
    }
    self->out = out [0];
    self->err = err [0];
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
