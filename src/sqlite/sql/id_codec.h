/*  id_codec - store ids and hashes as bytes where that is shorter

    A UUID in canonical form (lower case, with dashes) is stored as 16 bytes, a hash of
    40 or 64 lower-case hex digits as 20 or 32 bytes; any other text unchanged. Each text
    has one form, so columns compare as the texts do, and a look-up is one search in an index.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_ID_CODEC_H_INCLUDED
#define STELE_ID_CODEC_H_INCLUDED

#include <sqlite3.h>
#include <stddef.h>

#define STELE_ID_BYTES 32
#define STELE_ID_TEXT 64

/*  The bytes of a UUID or hash. Returns their number, 0: the text is neither.  */
size_t
    stele_id_pack (const char *text, size_t size, unsigned char bytes [STELE_ID_BYTES]);

/*  The text of such bytes, not terminated. Returns its size, 0: they are neither. */
size_t
    stele_id_unpack (const void *bytes, size_t size, char text [STELE_ID_TEXT]);

/*  Bind an id, NULL as NULL. Text is borrowed until the reset.              */
void
    stele_id_bind (sqlite3_stmt *stmt, int index, const char *text, size_t size);

/*  The id in a column: its text in the row, or in 'room'. NULL: the column is NULL or no id.
    The text is valid as long as the row and 'room' are.                     */
const char *
    stele_id_column (sqlite3_stmt *stmt, int column, char room [STELE_ID_TEXT], size_t *size);

#endif
