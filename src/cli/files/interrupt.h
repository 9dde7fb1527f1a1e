/*  interrupt - Ctrl-C as a count that a loop polls

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLI_INTERRUPT_H_INCLUDED
#define STELE_CLI_INTERRUPT_H_INCLUDED

#include <stdbool.h>

/*  From now on SIGINT, SIGTERM and SIGHUP do not end the program: they are counted, and delivered only in
    cli_interrupt_wait, so that none is lost between a check and a wait. Call it before other
    threads start: they inherit the blocked signals.                         */
void
    cli_interrupt_catch (void);

/*  Wait until the file is readable; fd -1 only waits. Returns 1, 0 on time-out, -1 if a signal
    arrived.                                                                 */
int
    cli_interrupt_wait (int fd, int timeout_ms);

/*  Number of signals so far, pending ones included.                         */
int
    cli_interrupts (void);

#endif
