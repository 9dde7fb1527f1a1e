/*  process - settings of the ledger's engine that hold for a whole process

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

#endif
