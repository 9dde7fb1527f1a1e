/*  content - text and bytes, compressed if that saves space

    Longer texts are stored as zstd frames, most of them with a dictionary of the ledger
    (dictionaries.h). In a column of text a frame is a BLOB; in a column that also stores bytes,
    the column 'encoding' next to it has the encoding.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CONTENT_H_INCLUDED
#define STELE_CONTENT_H_INCLUDED

#include "sqlite/compress/dictionaries.h"
#include "model/record.h"

/*  Codes are stored in the column 'encoding': never renumber one.           */
typedef enum {
    STELE_ENCODING_PLAIN = 0,
    STELE_ENCODING_ZSTD_TEXT = 1,
    STELE_ENCODING_ZSTD_BYTES = 2
} stele_encoding_t;

typedef struct stele_content stele_content_t;

/*  Uses the dictionaries of that ledger; NULL: none. Destroy it before closing the connection.
    NULL: out of memory. Caller owns return value.                           */
stele_content_t *
    stele_content_new (sqlite3 *db);
void
    stele_content_destroy (stele_content_t **self_p);

/*  Offer a message that will be stored soon: its texts are compressed on another thread meanwhile
    (compress_ahead.h). The bytes need not be valid, and must stay in place until
    stele_content_done, which the caller calls in any case.                  */
void
    stele_content_offer (stele_content_t *self, const void *message, size_t size);
void
    stele_content_done (stele_content_t *self, const void *message);

/*  The stored form of a TEXT, JSON or BYTES value: plain, or compressed. *data is valid until
    the next call. Returns the encoding.                                     */
stele_encoding_t
    stele_content_pack (stele_content_t *self, const stele_value_t *value,
        const void **data, size_t *size);

/*  Bind a TEXT or JSON value (or NONE), compressed as a BLOB if that pays.  */
void
    stele_content_bind (stele_content_t *self, sqlite3_stmt *stmt, int index,
        const stele_value_t *value);

/*  Set a field of a record from a stored value: in the record's arena if it was
    compressed, else borrowed. 'is_text' is the column's own type for PLAIN.
    Returns 0, STELE_ELEDGER or STELE_ENO_MEMORY.                            */
int
    stele_content_unpack (stele_content_t *self, stele_encoding_t encoding, bool is_text,
        const void *data, size_t size, stele_record_t *record, stele_field_t field);

/*  A column of text, in the record's arena if it was compressed, else borrowed. NULL: it is
    damaged, or out of memory (see stele_content_error); "" if the column is NULL.  */
const char *
    stele_content_column (stele_content_t *self, sqlite3_stmt *stmt, int column,
        stele_record_t *record, size_t *size);

/*  Why the last column was NULL: STELE_ELEDGER or STELE_ENO_MEMORY.         */
int
    stele_content_error (const stele_content_t *self);

/*  Between batches: make a new dictionary if it is time. Returns 0 or a storage error. */
int
    stele_content_learn (stele_content_t *self);

#endif
