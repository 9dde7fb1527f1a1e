/*  tiles - hash the events of a history tile by tile, those of a ledger on several threads

    Each thread takes the next tile, reads its events, and makes their lines, their hashes and what matters for the tables
    that follow from them. The results are passed on in the order of the tiles.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLI_TILES_H_INCLUDED
#define STELE_CLI_TILES_H_INCLUDED

#include "cli/proof/history.h"
#include "proof/derive.h"
#include "proof/verifier.h"

#define CLI_TILES_THREADS_MAX 16

/*  Called per tile, in order, on any of the threads but never on two at once. 'batch' has its events if they are of a ledger. */
typedef void (cli_tile_fn) (const stele_tile_t *tile, const stele_derive_batch_t *batch, void *arg);

/*  Read the events up to position 'last', 0: all. With readers besides that of the history, each is used by a thread of its
    own: all keep the same state of the ledger (cli_tiles_begin). Returns 0, or a code with a refusal: the event after those
    that were passed on cannot be read.                                      */
int
    cli_tiles_read (const cli_history_t *history, stele_reader_t *const *readers, size_t count, int64_t last,
        cli_tile_fn *fn, void *arg, stele_refusal_t *refusal);

/*  Open the ledger for up to 'count' more threads, and keep one state of it for them and for the reader of the history. Returns
    how many readers there are besides that one (while its broker commits all the time, there may be none), or a code: nothing is
    kept. End with cli_tiles_end.                                            */
int
    cli_tiles_begin (const cli_history_t *history, stele_reader_t **readers, size_t count);
void
    cli_tiles_end (const cli_history_t *history, stele_reader_t **readers, size_t count);

#endif
