/*  interrupt - Ctrl-C as something a loop looks at, not a sudden end

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/


#ifndef STELE_CLI_INTERRUPT_H_INCLUDED
#define STELE_CLI_INTERRUPT_H_INCLUDED

#include <stdbool.h>

/*  From now on SIGINT and SIGTERM end nothing: they are counted, and only during
    cli_interrupt_wait, so that none is missed between a look and a wait. Call it
    before other threads start: they inherit that the signals are not theirs. */
void
    cli_interrupt_catch (void);

/*  Wait until the file can be read, at most that long; fd -1 only waits. Returns 1,
    0 after the time, -1 when a signal came.                                 */
int
    cli_interrupt_wait (int fd, int timeout_ms);

/*  Signals so far. Takes in those that are pending.                         */
int
    cli_interrupts (void);

#endif
