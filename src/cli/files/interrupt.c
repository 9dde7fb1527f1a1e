/*  interrupt - Ctrl-C as a count that a loop polls

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "config.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <time.h>
#include "cli/files/interrupt.h"

static volatile sig_atomic_t s_count;
static sigset_t s_open;             // The mask before: nothing blocked

static void
s_handle (int signal_number)
{
    (void) signal_number;
    s_count++;
}

void
cli_interrupt_catch (void)
{
    sigset_t blocked;
    sigemptyset (&blocked);
    sigaddset (&blocked, SIGINT);
    sigaddset (&blocked, SIGTERM);
    sigaddset (&blocked, SIGHUP);
    sigprocmask (SIG_BLOCK, &blocked, &s_open);
    struct sigaction action = { .sa_handler = s_handle };
    sigemptyset (&action.sa_mask);
    sigaction (SIGINT, &action, NULL);
    sigaction (SIGTERM, &action, NULL);
    //  nohup(1) ignores it
    struct sigaction before;
    if (sigaction (SIGHUP, NULL, &before) == 0 && before.sa_handler != SIG_IGN)
        sigaction (SIGHUP, &action, NULL);
}

int
cli_interrupt_wait (int fd, int timeout_ms)
{
    struct pollfd item = { fd, POLLIN, 0 };
    struct timespec timeout = { timeout_ms / 1000, timeout_ms % 1000 * 1000000L };
    int rc = ppoll (&item, fd < 0? 0: 1, &timeout, &s_open);
    if (rc < 0)
        return errno == EINTR? -1: 1;   // read() reports any other error
    return rc;
}

int
cli_interrupts (void)
{
    cli_interrupt_wait (-1, 0);
    return s_count;
}
