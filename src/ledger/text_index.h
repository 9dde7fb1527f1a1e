/*  text_index - the index of the texts of tasks: a follower of the log with storage of its own

    It holds the words in the title, the description and the last error of each
    task, and the ids of all tasks. All of it can be derived from the ledger, so an
    index that is damaged, or that belongs to another ledger, is rebuilt. Its
    cursor moves in the same transaction as the entries. The newest events that are
    not indexed yet are searched in the log (STELE_SEARCH_TAIL). If the index is further behind, the
    requests actor holds a search back until it is not (broker/requests/router_index.c).

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_TEXT_INDEX_H_INCLUDED
#define STELE_TEXT_INDEX_H_INCLUDED

#include "ledger/reader.h"

/*  Fewer new events than this are left to be searched in the log: indexing has to be worth it */
#define STELE_SEARCH_LAG 512

/*  Events that are indexed at once, at most                                 */
#define STELE_SEARCH_PORTION 32768

/*  The newest events that a search reads from the log itself; those between them and the index are not
    searched                                                                 */
#define STELE_SEARCH_TAIL 131072

typedef struct stele_text_index stele_text_index_t;

/*  Open or create the index of the ledger at 'path', which the reader reads (borrowed: it must
    outlive the index). Only one per ledger. Caller owns return value. NULL: the reason is in
    the refusal.                                                             */
stele_text_index_t *
    stele_text_index_open (const char *path, stele_reader_t *reader, stele_refusal_t *refusal);
void
    stele_text_index_close (stele_text_index_t **self_p);

/*  Why the open had to build it from the start ("is of an earlier version"); NULL: it was usable. */
const char *
    stele_text_index_fault (const stele_text_index_t *self);

/*  Does it have words of a task that was erased since it was built? Then it has to be opened again, which builds it from the
    start.                                                                   */
bool
    stele_text_index_is_stale (stele_text_index_t *self);

/*  Position of the last indexed event.                                      */
int64_t
    stele_text_index_position (const stele_text_index_t *self);

/*  Index the next portion of the events up to 'head', once there are enough of them
    (STELE_SEARCH_LAG). Returns the number of events, 0: nothing to do now, or an error: then close
    the index and open it again later.                                       */
int64_t
    stele_text_index_follow (stele_text_index_t *self, int64_t head);

/*  Text of the last error. Owned by the index.                              */
const char *
    stele_text_index_error (const stele_text_index_t *self);

#endif
