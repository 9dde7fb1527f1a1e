/*  publish_counts - outcome of the published lines: counts, and the line of each event

    The client numbers events; people number lines, some of which are empty or bad. The counts
    keep the difference until an event is settled (acked or refused).

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_PUBLISH_COUNTS_H_INCLUDED
#define STELE_PUBLISH_COUNTS_H_INCLUDED

#include "stele_client.h"

typedef struct cli_publish_counts cli_publish_counts_t;

cli_publish_counts_t *
    cli_publish_counts_new (void);
void
    cli_publish_counts_destroy (cli_publish_counts_t **self_p);

/*  The event that the client numbered came from that line. Numbers ascend.  */
void
    cli_publish_counts_published (cli_publish_counts_t *self, int64_t number, int64_t line);

/*  Count a receipt. Returns the line of a refused event, otherwise 0.        */
int64_t
    cli_publish_counts_receipt (cli_publish_counts_t *self, const stele_receipt_t *receipt);

typedef struct {
    int64_t events;                 // Published
    int64_t accepted;
    int64_t duplicates;
    int64_t refused;
    int64_t open;                   // Not settled yet
    int64_t position;               // Of the last ack
} cli_publish_counts_counts_t;

cli_publish_counts_counts_t
    cli_publish_counts_counts (const cli_publish_counts_t *self);

#endif
