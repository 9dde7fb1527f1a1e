/*  http_child - stele-http as a child of steled

    The child is spawned, never forked: a copy of the process would share the files of SQLite. It ends with this
    process in any case (option --parent), and its death does not concern the broker.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>
#include "base/clock.h"
#include "broker/common/log.h"
#include "cli/http_child.h"

#define AGAIN_MS 1000

extern char **environ;

//  Next to this program
static void
s_program (char path [PATH_MAX])
{
    ssize_t size = readlink ("/proc/self/exe", path, PATH_MAX - sizeof "stele-http");
    path [size > 0? size: 0] = 0;
    char *slash = strrchr (path, '/');
    strcpy (slash? slash + 1: path, "stele-http");
}

static int
s_spawn (cli_http_child_t *self)
{
    char program [PATH_MAX], parent [24];
    s_program (program);
    snprintf (parent, sizeof parent, "%ld", (long) getpid ());
    const char *arguments [CLI_HTTP_OPTIONS_MAX + 4] = { program, "--parent", parent };
    for (size_t i = 0; i < self->options.count; i++)
        arguments [i + 3] = self->options.items [i];
    posix_spawnattr_t attributes;
    sigset_t blocked, defaults;
    sigemptyset (&blocked);
    //  It waits for it as soon as it can; before that, one would end it
    sigaddset (&blocked, SIGHUP);
    sigfillset (&defaults);
    posix_spawnattr_init (&attributes);
    posix_spawnattr_setsigmask (&attributes, &blocked);
    posix_spawnattr_setsigdefault (&attributes, &defaults);
    posix_spawnattr_setflags (&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    int error = posix_spawn (&self->pid, program, NULL, &attributes, (char *const *) arguments, environ);
    posix_spawnattr_destroy (&attributes);
    self->started_ms = stele_clock_steady_ms ();
    self->again_ms = 0;
    if (error == 0)
        return 0;
    self->pid = 0;
    stele_log_error ("http", "cannot run %s: %s; the setting http needs a build with libevent (libevent-dev)", program,
        strerror (error));
    return EX_CONFIG;
}

//  Value of an option of the child; NULL: it has none
static const char *
s_option (const cli_http_child_t *self, const char *name)
{
    for (size_t i = 0; i + 1 < self->options.count; i += 2)
        if (strcmp (self->options.items [i], name) == 0)
            return self->options.items [i + 1];
    return NULL;
}

int
cli_http_child_start (cli_http_child_t *self)
{
    const char *listen = s_option (self, "--listen"), *requests = s_option (self, "--requests"), *feed = s_option (self, "--feed");
    if (!listen || !*listen || !requests || !feed)
        return EX_OK;
    if (strncmp (requests, "inproc:", 7) == 0 || strncmp (feed, "inproc:", 7) == 0) {
        stele_log_error ("http", "the setting http needs endpoints of requests and feed that another process can reach");
        return EX_CONFIG;
    }
    return s_spawn (self);
}

void
cli_http_child_reload (cli_http_child_t *self)
{
    if (self->pid)
        kill (self->pid, SIGHUP);
}

void
cli_http_child_check (cli_http_child_t *self)
{
    int status;
    if (self->pid == 0 || waitpid (self->pid, &status, WNOHANG) != self->pid)
        return;
    self->pid = 0;
    bool refused = WIFEXITED (status) && WEXITSTATUS (status) == EX_CONFIG;
    if (!refused)
        self->again_ms = stele_clock_steady_ms () + AGAIN_MS;
    stele_log_warning ("http", "stele-http ended with %s %d; the broker continues%s",
        WIFSIGNALED (status)? "signal": "status", WIFSIGNALED (status)? WTERMSIG (status): WEXITSTATUS (status),
        refused? " without it: correct the settings of http and restart": ", and starts it again");
}

int64_t
cli_http_child_due_ms (cli_http_child_t *self)
{
    if (self->again_ms == 0)
        return -1;
    int64_t left_ms = self->again_ms - stele_clock_steady_ms ();
    if (left_ms > 0)
        return left_ms;
    if (s_spawn (self) != 0)
        self->again_ms = 0;
    return -1;
}

void
cli_http_child_stop (cli_http_child_t *self, int timeout_ms)
{
    int64_t until_ms = stele_clock_steady_ms () + timeout_ms;
    if (self->pid)
        kill (self->pid, SIGTERM);
    while (self->pid && waitpid (self->pid, NULL, WNOHANG) == 0) {
        if (stele_clock_steady_ms () >= until_ms) {
            kill (self->pid, SIGKILL);
            waitpid (self->pid, NULL, 0);
            break;
        }
        usleep (5000);
    }
    self->pid = 0;
    self->again_ms = 0;
    cli_list_clear (&self->options);
}
