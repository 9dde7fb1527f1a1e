/*  packed_file - compress a file to a frame of zstd with a checksum, and expand it again

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_PACKED_FILE_H_INCLUDED
#define STELE_PACKED_FILE_H_INCLUDED

#include <stdbool.h>
#include <stdint.h>
#include "model/refusal.h"

/*  Called after each portion of about 1 MiB with the number of bytes that were read; ends the work if it returns
    true. May be NULL.                                                       */
typedef bool (stele_packed_stop_fn) (int64_t bytes, void *arg);

/*  Compress 'source' to the new file 'target', or expand it, in portions of 2 MiB that are synced one by one: many dirty
    pages would delay the syncs of other programs. Returns the bytes that were written and synced, or a code with the
    refusal (STELE_EEXISTS: there is a file 'target'; STELE_ELEDGER: the source is damaged; STELE_ETIMEOUT: stopped);
    then there is no target.                                                 */
int64_t
    stele_packed_file_compress (const char *source, const char *target, stele_packed_stop_fn *stop, void *arg,
        stele_refusal_t *refusal);
int64_t
    stele_packed_file_expand (const char *source, const char *target, stele_packed_stop_fn *stop, void *arg,
        stele_refusal_t *refusal);

#endif
