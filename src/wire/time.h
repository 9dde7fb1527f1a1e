/*  time - the three forms of a time (protocol section 1)

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_TIME_H_INCLUDED
#define STELE_TIME_H_INCLUDED

#include <stddef.h>
#include <stdint.h>

/*  Unpack a time in any of its three forms (protocol section 1) from checked bytes: integer
    microseconds, msgpack timestamp, RFC 3339 text. Returns 0 or STELE_EINVALID_FIELD. */
int
    stele_time_unpack (const void *data, size_t size, int64_t *time_us);

/*  Parse RFC 3339 text (any offset, 0 to 9 digits of fraction; 'T' or a space) to
    microseconds since the Unix epoch. Returns 0 or STELE_EINVALID_FIELD.    */
int
    stele_time_parse (const char *text, size_t size, int64_t *time_us);

/*  Print as "2026-01-31T23:59:59.123456Z"; the buffer needs at least 32 bytes. */
void
    stele_time_print (int64_t time_us, char *text, size_t size_max);

#endif
