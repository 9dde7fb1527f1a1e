/*  tokenizer - split texts into words, for searches and the index

    Words are those of FTS5's unicode61, without accents and case, except in scripts that put no
    spaces between words (Chinese, Japanese, Thai, ...), in Hangul, whose words take endings, and
    for emoji. A run of such characters is split into its overlapping pairs, and its last character
    alone: every part of the run begins at some word, and its pairs follow one another there.

        fix 修复构建  ->  "fix" "修复" "复构" "构建" "建"

    A search for 复构 is the words "复构" and "构", the last one as the beginning of a word.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_TOKENIZER_H_INCLUDED
#define STELE_TOKENIZER_H_INCLUDED

#include <sqlite3.h>
#include <stddef.h>

/*  The "tokenize" option of a table whose connection has the tokenizer      */
#define STELE_TOKENIZER "stele"

typedef struct stele_tokenizer stele_tokenizer_t;

/*  Called for each word, as by FTS5. SQLITE_DONE stops without an error.    */
typedef int (stele_tokenizer_fn) (void *arg, int flags, const char *word, int size, int start, int end);

/*  Caller owns return value. NULL: *rc is an SQLite error, SQLITE_ERROR if there is no FTS5. */
stele_tokenizer_t *
    stele_tokenizer_new (sqlite3 *db, int *rc);
void
    stele_tokenizer_destroy (stele_tokenizer_t **self_p);

/*  Split a text; 'flags' as those of FTS5. With FTS5_TOKENIZE_QUERY, a run of one or two characters
    is one word: a word of a text that is looked up. Returns SQLITE_OK or an error. */
int
    stele_tokenizer_split (stele_tokenizer_t *self, int flags, const char *text, int size,
        stele_tokenizer_fn *fn, void *arg);

/*  Make it known to FTS5 on a connection, by the name STELE_TOKENIZER. Returns SQLITE_OK or an error. */
int
    stele_tokenizer_register (sqlite3 *db);

/*  Number of characters of a word that is a part of such a run, 0 for another word. */
int
    stele_tokenizer_run_characters (const char *word, size_t size);

#endif
