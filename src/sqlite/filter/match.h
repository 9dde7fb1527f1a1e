/*  match - test a task against a text search

    The text that was typed is split at spaces into items; "quoted text" is one
    item. An item matches a task if its words follow one another in the title, the
    description or the last error (the last word as a prefix, unless quoted), or if
    it is a part of the task's id (from 3 bytes on). All items must match. Case and
    accents are ignored. Words are split by the tokenizer of the index, so that the
    index and this agree. There are no operators.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_MATCH_H_INCLUDED
#define STELE_MATCH_H_INCLUDED

#include <sqlite3.h>
#include "model/record.h"

#define STELE_MATCH_ITEMS 16
#define STELE_MATCH_WORDS 32        // Per item; further words are ignored

typedef struct stele_match stele_match_t;

/*  Caller owns return value. NULL: `code` is STELE_EUNAVAILABLE if this SQLite has no FTS5,
    else STELE_ENO_MEMORY.                                                   */
stele_match_t *
    stele_match_new (sqlite3 *db, const char *text, size_t size, int *code);
void
    stele_match_destroy (stele_match_t **self_p);

/*  True if the text has no letter and no digit: nothing matches.            */
bool
    stele_match_is_empty (const stele_match_t *self);

/*  The FTS5 expression that finds every task that may match by text; NULL: there is none.
    Owned by the match.                                                      */
const char *
    stele_match_expression (const stele_match_t *self);

/*  True if the task matches.                                                */
bool
    stele_match_passes (stele_match_t *self, const stele_record_t *task);

/*  True if it ran out of memory: earlier results may be wrong.              */
bool
    stele_match_failed (const stele_match_t *self);

/*  The items as typed, in lower case: possible parts of an id. NULL after the last one; size 0:
    too short to search for. Owned by the match.                             */
const char *
    stele_match_part (const stele_match_t *self, size_t number, size_t *size);

/*  ASCII to lower case, other bytes unchanged.                              */
char
    stele_match_lower (char byte);

/*  True if an item can be a part of an id of hex digits and dashes.         */
bool
    stele_match_is_hex (const stele_match_t *self);

#endif
