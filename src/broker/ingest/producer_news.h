/*  producer_news - lines of the log about producers, without floods

    News belong to the open batch: stele_news_commit prints them, stele_news_rollback drops
    them, so that a batch can be run again.

    At most STELE_NEWS_BURST lines per kind are printed in ten seconds; the others are counted, and
    their number is one more line at the end of that time. Refused events are counted per producer
    and code: the first one is a line, the others are one line per minute.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_PRODUCER_NEWS_H_INCLUDED
#define STELE_PRODUCER_NEWS_H_INCLUDED

#include <stdint.h>
#include "model/refusal.h"

#define STELE_NEWS_BURST 10

/*  X (kind, level, event, name of the number as a field, text for the lines that were left out) */
#define STELE_NEWS_KINDS(X) \
    X (NEW_RUN,     INFO,    "new_instance",  NULL,          "new instances of producers") \
    X (FENCED,      WARNING, "fenced",        "connections", "fenced instances of producers") \
    X (LEASE,       WARNING, "lease_expired", "tasks",       "producers whose lease has run out") \
    X (INTERRUPTED, WARNING, "interrupted",   "tasks",       "producers whose tasks were interrupted") \
    X (BEHIND,      ERROR,   "ledger_behind", "events",      "producers with acks of events that the ledger lacks") \
    X (REFUSED,     WARNING, "refused",       "events",      "reports of refused events")

#define STELE_NEWS_ENUM(kind, level, event, number, others) STELE_NEWS_##kind,
typedef enum { STELE_NEWS_KINDS (STELE_NEWS_ENUM) STELE_NEWS_COUNT } stele_news_kind_t;
#undef STELE_NEWS_ENUM

typedef struct stele_news stele_news_t;

/*  Caller owns return value.                                                */
stele_news_t *
    stele_news_new (void);
void
    stele_news_destroy (stele_news_t **self_p);

/*  Note an event in the life of a producer; 'number' becomes a field if the kind has one. */
void
    stele_news_add (stele_news_t *self, stele_news_kind_t kind, const char *producer, int64_t number,
        const char *format, ...) STELE_PRINTF (5, 6);

/*  Note a refused event, or message; NULL is a peer that is not a producer. */
void
    stele_news_refused (stele_news_t *self, const char *producer, const stele_refusal_t *refusal);

/*  Print the news of the batch, which is durable now. 'now_us' is the steady clock. */
void
    stele_news_commit (stele_news_t *self, int64_t now_us);

/*  Drop the news of the batch.                                              */
void
    stele_news_rollback (stele_news_t *self);

/*  Print the counts that are due. Call it some times per second.            */
void
    stele_news_tick (stele_news_t *self, int64_t now_us);

#endif
