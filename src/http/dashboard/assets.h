/*  assets - the files of the dashboard, embedded by embed.sh

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_HTTP_ASSETS_H_INCLUDED
#define STELE_HTTP_ASSETS_H_INCLUDED

#include <stddef.h>

typedef struct {
    const char *name;               // FOLDER/FILE, or index.html
    const char *type;               // Content-Type
    const unsigned char *data;      // Compressed (gzip)
    size_t size;
} http_asset_t;

/*  Ends with a row without a name                                           */
extern const http_asset_t http_assets [];

/*  Changes with any of the files; it is a part of their paths               */
extern const char http_assets_version [];

#endif
