/*  relay_status - run 'stele-relay status', for a bounded time

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/memory.h"
#include "cli/run/relay_status.h"

#define TEXT_MAX (256 << 10)        // 64 targets, each with an error

extern char **environ;

void
cli_relay_status_start (cli_child_t *child, const char *config, int timeout_ms)
{
    static const char *const places [] = { "stele-relay", STELE_SBINDIR "/stele-relay" };
    char timeout [16];
    snprintf (timeout, sizeof timeout, "%d", timeout_ms);
    child->error = ENOENT;
    //  The PATH of users and of cron often has no sbin
    for (size_t i = 0; i < sizeof places / sizeof places [0] && child->error == ENOENT; i++) {
        const char *command [] = { places [i], "--config", config, "--json", "--timeout", timeout, "status", NULL };
        cli_child_start (child, (char *const *) command, environ, true);
    }
}

char *
cli_relay_status_read (cli_child_t *child, int64_t until_ms)
{
    char *text = stele_memory_new (TEXT_MAX + 1);
    size_t size = 0;
    ssize_t got = child->error? 0: 1;
    while (got > 0 && size < TEXT_MAX) {
        int64_t left_ms = until_ms - stele_clock_steady_ms ();
        struct pollfd out = { .fd = child->out, .events = POLLIN };
        if (left_ms <= 0 || poll (&out, 1, left_ms < INT_MAX? (int) left_ms: INT_MAX) <= 0)
            break;
        got = read (child->out, text + size, TEXT_MAX - size);
        size += got > 0? (size_t) got: 0;
    }
    if (child->error)
        snprintf (text, TEXT_MAX, "cannot run stele-relay: %s", child->error == ENOENT? "it is not installed": strerror (child->error));
    else {
        if (got > 0)
            snprintf (text, TEXT_MAX, "'stele-relay status' did not end in time");
        cli_child_signal (child, SIGKILL);
        waitpid (child->pid, NULL, 0);
        close (child->out);
    }
    return text;
}
