/*  text_index - the index of the texts of tasks: a follower of the log with a file of its own

    Beside the ledger, in LEDGER.search, FTS5 has which words are in the title,
    the description and the last error of each task, and the ids of all tasks
    stand one behind the other. Nothing but what follows from the ledger is in
    it: a file that is damaged, or of another ledger, is made anew. The file's
    own cursor moves in the transaction of what was indexed. What is not indexed
    yet a search reads in the log, so that nothing has to wait for the index.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_TEXT_INDEX_H_INCLUDED
#define STELE_TEXT_INDEX_H_INCLUDED

#include "ledger/reader.h"

/*  Events that are left for searches to read in the log: so that a portion pays */
#define STELE_SEARCH_LAG 512

#define STELE_SEARCH_SUFFIX ".search"

typedef struct stele_text_index stele_text_index_t;

/*  Open, or make, the index of the ledger that the reader reads (borrowed: it has to live
    longer). 'path' is the ledger's. One a ledger. Caller owns return value. NULL: the
    reason in the refusal.                                                   */
stele_text_index_t *
    stele_text_index_open (const char *path, stele_reader_t *reader, stele_refusal_t *refusal);
void
    stele_text_index_close (stele_text_index_t **self_p);

/*  The events up to this position are indexed.                              */
int64_t
    stele_text_index_position (const stele_text_index_t *self);

/*  Index one portion of the events up to 'head', and not the last of them before there are
    enough. Returns how many events that was, 0: none to be indexed now, or an error: close
    it then, and open it again later.                                        */
int64_t
    stele_text_index_follow (stele_text_index_t *self, int64_t head);

/*  Text of the last error. Owned by the index.                              */
const char *
    stele_text_index_error (const stele_text_index_t *self);

#endif
