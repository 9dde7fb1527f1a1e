/*  side_file - a database next to a ledger that can be derived from it

    It has a table meta with the id of the ledger and the position up to which it is complete, and its version as
    user_version. A file that does not fit is removed and made again.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_SIDE_FILE_H_INCLUDED
#define STELE_SIDE_FILE_H_INCLUDED

#include "sqlite/sql/sql.h"

/*  Open or create the file whose name is that of the ledger and the suffix, with the mode of the ledger, for
    one writer that does not wait for the disk. Returns 0 or a code; the error is that of the connection, which
    the caller closes in either case.                                        */
int
    stele_side_open (const char *ledger, const char *suffix, sqlite3 **db);

/*  Remove it, and the files of its log. No connection may have it open for writing. */
void
    stele_side_unlink (const char *ledger, const char *suffix);

/*  Why it is not one of that version and ledger, up to at most 'head': "is missing", "is of an earlier
    version", "is not usable". NULL: it is one, and *position is set.        */
const char *
    stele_side_fault (sqlite3 *db, int version, const char *ledger_id, int64_t head, int64_t *position);

/*  Create its tables: meta at position 0, and those of 'schema'. Returns 0 or a code. */
int
    stele_side_make (sqlite3 *db, int version, const char *ledger_id, const char *schema);

#endif
