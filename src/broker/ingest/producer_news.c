/*  producer_news - lines of the log about producers, without floods

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/memory.h"
#include "broker/common/log.h"
#include "broker/ingest/producer_news.h"
#include "stele_library.h"
#include "wire/event/message.h"

#define WINDOW_US       10000000
#define REFUSED_US      60000000
//  Most producers and codes whose refused events are counted apart
#define REFUSED_MAX     64

typedef struct {
    char producer [STELE_LIMIT_ID + 1];
    int64_t number;
    char text [800];
} s_item_t;

//  The lines of one kind
typedef struct {
    s_item_t *batch [STELE_NEWS_BURST];     // Of the open batch
    int batch_count;
    int64_t batch_more;             // Those of the batch that did not fit
    int64_t since_us;               // Steady clock: start of the window; 0: none
    int64_t printed, left_out;      // In the window
} s_kind_t;

//  Refused events of one producer with one code
typedef struct {
    char producer [STELE_LIMIT_ID + 1];         // "": of an unknown peer
    int code;                       // 0: unused
    char text [640];                // Of the last one
    int64_t batch;                  // In the open batch
    int64_t count;                  // Committed, and not printed yet
    int64_t printed_us;             // Steady clock: last line; 0: none
} s_refused_t;

struct stele_news {
    s_kind_t kinds [STELE_NEWS_COUNT];
    s_refused_t refused [REFUSED_MAX];
    s_refused_t others;             // Of producers that have no entry; its code is 0
    bool any;                       // The open batch has some
    int64_t ticked_us;
};

static const struct {
    stele_log_level_t level;
    const char *event, *number, *others;
} s_kinds [STELE_NEWS_COUNT] = {
#define S_KIND(kind, level, event, number, others) { STELE_LOG_##level, event, number, others },
    STELE_NEWS_KINDS (S_KIND)
#undef S_KIND
};

stele_news_t *
stele_news_new (void)
{
    return STELE_NEW (stele_news_t);
}

void
stele_news_destroy (stele_news_t **self_p)
{
    if (!*self_p)
        return;
    stele_news_rollback (*self_p);
    free (*self_p);
    *self_p = NULL;
}

void
stele_news_add (stele_news_t *self, stele_news_kind_t kind, const char *producer, int64_t number,
    const char *format, ...)
{
    s_kind_t *lines = &self->kinds [kind];
    self->any = true;
    if (lines->batch_count == STELE_NEWS_BURST) {
        lines->batch_more++;
        return;
    }
    s_item_t *item = STELE_NEW (s_item_t);
    va_list args;
    va_start (args, format);
    vsnprintf (item->text, sizeof item->text, format, args);
    va_end (args);
    snprintf (item->producer, sizeof item->producer, "%s", producer);
    item->number = number;
    lines->batch [lines->batch_count++] = item;
}

//  The entry of this producer and code, a free one, or that of the others
static s_refused_t *
s_refused (stele_news_t *self, const char *producer, int code)
{
    s_refused_t *spare = NULL;
    for (int i = 0; i < REFUSED_MAX; i++) {
        s_refused_t *entry = &self->refused [i];
        if (entry->code == code && strcmp (entry->producer, producer) == 0)
            return entry;
        if (!spare && entry->code == 0)
            spare = entry;
    }
    if (!spare)
        return &self->others;
    snprintf (spare->producer, sizeof spare->producer, "%s", producer);
    spare->code = code;
    return spare;
}

void
stele_news_refused (stele_news_t *self, const char *producer, const stele_refusal_t *refusal)
{
    s_refused_t *entry = s_refused (self, producer? producer: "", refusal->code);
    self->any = true;
    entry->batch++;
    snprintf (entry->text, sizeof entry->text, "%s", refusal->message);
}

//  -- printing -----------------------------------------------------------------------

static void
s_print (stele_news_t *self, stele_news_kind_t kind, const char *producer, const char *code, int64_t number,
    const char *text, int64_t now_us)
{
    stele_log_field_t fields [4] = { { NULL, NULL, 0 } };
    int count = 0;
    s_kind_t *lines = &self->kinds [kind];
    if (lines->since_us == 0)
        lines->since_us = now_us;
    if (lines->printed == STELE_NEWS_BURST) {
        lines->left_out++;
        return;
    }
    lines->printed++;
    if (*producer)
        fields [count++] = (stele_log_field_t) STELE_LOG_TEXT ("producer", producer);
    if (code)
        fields [count++] = (stele_log_field_t) STELE_LOG_TEXT ("code", code);
    if (s_kinds [kind].number)
        fields [count++] = (stele_log_field_t) STELE_LOG_NUMBER (s_kinds [kind].number, number);
    stele_log (s_kinds [kind].level, s_kinds [kind].event, fields, "%s", text);
}

static void
s_print_refused (stele_news_t *self, s_refused_t *entry, int64_t now_us)
{
    char text [1200];
    const char *code = entry->code? stele_error_name (entry->code): "several codes";
    const char *whose = *entry->producer? entry->producer: entry->code? "(peers and requests)": "(others)";
    if (entry->count == 1)
        snprintf (text, sizeof text, "producer %s: an event or message was refused (%s): %s", whose, code, entry->text);
    else
        snprintf (text, sizeof text, "producer %s: %lld events or messages were refused (%s), the last one: %s",
            whose, (long long) entry->count, code, entry->text);
    s_print (self, STELE_NEWS_REFUSED, entry->producer, entry->code? code: NULL, entry->count, text, now_us);
    entry->count = 0;
    entry->printed_us = now_us;
}

static void
s_commit_refused (stele_news_t *self, s_refused_t *entry, int64_t now_us)
{
    if (entry->batch == 0)
        return;
    entry->count += entry->batch;
    entry->batch = 0;
    if (entry->printed_us == 0)
        s_print_refused (self, entry, now_us);
}

void
stele_news_commit (stele_news_t *self, int64_t now_us)
{
    if (!self->any)
        return;
    self->any = false;
    for (int kind = 0; kind < STELE_NEWS_COUNT; kind++) {
        s_kind_t *lines = &self->kinds [kind];
        for (int i = 0; i < lines->batch_count; i++) {
            s_item_t *item = lines->batch [i];
            s_print (self, (stele_news_kind_t) kind, item->producer, NULL, item->number,
                item->text, now_us);
            free (item);
        }
        lines->left_out += lines->batch_more;
        lines->batch_count = 0;
        lines->batch_more = 0;
    }
    for (int i = 0; i < REFUSED_MAX; i++)
        s_commit_refused (self, &self->refused [i], now_us);
    s_commit_refused (self, &self->others, now_us);
}

void
stele_news_rollback (stele_news_t *self)
{
    self->any = false;
    for (int kind = 0; kind < STELE_NEWS_COUNT; kind++) {
        s_kind_t *lines = &self->kinds [kind];
        while (lines->batch_count)
            free (lines->batch [--lines->batch_count]);
        lines->batch_more = 0;
    }
    for (int i = 0; i < REFUSED_MAX; i++) {
        s_refused_t *entry = &self->refused [i];
        entry->batch = 0;
        if (entry->count == 0 && entry->printed_us == 0)
            entry->code = 0;
    }
    self->others.batch = 0;
}

//  After a minute: a line for those that came since the last one. Without any, the entry is free.
static void
s_tick_refused (stele_news_t *self, s_refused_t *entry, int64_t now_us)
{
    if (entry->printed_us == 0 || now_us - entry->printed_us < REFUSED_US)
        return;
    if (entry->count)
        s_print_refused (self, entry, now_us);
    else
    if (entry->batch == 0) {
        entry->code = 0;
        entry->printed_us = 0;
    }
}

void
stele_news_tick (stele_news_t *self, int64_t now_us)
{
    if (now_us - self->ticked_us < 1000000)
        return;
    self->ticked_us = now_us;
    for (int i = 0; i < REFUSED_MAX; i++)
        s_tick_refused (self, &self->refused [i], now_us);
    s_tick_refused (self, &self->others, now_us);
    for (int kind = 0; kind < STELE_NEWS_COUNT; kind++) {
        s_kind_t *lines = &self->kinds [kind];
        if (lines->since_us == 0 || now_us - lines->since_us < WINDOW_US)
            continue;
        if (lines->left_out)
            stele_log (s_kinds [kind].level, s_kinds [kind].event,
                STELE_LOG_FIELDS (STELE_LOG_NUMBER ("left_out", lines->left_out)),
                "%lld more %s in the last 10 s", (long long) lines->left_out, s_kinds [kind].others);
        lines->since_us = 0;
        lines->printed = lines->left_out = 0;
    }
}
