/*  compact - give the free pages of a ledger and its archives back to the file system

    Without a broker. SQLite writes the whole database again, through its write-ahead log: after a crash at any moment it is
    the old one or the new one. Then nothing in the files remembers what was deleted or erased.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_COMPACT_H_INCLUDED
#define STELE_COMPACT_H_INCLUDED

#include "ledger/ledger.h"

/*  Bytes of a file before and after. Called per file.                       */
typedef void (stele_compact_fn) (const char *path, int64_t before, int64_t after, void *arg);

/*  Compact an open ledger, outside a batch, and its archives. STELE_EFULL with a refusal: there is not enough room, nothing
    was changed. Returns 0, or a code with a refusal.                        */
int
    stele_ledger_compact (stele_ledger_t *self, stele_compact_fn *fn, void *arg, stele_refusal_t *refusal);

#endif
