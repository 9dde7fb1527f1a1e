/*  reader_over - a reader over the writer's connection

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_READER_OVER_H_INCLUDED
#define STELE_READER_OVER_H_INCLUDED

#include <sqlite3.h>
#include "ledger/reader.h"

//  For use in an open batch: the reader sees what the batch wrote, and begins and ends no
//  transaction. Closing it leaves the connection open. NULL: out of memory. (reader.c)
stele_reader_t *
    stele_reader_over (sqlite3 *db);

//  Set the id that stele_reader_ledger_id returns.
void
    stele_reader_set_ledger_id (stele_reader_t *self, const char *id);

#endif
