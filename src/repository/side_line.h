/*  side_line - the form of the lines of a segment: events, and objects of one key for what events do not say

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_SIDE_LINE_H_INCLUDED
#define STELE_SIDE_LINE_H_INCLUDED

#include "repository/repository.h"
#include "wire/pack.h"

/*  Kind of a line, by its start. Sets the part of it that is to be parsed: the event, or the value of its key. */
stele_line_kind_t
    stele_side_line_kind (const char *text, size_t size, const char **value, size_t *value_size);

/*  The line of a packed map, without the end of line. Caller frees return value. NULL: not UTF-8. */
char *
    stele_side_line_new (stele_line_kind_t kind, const void *packed, size_t packed_size, size_t *size);

#endif
