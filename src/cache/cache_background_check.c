/*  cache_scrub - what Redis lost without a word, found in passing

    Redis may drop keys by itself (a maxmemory-policy that evicts), and anybody may delete one:
    no position tells. So a follower that has nothing else to do compares a page of active
    records and one of ended ones with the ledger every scrub_ms, round after round, and puts
    right what differs. When Redis says that it has evicted keys, a round is made at once.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <inttypes.h>
#include <string.h>
#include "cache/page_check.h"
#include "base/clock.h"

#define HURRY_MS 50                 // From one page to the next after evictions
#define EVICTIONS_MS 2000           // Redis is asked for them so often

//  The number behind 'name:' in the text that INFO answers; -1: it is not there

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

//  Redis counts since it was started. An account that may not ask is answered with an error.

static void
s_see_evictions (stele_cache_t *self)
{
    stele_redis_command (self->redis, "INFO", "stats", NULL);
    redisReply *reply = stele_redis_reply (self->redis);
    int64_t count = s_info (reply, "evicted_keys:");
    freeReplyObject (reply);
    stele_scrub_t *scrub = &self->scrub;
    if (count > scrub->evictions_seen) {
        if (!scrub->hurry)
            stele_cache_tell (self, "Redis at %s has evicted %" PRId64 " keys, since its memory was "
                "full: putting back what is missing", self->url, count - scrub->evictions_seen);
        self->evicted += count - scrub->evictions_seen;
        scrub->hurry = scrub->active_left = scrub->ended_left = true;
        scrub->task = scrub->session = scrub->ended = 0;
        scrub->in_sessions = false;
    }
    if (count >= 0)
        scrub->evictions_seen = count;
}

//  One page of what is active: tasks, then sessions, then tasks again. Returns 0 or an error.

static int
s_active (stele_page_check_t *compare, stele_scrub_t *scrub)
{
    int rc = scrub->in_sessions? stele_page_check_open_sessions (compare, &scrub->session):
        stele_page_check_active (compare, &scrub->task);
    if (rc == 1) {
        if (scrub->in_sessions)
            scrub->active_left = false;
        scrub->in_sessions = !scrub->in_sessions;
        scrub->task = scrub->session = 0;
    }
    return rc < 0? rc: 0;
}

//  One page of the ended ones that Redis still has to hold

static int
s_ended (stele_page_check_t *compare, stele_scrub_t *scrub)
{
    stele_cache_t *self = compare->cache;
    int64_t first = stele_reader_position_at (compare->reader, self->now_us - self->terminal_ttl_us);
    if (first < 0)
        return stele_cache_ledger_failed (self, compare->reader, (int) first);
    if (scrub->ended < first)
        scrub->ended = first;
    int rc = stele_page_check_ended (compare, &scrub->ended, self->head);
    if (rc == 1) {
        scrub->ended_left = false;
        scrub->ended = 0;
    }
    return rc < 0? rc: 0;
}

int
stele_cache_scrub (stele_cache_t *self, stele_reader_t *reader)
{
    stele_scrub_t *scrub = &self->scrub;
    int64_t now_ms = stele_clock_steady_ms ();
    if (!scrub->every_ms || now_ms < scrub->due_ms)
        return 0;
    if (now_ms >= scrub->ask_ms) {
        s_see_evictions (self);
        scrub->ask_ms = now_ms + EVICTIONS_MS;
    }
    if (!stele_redis_connected (self->redis))
        return stele_cache_lost (self);
    stele_page_check_t compare = { .cache = self, .reader = reader, .repair = true };
    int rc = s_active (&compare, scrub);
    if (rc == 0)
        rc = s_ended (&compare, scrub);
    stele_batch_clear (self->batch);
    self->repaired += compare.repaired;
    scrub->found += compare.repaired;
    scrub->hurry = scrub->hurry && (scrub->active_left || scrub->ended_left);
    if (scrub->found && !scrub->hurry) {
        stele_cache_tell (self, "%" PRId64 " records that Redis at %s had lost, or not as the "
            "ledger has them, were put right", scrub->found, self->url);
        scrub->found = 0;
    }
    scrub->due_ms = now_ms + (scrub->hurry? HURRY_MS: scrub->every_ms);
    return rc;
}
