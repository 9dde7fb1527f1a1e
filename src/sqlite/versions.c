/*  versions - names and versions of the libraries that this engine uses

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <sqlite3.h>
#include <zstd.h>
#include "ledger/ledger.h"

const char *
stele_ledger_library (size_t index, const char **version)
{
    switch (index) {
        case 0:
            *version = sqlite3_libversion ();
            return "sqlite";
        case 1:
            *version = ZSTD_versionString ();
            return "zstd";
        default:
            return NULL;
    }
}
