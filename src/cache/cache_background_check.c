/*  cache_background_check - find and repair records that Redis lost silently

    Redis may evict keys (maxmemory-policy), and any client may delete one: the position
    does not show it. So an idle cache compares a page of active
    records and one of ended ones with the ledger every check_interval_ms, round after round, and repairs
    differences. When Redis reports evicted keys, a round starts at once.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <inttypes.h>
#include <string.h>
#include "cache/page_check.h"
#include "base/clock.h"

#define URGENT_MS 50                // Between two pages after evictions
#define EVICTIONS_INTERVAL_MS 2000  // Between two queries of Redis for them

//  The number after 'name:' in the answer to INFO; -1: not found

static int64_t
s_info (const redisReply *reply, const char *name)
{
    if (!reply || reply->type != REDIS_REPLY_STRING)
        return -1;
    const char *found = strstr (reply->str, name);
    int64_t value = -1;
    if (found) {
        const char *digits = found + strlen (name);
        stele_redis_parse_integer (digits, strspn (digits, "0123456789"), &value);
    }
    return value;
}

//  Redis counts from its start. INFO may be denied to this account: then nothing is found.

static void
s_check_evictions (stele_cache_t *self)
{
    stele_redis_command (self->redis, "INFO", "stats", NULL);
    redisReply *reply = stele_redis_reply (self->redis);
    int64_t count = s_info (reply, "evicted_keys:");
    freeReplyObject (reply);
    stele_background_check_t *background = &self->background;
    if (count > background->evictions_seen) {
        if (!background->urgent)
            stele_cache_warn (self, "Redis at %s evicted %" PRId64 " key%s because its memory was "
                "full: restoring the missing records", self->url, count - background->evictions_seen,
                count - background->evictions_seen == 1? "": "s");
        self->evicted += count - background->evictions_seen;
        background->urgent = background->active_left = background->ended_left = true;
        background->task = background->session = background->ended = 0;
        background->in_sessions = false;
    }
    if (count >= 0)
        background->evictions_seen = count;
}

//  Check one page of active records: tasks, then sessions, then tasks again. Returns 0 or an error.

static int
s_active (stele_page_check_t *check, stele_background_check_t *background)
{
    int rc = background->in_sessions? stele_page_check_open_sessions (check, &background->session):
        stele_page_check_active (check, &background->task);
    if (rc == 1) {
        if (background->in_sessions)
            background->active_left = false;
        background->in_sessions = !background->in_sessions;
        background->task = background->session = 0;
    }
    return rc < 0? rc: 0;
}

//  Check one page of the ended records that have not expired

static int
s_ended (stele_page_check_t *check, stele_background_check_t *background)
{
    stele_cache_t *self = check->cache;
    int64_t first = stele_reader_position_at (check->reader, self->now_us - self->terminal_ttl_us);
    if (first < 0)
        return stele_cache_ledger_failed (self, check->reader, (int) first);
    if (background->ended < first)
        background->ended = first;
    int rc = stele_page_check_ended (check, &background->ended, self->head);
    if (rc == 1) {
        background->ended_left = false;
        background->ended = 0;
    }
    return rc < 0? rc: 0;
}

int
stele_cache_background_check (stele_cache_t *self, stele_reader_t *reader)
{
    stele_background_check_t *background = &self->background;
    int64_t now_ms = stele_clock_steady_ms ();
    if (!background->interval_ms || now_ms < background->due_ms)
        return 0;
    if (now_ms >= background->info_due_ms) {
        s_check_evictions (self);
        background->info_due_ms = now_ms + EVICTIONS_INTERVAL_MS;
    }
    if (!stele_redis_connected (self->redis))
        return stele_cache_connection_lost (self);
    stele_page_check_t check = { .cache = self, .reader = reader, .repair = true };
    int rc = s_active (&check, background);
    if (rc == 0)
        rc = s_ended (&check, background);
    stele_batch_clear (self->batch);
    self->repaired += check.repaired;
    background->unreported += check.repaired;
    background->urgent = background->urgent && (background->active_left || background->ended_left);
    if (background->unreported && !background->urgent) {
        stele_cache_report (self, "repaired %" PRId64 " record%s that were missing in Redis at %s, or "
            "differed from the ledger", background->unreported, background->unreported == 1? "": "s", self->url);
        background->unreported = 0;
    }
    background->due_ms = now_ms + (background->urgent? URGENT_MS: background->interval_ms);
    return rc;
}
