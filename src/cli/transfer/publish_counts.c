/*  publish_counts - outcome of the published lines: counts, and the line of each event

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdlib.h>
#include <string.h>
#include "base/memory.h"
#include "cli/transfer/publish_counts.h"

//  From this number to the next run, line minus number is constant
typedef struct {
    int64_t number;
    int64_t line;
} s_run_t;

struct cli_publish_counts {
    cli_publish_counts_counts_t counts;
    int64_t through;                // Every number up to this one is settled
    s_run_t *runs;
    size_t run_count;
    size_t run_room;
    int64_t *refused;               // Numbers above 'through'
    size_t refused_count;
    size_t refused_room;
};

cli_publish_counts_t *
cli_publish_counts_new (void)
{
    return STELE_NEW (cli_publish_counts_t);
}

void
cli_publish_counts_destroy (cli_publish_counts_t **self_p)
{
    cli_publish_counts_t *self = *self_p;
    if (!self)
        return;
    free (self->runs);
    free (self->refused);
    free (self);
    *self_p = NULL;
}

//  Forget runs that only settled numbers need
static void
s_forget_runs (cli_publish_counts_t *self)
{
    size_t gone = 0;
    while (gone + 1 < self->run_count && self->runs [gone + 1].number <= self->through + 1)
        gone++;
    if (gone == 0)
        return;
    self->run_count -= gone;
    memmove (self->runs, self->runs + gone, self->run_count * sizeof *self->runs);
}

void
cli_publish_counts_published (cli_publish_counts_t *self, int64_t number, int64_t line)
{
    self->counts.events++;
    const s_run_t *last = self->run_count? &self->runs [self->run_count - 1]: NULL;
    if (last && last->line - last->number == line - number)
        return;
    self->runs = stele_array_must_grow (self->runs, &self->run_room, self->run_count + 1, sizeof *self->runs);
    self->runs [self->run_count++] = (s_run_t) { number, line };
}

static int64_t
s_line (const cli_publish_counts_t *self, int64_t number)
{
    for (size_t i = self->run_count; i-- > 0; )
        if (self->runs [i].number <= number)
            return self->runs [i].line + number - self->runs [i].number;
    return 0;
}

static void
s_acked (cli_publish_counts_t *self, const stele_receipt_t *receipt)
{
    if (receipt->position > self->counts.position)
        self->counts.position = receipt->position;
    if (receipt->number <= self->through)
        return;
    int64_t settled = receipt->number - self->through;
    size_t kept = 0;
    for (size_t i = 0; i < self->refused_count; i++)
        if (self->refused [i] <= receipt->number)
            settled--;
        else
            self->refused [kept++] = self->refused [i];
    self->refused_count = kept;
    self->through = receipt->number;
    if (receipt->duplicate)
        self->counts.duplicates += settled;
    else
        self->counts.accepted += settled;
    s_forget_runs (self);
}

static void
s_refused (cli_publish_counts_t *self, int64_t number)
{
    self->counts.refused++;
    if (number <= self->through) {  // An earlier ack counted it as accepted
        self->counts.accepted--;
        return;
    }
    self->refused = stele_array_must_grow (self->refused, &self->refused_room, self->refused_count + 1,
        sizeof *self->refused);
    self->refused [self->refused_count++] = number;
}

int64_t
cli_publish_counts_receipt (cli_publish_counts_t *self, const stele_receipt_t *receipt)
{
    if (receipt->fate == STELE_ACKED) {
        s_acked (self, receipt);
        return 0;
    }
    s_refused (self, receipt->number);
    return s_line (self, receipt->number);
}

cli_publish_counts_counts_t
cli_publish_counts_counts (const cli_publish_counts_t *self)
{
    cli_publish_counts_counts_t counts = self->counts;
    counts.open = counts.events - counts.accepted - counts.duplicates - counts.refused;
    return counts;
}
