/*  gzip - compress a body, fast rather than small

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_HTTP_GZIP_H_INCLUDED
#define STELE_HTTP_GZIP_H_INCLUDED

#include <stddef.h>

/*  NULL: it does not become smaller. Caller frees return value with free(). */
void *
    http_gzip (const void *data, size_t size, size_t *packed_size);

/*  The inverse, of data that this program has compressed. Caller frees return value with free(). */
void *
    http_gunzip (const void *data, size_t size, size_t *plain_size);

#endif
