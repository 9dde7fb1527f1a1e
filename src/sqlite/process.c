/*  process - settings of SQLite that hold for a whole process

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <sqlite3.h>
#include "ledger/process.h"

void
stele_ledger_tune_process (void)
{
    //  Nothing reads SQLite's memory statistics, and every allocation of every thread would take one
    //  lock to count them
    sqlite3_config (SQLITE_CONFIG_MEMSTATUS, 0);
}
