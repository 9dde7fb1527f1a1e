/*  log_length - how long the write-ahead log of a ledger is

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_LOG_LENGTH_H_INCLUDED
#define STELE_LOG_LENGTH_H_INCLUDED

#include <stdint.h>

/*  Bytes of the log that are in use: its file is longer, since it is filled ahead, and used again from its beginning. 0: there
    is no log, or it cannot be read. While commits go on, the length of some moment during the call. */
int64_t
    stele_log_length (const char *ledger);

#endif
