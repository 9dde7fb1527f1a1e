/*  process - settings and state of the ledger's engine that hold for a whole process

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_LEDGER_PROCESS_H_INCLUDED
#define STELE_LEDGER_PROCESS_H_INCLUDED

/*  Tune this process for a ledger. Call it first in main, before any thread starts. Linked
    into the program steled, not into the library: an application that embeds the broker
    may use the engine for other things, too.                                */
void
    stele_ledger_tune_process (void);

/*  Does a ledger of this process save what it holds, since its files were removed? 0: none did; 1: one
    does now, and the process must not end; 2: one did. Any thread.          */
int
    stele_ledger_rescue_state (void);

#endif
