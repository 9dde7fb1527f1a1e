/*  line - the line of an event: the text of which its leaf is the hash

    It is the canonical JSON of the event (protocol, section 10) with its time as RFC 3339, as the segments of a repository
    have it, without the end of the line.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_LINE_H_INCLUDED
#define STELE_LINE_H_INCLUDED

#include "model/record.h"

typedef struct stele_line_maker stele_line_maker_t;

stele_line_maker_t *
    stele_line_maker_new (void);
void
    stele_line_maker_destroy (stele_line_maker_t **self_p);

/*  The line of an event as stele_reader_events passes it, or of one as packed msgpack. Owned by the maker, until its next
    call. NULL: the event cannot be written as JSON.                         */
const char *
    stele_line_make (stele_line_maker_t *self, const stele_record_t *event, size_t *size);
const char *
    stele_line_make_packed (stele_line_maker_t *self, const void *packed, size_t packed_size, size_t *size);

#endif
