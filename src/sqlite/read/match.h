/*  match - what a person typed into a search box, and whether a task is meant by it

    Text is words, split at spaces; "quoted text" is one item. An item matches
    a task where its words follow one another in the title, the description or
    the last error, the last of them as the beginning of a word unless it is
    quoted; or where it is a part of the task's id (from 3 bytes on). All items
    have to match. Case and accents make no difference. Words are what FTS5's
    own tokenizer takes for them, so that the index and this agree. There are no
    operators: whatever was typed is text.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_MATCH_H_INCLUDED
#define STELE_MATCH_H_INCLUDED

#include <sqlite3.h>
#include "model/record.h"

#define STELE_MATCH_ITEMS 16
#define STELE_MATCH_WORDS 32        // Of one item; what comes behind is left aside

//  How the index and the text of tasks are split into words
#define STELE_MATCH_TOKENIZER "unicode61", "remove_diacritics", "2"
#define STELE_MATCH_TOKENIZE "unicode61 remove_diacritics 2"

typedef struct stele_match stele_match_t;

/*  Caller owns return value. NULL: `code` is STELE_EUNAVAILABLE where this SQLite has no
    FTS5, else STELE_ENO_MEMORY.                                             */
stele_match_t *
    stele_match_new (sqlite3 *db, const char *text, size_t size, int *code);
void
    stele_match_destroy (stele_match_t **self_p);

/*  Nothing that was typed has a letter or a digit in it: nothing matches.    */
bool
    stele_match_is_empty (const stele_match_t *self);

/*  What FTS5 is to be asked for so as to find all that may match by text; NULL: it cannot
    tell. Owned by the match.                                                */
const char *
    stele_match_expression (const stele_match_t *self);

/*  Does a task match?                                                       */
bool
    stele_match_passes (stele_match_t *self, const stele_record_t *task);

/*  Memory was short meanwhile: what was said of tasks since may be wrong.    */
bool
    stele_match_failed (const stele_match_t *self);

/*  The items as they were typed, in lower case: what may be a part of an id. NULL behind the
    last; size 0: too short to be looked for. Owned by the match.            */
const char *
    stele_match_part (const stele_match_t *self, size_t number, size_t *size);

/*  ASCII in lower case, other bytes as they are.                            */
char
    stele_match_lower (char byte);

/*  Could an item be a part of an id that is all hex digits and dashes?       */
bool
    stele_match_is_hex (const stele_match_t *self);

#endif
