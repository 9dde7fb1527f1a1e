/*  parts - versions of the libraries that only this room uses

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <sqlite3.h>
#include <zstd.h>
#include "sqlite/sqlite_parts.h"

const char *
stele_sqlite_version (void)
{
    return sqlite3_libversion ();
}

const char *
stele_zstd_version (void)
{
    return ZSTD_versionString ();
}
