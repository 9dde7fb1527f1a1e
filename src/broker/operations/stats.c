/*  stats - ping, info, stats

    The statistics of the router and the other actors are in the context map, by the
    names of the actors: "writer", "cache", "feed", "pipeline", "search", "rollup", "segments", "backup", "archive", "seal"; and
    from the router "requests", "endpoints", "recovery", "consistency". A part that is absent, or did not answer in
    time, is an empty map.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <czmq.h>
#include "stele_library.h"
#include "broker/operations/query.h"
#include "cache/redis/redis.h"
#include "ledger/ledger.h"
#include "base/clock.h"
#include "wire/json/json.h"
#include "wire/pack.h"

#define LOSSES_MAX 100

typedef struct {
    stele_pack_t *pack;
    size_t count;
    size_t count_max;
} s_counts_t;

int
stele_operation_ping (stele_query_t *self, stele_params_t *params, stele_pack_t *pack)
{
    (void) self;
    (void) params;
    (void) pack;
    return 0;
}

//  -- parts of the context ---------------------------------------------------------

static bool
s_find_part (const stele_query_t *self, const char *name, const void **data, size_t *size)
{
    if (self->context_size == 0)
        return false;
    return stele_scan_find (self->context, self->context_size, name, data, size).kind
        == STELE_SCAN_MAP;
}

static void
s_pack_part (const stele_query_t *self, const char *key, const char *name, stele_pack_t *pack)
{
    const void *data;
    size_t size;
    stele_pack_key (pack, key);
    if (s_find_part (self, name, &data, &size))
        stele_pack_packed (pack, data, size);
    else
        stele_pack_map (pack, 0);
}

//  The entries of a part as entries of the answer itself

static void
s_pack_entries (const stele_query_t *self, const char *name, stele_pack_t *pack)
{
    const void *data;
    size_t size;
    if (!s_find_part (self, name, &data, &size))
        return;
    stele_scan_t scan = stele_scan_start (data, size);
    uint32_t count = stele_scan_next (&scan).count;
    while (count--) {
        char key [32];
        stele_token_t token = stele_scan_next (&scan);
        snprintf (key, sizeof key, "%.*s", (int) token.size, token.data);
        stele_scan_skip (&scan, &data, &size);
        stele_pack_key (pack, key);
        stele_pack_packed (pack, data, size);
    }
}

//  -- info -----------------------------------------------------------------------------

#define LIMIT_TEXT(member)
#define LIMIT_OPTIONAL(member)
#define LIMIT_WORD(member)
#define LIMIT_FLAG(member)
#define LIMIT_COUNT(member) \
    stele_pack_key_integer (pack, #member, self->settings->member);
#define LIMIT(name, member, type, ...) LIMIT_##type (member)

static void
s_pack_limits (const stele_query_t *self, stele_pack_t *pack)
{
    static const struct { const char *name; int64_t value; } fixed [] = {
        { "nesting",       STELE_LIMIT_NESTING },
        { "id_bytes",      STELE_LIMIT_ID },
        { "word_bytes",    STELE_LIMIT_WORD },
        { "title_bytes",   STELE_LIMIT_TITLE },
        { "path_bytes",    STELE_LIMIT_PATH },
        { "text_bytes",    STELE_LIMIT_TEXT },
        { "content_bytes", STELE_LIMIT_CONTENT }
    };
    stele_pack_key (pack, "limits");
    stele_pack_map_begin (pack);
    for (size_t i = 0; i < sizeof fixed / sizeof fixed [0]; i++)
        stele_pack_key_integer (pack, fixed [i].name, fixed [i].value);
    STELE_SETTINGS (LIMIT)
    stele_pack_map_end (pack);
}

static void
s_pack_parts (stele_pack_t *pack)
{
    int major, minor, patch;
    char zmq [40], czmq [40];
    zmq_version (&major, &minor, &patch);
    snprintf (zmq, sizeof zmq, "%d.%d.%d", major, minor, patch);
    zsys_version (&major, &minor, &patch);
    snprintf (czmq, sizeof czmq, "%d.%d.%d", major, minor, patch);
    stele_pack_key (pack, "parts");
    stele_pack_map_begin (pack);
    stele_pack_key_string (pack, "zmq", zmq);
    stele_pack_key_string (pack, "czmq", czmq);
    const char *library, *version;
    for (size_t i = 0; (library = stele_ledger_library (i, &version)) != NULL; i++)
        stele_pack_key_string (pack, library, version);
    stele_pack_key_string (pack, "hiredis", stele_hiredis_version ());
    stele_pack_key_string (pack, "msgpack", stele_msgpack_version ());
    stele_pack_key_string (pack, "jansson", stele_jansson_version ());
    stele_pack_map_end (pack);
}

//  Losses that an operator accepted, newest first

static int
s_pack_loss (const stele_lost_t *lost, void *arg)
{
    s_counts_t *self = arg;
    stele_pack_map_begin (self->pack);
    stele_pack_key_integer (self->pack, "time", lost->time_us);
    stele_pack_key_string (self->pack, "ledger", lost->ledger_id);
    stele_pack_key_integer (self->pack, "first", lost->first);
    stele_pack_key_integer (self->pack, "last", lost->last);
    stele_pack_key_integer (self->pack, "rejected", lost->rejected);
    stele_pack_key_string (self->pack, "evidence", lost->evidence);
    stele_pack_map_end (self->pack);
    self->count++;
    return 0;
}

static int
s_pack_losses (stele_query_t *self, stele_pack_t *pack)
{
    s_counts_t counts = { .pack = pack };
    stele_pack_key (pack, "losses");
    size_t mark = stele_pack_open_array (pack);
    int rc = stele_reader_losses (self->reader, LOSSES_MAX, s_pack_loss, &counts);
    stele_pack_close (pack, mark, counts.count);
    return rc;
}

static void
s_pack_users (const stele_query_t *self, stele_pack_t *pack)
{
    stele_pack_key (pack, "users");
    stele_pack_array (pack, self->identity->user_count);
    for (size_t i = 0; i < self->identity->user_count; i++)
        stele_pack_text (pack, self->identity->users [i].text, self->identity->users [i].size);
}

int
stele_operation_info (stele_query_t *self, stele_params_t *params, stele_pack_t *pack)
{
    stele_pack_key_string (pack, "version", STELE_VERSION);
    stele_pack_key_integer (pack, "protocol", STELE_PROTOCOL);
    stele_pack_key_string (pack, "ledger", self->ledger_id);
    stele_token_t mode = { .kind = STELE_SCAN_END };
    if (self->context_size)
        mode = stele_scan_find (self->context, self->context_size, "mode", NULL, NULL);
    stele_pack_key (pack, "mode");
    if (mode.kind == STELE_SCAN_TEXT)
        stele_pack_text (pack, mode.data, mode.size);
    else
        stele_pack_text (pack, self->has_cache? "dual": "sqlite", self->has_cache? 4: 6);
    stele_pack_key_integer (pack, "started_at", self->started_at_us);
    s_pack_limits (self, pack);
    s_pack_part (self, "endpoints", "endpoints", pack);
    s_pack_parts (pack);
    if (self->identity->user_count) {
        //  Losses concern all users
        s_pack_users (self, pack);
        return 0;
    }
    int rc = s_pack_losses (self, pack);
    return rc < 0? stele_query_failed (self, params, rc): 0;
}

//  -- stats -----------------------------------------------------------------------------

//  Tasks without such a word are left out, but are in the total. The largest counts come first,
//  so that a bound leaves out the smallest.

static int
s_pack_count (const char *word, int64_t count, void *arg)
{
    s_counts_t *self = arg;
    if (word) {
        stele_pack_key_integer (self->pack, word, count);
        self->count++;
    }
    return self->count == self->count_max;
}

static int
s_pack_counts (stele_query_t *self, stele_pack_t *pack, const char *key, int which)
{
    stele_pack_key (pack, key);
    s_counts_t counts = { pack, 0, (size_t) self->settings->list_limit };
    stele_pack_map_begin (pack);
    int rc = stele_reader_counts (self->reader, which, s_pack_count, &counts);
    stele_pack_map_end (pack);
    return rc;
}

static int
s_pack_tasks (stele_query_t *self, const stele_ledger_stats_t *stats, stele_pack_t *pack)
{
    static const char *const keys [] = { "by_role", "by_provider", "by_model" };
    stele_pack_key (pack, "tasks");
    stele_pack_map_begin (pack);
    stele_pack_key_integer (pack, "total", stats->tasks);
    stele_pack_key (pack, "by_state");
    stele_pack_map_begin (pack);
    for (int state = 1; state < STELE_TASK_STATE_END; state++)
        stele_pack_key_integer (pack,
            stele_vocabulary_word (STELE_VOCABULARY_TASK_STATE, state), stats->by_state [state]);
    stele_pack_map_end (pack);
    for (int which = 0; which < 3; which++) {
        int rc = s_pack_counts (self, pack, keys [which], which);
        if (rc < 0)
            return rc;
    }
    stele_pack_map_end (pack);
    return 0;
}

static void
s_pack_ledger (const stele_query_t *self, const stele_ledger_stats_t *stats, stele_pack_t *pack)
{
    stele_pack_key (pack, "ledger");
    stele_pack_map_begin (pack);
    stele_pack_key_integer (pack, "position", self->head);
    for (const stele_figure_t *figure = stats->storage; figure->name; figure++)
        stele_pack_key_integer (pack, figure->name, figure->value);
    stele_pack_key_integer (pack, "wal_limit", self->settings->wal_bytes);
    stele_pack_key_integer (pack, "commits", stats->commits);
    stele_pack_key_integer (pack, "rejected", stats->rejected);
    stele_pack_key_integer (pack, "losses", stats->losses);
    stele_pack_map_end (pack);
}

int
stele_operation_stats (stele_query_t *self, stele_params_t *params, stele_pack_t *pack)
{
    stele_ledger_stats_t stats;
    int rc = stele_reader_stats (self->reader, &stats);
    if (rc == 0)
        rc = s_pack_tasks (self, &stats, pack);
    if (rc < 0)
        return stele_query_failed (self, params, rc);

    stele_pack_key (pack, "sessions");
    stele_pack_map_begin (pack);
    stele_pack_key_integer (pack, "total", stats.sessions);
    stele_pack_map_end (pack);
    s_pack_ledger (self, &stats, pack);
    stele_pack_key_integer (pack, "uptime_s",
        (stele_clock_steady_us () - self->opened_us) / 1000000);
    if (self->has_cache)
        s_pack_part (self, "redis", "cache", pack);
    else {
        stele_pack_key (pack, "redis");
        stele_pack_map_begin (pack);
        stele_pack_key_string (pack, "state", "off");
        stele_pack_map_end (pack);
    }
    static const char *const parts [] = {
        "requests", "feed", "pipeline", "search", "rollup", "segments", "backup", "archive", "seal", "recovery", "consistency", "auth"
    };
    for (size_t i = 0; i < sizeof parts / sizeof parts [0]; i++)
        s_pack_part (self, parts [i], parts [i], pack);
    s_pack_entries (self, "writer", pack);
    return 0;
}
