/*  sqlite_parts - versions of the libraries that only this room uses, for info

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_SQLITE_PARTS_H_INCLUDED
#define STELE_SQLITE_PARTS_H_INCLUDED

/*  Static storage.                                                           */
const char *
    stele_sqlite_version (void);
const char *
    stele_zstd_version (void);

#endif
