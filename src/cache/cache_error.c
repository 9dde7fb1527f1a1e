/*  cache_error - report and record an error, close the connection, back off

    The bottom of stele_cache_t: every other file of the class calls it, it calls none of them.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "cache/cache_internal.h"
#include "base/clock.h"

#define STABLE_MS 3000              // After following for this long the back-off starts over

void
stele_cache_report (stele_cache_t *self, const char *format, ...)
{
    //  A message that was not fetched yet is kept in front
    self->news_is_warning = self->news_is_warning && !self->news_read;
    size_t used = self->news_read? 0: strlen (self->news);
    if (used && used + 2 < sizeof self->news) {
        memcpy (self->news + used, "; ", 3);
        used += 2;
    }
    va_list args;
    va_start (args, format);
    vsnprintf (self->news + used, sizeof self->news - used, format, args);
    va_end (args);
    self->news_read = false;
}

const char *
stele_cache_news (stele_cache_t *self)
{
    if (self->news_read || !self->news [0])
        return NULL;
    self->news_read = true;
    return self->news;
}

bool
stele_cache_news_is_warning (const stele_cache_t *self)
{
    return self->news_is_warning;
}

//  Record an error; report it only if it differs from the last one

static void
s_set_error (stele_cache_t *self, const char *text)
{
    if (strcmp (self->last_error, text) != 0 || !self->error_reported)
        stele_cache_warn (self, "%s", text);
    self->error_reported = true;
    snprintf (self->last_error, sizeof self->last_error, "%s", text);
    self->errors++;
}

static void
s_disconnect (stele_cache_t *self)
{
    self->cause = NULL;
    self->failing = true;
    int64_t now_ms = stele_clock_steady_ms ();
    if (self->phase == STELE_PHASE_FOLLOWING && now_ms - self->following_ms > STABLE_MS)
        self->wait_ms = STELE_CACHE_WAIT_MIN_MS;
    stele_redis_disconnect (self->redis);
    stele_batch_clear (self->batch);
    self->phase = STELE_PHASE_AWAY;
    self->at_head = false;
    self->rebuild_head = 0;
    self->retry_ms = now_ms + self->wait_ms;
    self->wait_ms = self->wait_ms * 2 < STELE_CACHE_WAIT_MAX_MS? self->wait_ms * 2: STELE_CACHE_WAIT_MAX_MS;
}

int
stele_cache_disconnect (stele_cache_t *self, const char *format, ...)
{
    char text [sizeof self->last_error];
    va_list args;
    va_start (args, format);
    vsnprintf (text, sizeof text, format, args);
    va_end (args);
    s_set_error (self, text);
    s_disconnect (self);
    return STELE_EUNAVAILABLE;
}

int
stele_cache_connection_lost (stele_cache_t *self)
{
    return stele_cache_refused (self, "is away");
}

int
stele_cache_refused (stele_cache_t *self, const char *what)
{
    //  The text is lost with the connection
    char error [256];
    snprintf (error, sizeof error, "%s", stele_redis_error (self->redis));
    const stele_redis_cause_t *cause = stele_redis_cause (error);
    int rc = stele_cache_disconnect (self, "Redis at %s %s: %s (%s)", self->url, what, error, cause->remedy);
    self->cause = cause;
    return rc;
}

int
stele_cache_deposed (stele_cache_t *self, const redisReply *epoch)
{
    int64_t later = epoch && epoch->type == REDIS_REPLY_STRING? stele_layout_parse_epoch (epoch->str, self->ledger_id): 0;
    if (self->epoch == 0 || later <= self->epoch)
        return 0;
    self->wait_ms = STELE_CACHE_WAIT_MAX_MS;
    return stele_cache_disconnect (self, "Redis at %s (prefix %s) is kept by a later writer of the shared log, of epoch %" PRId64
        " (this node: %" PRId64 "); if the database of the log was restored, delete the key %s", self->url, self->layout.prefix, later,
        self->epoch, self->layout.epoch.data);
}

int
stele_cache_ledger_failed (stele_cache_t *self, stele_reader_t *reader, int code)
{
    char text [sizeof self->last_error];
    snprintf (text, sizeof text, "the cache cannot read the ledger: %s",
        stele_reader_error (reader));
    s_set_error (self, text);
    return code;
}

int
stele_cache_must_stop (stele_cache_t *self)
{
    if (!self->ends || !self->ends (self->ends_arg))
        return 0;
    snprintf (self->last_error, sizeof self->last_error, "the broker is stopping");
    return STELE_EUNAVAILABLE;
}
