/*  gzip - compress a body, fast rather than small

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <zlib.h>
#include "base/memory.h"
#include "http/gzip.h"

#define WINDOW_GZIP (15 + 16)       // The largest window, with the header of gzip

void *
http_gzip (const void *data, size_t size, size_t *packed_size)
{
    z_stream stream = { 0 };
    if (size > UINT_MAX / 2
    ||  deflateInit2 (&stream, 1, Z_DEFLATED, WINDOW_GZIP, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return NULL;
    void *packed = stele_memory_new (size);
    stream.next_in = (Bytef *) data;
    stream.avail_in = (uInt) size;
    stream.next_out = packed;
    stream.avail_out = (uInt) size;
    int rc = deflate (&stream, Z_FINISH);
    *packed_size = size - stream.avail_out;
    deflateEnd (&stream);
    if (rc == Z_STREAM_END)
        return packed;
    free (packed);
    return NULL;
}

void *
http_gunzip (const void *data, size_t size, size_t *plain_size)
{
    assert (size > 4);
    //  The size is the last field of the format
    const unsigned char *end = (const unsigned char *) data + size;
    uInt length = end [-4] | (uInt) end [-3] << 8 | (uInt) end [-2] << 16 | (uInt) end [-1] << 24;
    void *plain = stele_memory_new (length + 1);
    z_stream stream = { .next_in = (Bytef *) data, .avail_in = (uInt) size, .next_out = plain, .avail_out = length + 1 };
    int rc = inflateInit2 (&stream, WINDOW_GZIP);
    assert (rc == Z_OK);
    rc = inflate (&stream, Z_FINISH);
    assert (rc == Z_STREAM_END && stream.total_out == length);
    inflateEnd (&stream);
    *plain_size = length;
    return plain;
}
