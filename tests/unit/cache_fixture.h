/*  cache_fixture - a ledger, a Redis and a cache between them, for the tests of the follower

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef CACHE_FIXTURE_H_INCLUDED
#define CACHE_FIXTURE_H_INCLUDED

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <dirent.h>
#include <cmocka.h>
#include "cache/cache.h"
#include "ledger/ledger.h"
#include "base/clock.h"
#include "wire/scan.h"
#include "redis_server.h"

#define FIXTURE_TTL_S 100
#define P "{stele}"

typedef struct {
    redis_server_t *server;
    char folder [64];
    char path [96];
    stele_ledger_t *ledger;
    stele_reader_t *reader;
    stele_cache_options_t options;
    stele_cache_t *cache;
    stele_pack_t *pack;
    stele_record_t *event;
    char news [4096];               // All that was said
    char text [1024];
} fixture_t;

static inline void
fixture_open_cache (fixture_t *self)
{
    stele_refusal_t refusal;
    stele_cache_destroy (&self->cache);
    self->cache = stele_cache_new (&self->options, &refusal);
    assert_non_null (self->cache);
}

static inline void
fixture_open_ledger (fixture_t *self, const char *name)
{
    stele_refusal_t refusal;
    snprintf (self->path, sizeof self->path, "%s/%s", self->folder, name);
    stele_reader_close (&self->reader);
    stele_ledger_close (&self->ledger);
    self->ledger = stele_ledger_open (self->path, STELE_CHECK_NONE, &refusal);
    assert_non_null (self->ledger);
    self->reader = stele_reader_open (self->path, &refusal);
    assert_non_null (self->reader);
}

static inline int
fixture_setup (void **state)
{
    fixture_t *self = calloc (1, sizeof *self);
    self->server = redis_server_new ();
    strcpy (self->folder, "/tmp/stele-cache-XXXXXX");
    assert_non_null (mkdtemp (self->folder));
    fixture_open_ledger (self, "a.db");
    self->options = (stele_cache_options_t) {
        .url = self->server->url, .prefix = P, .terminal_ttl_s = FIXTURE_TTL_S
    };
    fixture_open_cache (self);
    self->pack = stele_pack_new ();
    self->event = stele_record_new ();
    *state = self;
    return 0;
}

static inline int
fixture_teardown (void **state)
{
    fixture_t *self = *state;
    stele_cache_destroy (&self->cache);
    stele_reader_close (&self->reader);
    stele_ledger_close (&self->ledger);
    stele_pack_destroy (&self->pack);
    stele_record_destroy (&self->event);
    redis_server_destroy (&self->server);
    DIR *folder = opendir (self->folder);
    for (struct dirent *entry; (entry = readdir (folder)); ) {
        char path [400];
        snprintf (path, sizeof path, "%s/%s", self->folder, entry->d_name);
        unlink (path);
    }
    closedir (folder);
    rmdir (self->folder);
    free (self);
    return 0;
}

//  -- events ---------------------------------------------------------------------

static inline int64_t
fixture_append (fixture_t *self)
{
    int64_t position = 0;
    stele_refusal_t refusal = { 0 };
    if (!stele_record_has (self->event, STELE_TIME))
        stele_record_set_integer (self->event, STELE_TIME, 1700000000000000);
    int rc = stele_ledger_append (self->ledger, self->event, 0, &position, &refusal);
    if (rc != 1)
        fail_msg ("append: %d %s", rc, refusal.message);
    stele_record_clear (self->event);
    return position;
}

static inline void
fixture_text (fixture_t *self, stele_field_t field, const char *text)
{
    if (text)
        stele_record_set_text (self->event, field, text, strlen (text));
}

static inline void
fixture_created (fixture_t *self, const char *id, const char *role)
{
    self->event->type = STELE_TASK_CREATED;
    fixture_text (self, STELE_TASK_ID, id);
    fixture_text (self, STELE_TITLE, "A title");
    fixture_text (self, STELE_DESCRIPTION, "A description");
    fixture_text (self, STELE_ROLE, role);
    fixture_append (self);
}

static inline void
fixture_changed (fixture_t *self, const char *id, stele_task_state_t to, const char *error)
{
    self->event->type = STELE_TASK_STATE_CHANGED;
    fixture_text (self, STELE_TASK_ID, id);
    stele_record_set_word (self->event, STELE_STATE, STELE_VOCABULARY_TASK_STATE, to);
    fixture_text (self, STELE_ERROR_MESSAGE, error);
    fixture_append (self);
}

static inline void
fixture_session (fixture_t *self, const char *id, stele_session_state_t to)
{
    self->event->type = STELE_SESSION_STATE_CHANGED;
    fixture_text (self, STELE_SESSION_ID, id);
    stele_record_set_word (self->event, STELE_STATE, STELE_VOCABULARY_SESSION_STATE, to);
    fixture_append (self);
}

static inline void
fixture_begin (fixture_t *self)
{
    assert_int_equal (stele_ledger_begin (self->ledger), 0);
}

static inline void
fixture_commit_at (fixture_t *self, int64_t now_us)
{
    assert_int_equal (stele_ledger_commit (self->ledger, now_us), 0);
}

static inline void
fixture_commit (fixture_t *self)
{
    fixture_commit_at (self, stele_clock_us ());
}

//  -- following --------------------------------------------------------------------

static inline int
fixture_step (fixture_t *self)
{
    int wait_ms = stele_cache_step (self->cache, self->reader, stele_clock_us ());
    for (const char *news; (news = stele_cache_news (self->cache)); ) {
        size_t used = strlen (self->news);
        snprintf (self->news + used, sizeof self->news - used, "%s%s\n", stele_cache_news_is_warning (self->cache)?
            "warning: ": "", news);
    }
    return wait_ms;
}

//  Step until it is in that state (LIVE: at the head), within a minute

static inline void
fixture_until (fixture_t *self, stele_cache_state_t state)
{
    int64_t until = stele_clock_us () + 60000000;
    while (stele_clock_us () < until) {
        int wait_ms = fixture_step (self);
        if (stele_cache_state (self->cache) == state
        &&  (state != STELE_CACHE_LIVE
             || stele_cache_position (self->cache) == stele_reader_head (self->reader)))
            return;
        poll (NULL, 0, wait_ms);
    }
    fail_msg ("not in state %d; news: %s", state, self->news);
}

//  A number in a map that a cache packed: of the statistics, or of a request's answer

static inline int64_t
fixture_number (fixture_t *self, const char *key)
{
    stele_token_t token = stele_scan_find (stele_pack_data (self->pack),
        stele_pack_size (self->pack), key, NULL, NULL);
    assert_int_equal (token.kind, STELE_SCAN_INTEGER);
    return token.integer;
}

static inline void
fixture_stats (fixture_t *self)
{
    stele_pack_clear (self->pack);
    stele_cache_pack_stats (self->cache, stele_reader_head (self->reader), stele_clock_us (),
        stele_clock_us (), self->pack);
}

static inline const char *
fixture_string (fixture_t *self, const char *key)
{
    stele_token_t token = stele_scan_find (stele_pack_data (self->pack),
        stele_pack_size (self->pack), key, NULL, NULL);
    assert_int_equal (token.kind, STELE_SCAN_TEXT);
    snprintf (self->text, sizeof self->text, "%.*s", (int) token.size, token.data);
    return self->text;
}

//  Check; the answer is then in the pack

static inline void
fixture_check (fixture_t *self, bool repair)
{
    stele_refusal_t refusal = { 0 };
    stele_pack_clear (self->pack);
    size_t mark = stele_pack_open_map (self->pack);
    int count = stele_cache_check (self->cache, self->reader, repair, self->pack, &refusal);
    if (count < 0)
        fail_msg ("check: %s", refusal.message);
    stele_pack_close (self->pack, mark, (size_t) count);
}

static inline void
fixture_assert_counts (fixture_t *self, int64_t checked, int64_t missing, int64_t extra,
    int64_t mismatched)
{
    assert_int_equal (fixture_number (self, "checked"), checked);
    assert_int_equal (fixture_number (self, "missing"), missing);
    assert_int_equal (fixture_number (self, "extra"), extra);
    assert_int_equal (fixture_number (self, "mismatched"), mismatched);
    stele_token_t share = stele_scan_find (stele_pack_data (self->pack),
        stele_pack_size (self->pack), "consistent", NULL, NULL);
    assert_int_equal (share.kind, STELE_SCAN_REAL);
    assert_true ((share.real == 1.0) == (missing + extra + mismatched == 0));
}

//  What a command answers; "(nil)" where there is nothing

#define fixture_redis(self, ...) \
    redis_server_text ((self)->server, (self)->text, sizeof (self)->text, __VA_ARGS__)
#define fixture_count(self, ...) redis_server_number ((self)->server, __VA_ARGS__)
#define fixture_meddle(self, ...) \
    freeReplyObject (redis_server_ask ((self)->server, __VA_ARGS__))
#define FIXTURE_TEST(name) \
    cmocka_unit_test_setup_teardown (name, fixture_setup, fixture_teardown)

#endif
