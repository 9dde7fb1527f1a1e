/*  packed_ids - find parts of ids in the table of ids of the text index

    A row has the ids of one size of the tasks created in one portion of the log
    (text_index.c writes it):

      first   position of the first event of the portion
      size    of an id in bytes: 16, 20, 32 for ids whose text is all hex digits
              (16: a UUID); 0: text of any length
      keys    per id the task's key less 'first': four bytes, the lowest first
      ids     the ids one after another; with size 0 in lower case, the length of
              each in a byte before it

    Why not FTS5: its trigram tokenizer (detail=none) takes 57 bytes and 7 us per UUID
    (measured with 200,000 ids), this table 20 bytes, and a scan finds every part of an id.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_PACKED_IDS_H_INCLUDED
#define STELE_PACKED_IDS_H_INCLUDED

#include "sqlite/filter/match.h"
#include "sqlite/reader/reader_internal.h"

#define READER_PACKED_IDS_COLUMNS "first, size, keys, ids"

//  Set reader and match (both borrowed), the rest to 0
typedef struct {
    stele_reader_t *reader;
    const stele_match_t *match;
    size_t count;                   // Ids searched
    char *text;                     // Of the ids of one row
    size_t room;
} reader_packed_ids_t;

//  Add the keys of the ids in a row that contain an item of the match. The statement has the
//  columns READER_PACKED_IDS_COLUMNS. Returns the status of the call.
int
    reader_packed_ids_search (reader_packed_ids_t *self, sqlite3_stmt *row, reader_keys_t *keys);

void
    reader_packed_ids_close (reader_packed_ids_t *self);

#endif
