/*  series - stats.series

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "base/clock.h"
#include "broker/operations/query.h"
#include "ledger/rollup.h"

#define DAY_US ((int64_t) 86400 * 1000000)
#define LIMIT_MAX 100

static const char *const s_steps [] = {
    [STELE_STEP_MINUTE] = "minute", [STELE_STEP_HOUR] = "hour", [STELE_STEP_DAY] = "day"
};

static const char *const s_by [] = {
    [STELE_SERIES_ALL] = "", [STELE_SERIES_STATE] = "state", [STELE_SERIES_ROLE] = "role",
    [STELE_SERIES_PROVIDER] = "provider", [STELE_SERIES_MODEL] = "model", [STELE_SERIES_FINGERPRINT] = "fingerprint"
};
#define BY_COUNT (sizeof s_by / sizeof s_by [0])

typedef struct {
    stele_pack_t *pack;
    stele_series_by_t by;
    size_t mark;                    // Of the array of series
    size_t count;
    size_t points_mark, points;     // Of the series that is open
} s_series_t;

//  -- counts ------------------------------------------------------------------------------

static void
s_pack_spread (stele_pack_t *pack, const char *key, const stele_series_spread_t *spread)
{
    stele_pack_key (pack, key);
    stele_pack_map_begin (pack);
    stele_pack_key_integer (pack, "count", spread->spread.count);
    if (spread->spread.count) {
        stele_pack_key_integer (pack, "p50", spread->spread.p50);
        stele_pack_key_integer (pack, "p90", spread->spread.p90);
        stele_pack_key_integer (pack, "p99", spread->spread.p99);
        stele_pack_key_integer (pack, "max", spread->spread.max);
        stele_pack_key_integer (pack, "sum", spread->sum);
    }
    stele_pack_map_end (pack);
}

//  The entries of a map that was begun
static void
s_pack_counts (const s_series_t *self, const stele_series_point_t *point)
{
    stele_pack_t *pack = self->pack;
    if (self->by == STELE_SERIES_STATE || self->by == STELE_SERIES_FINGERPRINT) {
        stele_pack_key_integer (pack, "count", point->count);
        return;
    }
    stele_pack_key_integer (pack, "created", point->created);
    stele_pack_key_integer (pack, "started", point->started);
    stele_pack_key (pack, "ended");
    stele_pack_map_begin (pack);
    for (int state = STELE_TASK_TERMINAL_FROM; state < STELE_TASK_STATE_END; state++)
        stele_pack_key_integer (pack, stele_vocabulary_word (STELE_VOCABULARY_TASK_STATE, state), point->entered [state]);
    stele_pack_map_end (pack);
    stele_pack_key_integer (pack, "failed", point->entered [STELE_TASK_FAILED] + point->entered [STELE_TASK_ERROR]
        + point->entered [STELE_TASK_TIMEOUT]);
    stele_pack_key_integer (pack, "interrupted", point->interrupted);
    s_pack_spread (pack, "wait_us", &point->wait);
    s_pack_spread (pack, "run_us", &point->run);
    stele_pack_key_real (pack, "tokens_in", point->tokens_in);
    stele_pack_key_real (pack, "tokens_out", point->tokens_out);
    stele_pack_key_real (pack, "cost", point->cost);
    if (self->by == STELE_SERIES_ALL)
        stele_pack_key_integer (pack, "rejected", point->rejected);
}

//  -- series --------------------------------------------------------------------------------

static void
s_end_points (s_series_t *self)
{
    if (self->count == 0)
        return;
    stele_pack_close (self->pack, self->points_mark, self->points);
    stele_pack_map_end (self->pack);
}

static void
s_pack_fingerprint (const stele_series_head_t *head, stele_pack_t *pack)
{
    if (head->first || head->last) {
        stele_pack_key_integer (pack, "first", head->first);
        stele_pack_key_integer (pack, "last", head->last);
    }
    size_t count = 0;
    stele_pack_key (pack, "tasks");
    size_t mark = stele_pack_open_array (pack);
    for (int i = 0; i < STELE_ROLLUP_TASKS; i++)
        if (head->tasks [i].text) {
            stele_pack_text (pack, head->tasks [i].text, head->tasks [i].size);
            count++;
        }
    stele_pack_close (pack, mark, count);
}

static int
s_begin_series (const stele_series_head_t *head, void *arg)
{
    s_series_t *self = arg;
    stele_pack_t *pack = self->pack;
    s_end_points (self);
    self->count++;
    stele_pack_map_begin (pack);
    if (self->by != STELE_SERIES_ALL) {
        stele_pack_key (pack, s_by [self->by]);
        if (head->name.text)
            stele_pack_text (pack, head->name.text, head->name.size);
        else
            stele_pack_nil (pack);
    }
    if (head->other)
        stele_pack_key_bool (pack, "other", true);
    if (self->by == STELE_SERIES_FINGERPRINT && !head->other)
        s_pack_fingerprint (head, pack);
    stele_pack_key (pack, "total");
    stele_pack_map_begin (pack);
    s_pack_counts (self, &head->total);
    stele_pack_map_end (pack);
    stele_pack_key (pack, "points");
    self->points_mark = stele_pack_open_array (pack);
    self->points = 0;
    return 0;
}

static int
s_pack_point (const stele_series_point_t *point, void *arg)
{
    s_series_t *self = arg;
    stele_pack_map_begin (self->pack);
    stele_pack_key_integer (self->pack, "time", point->time);
    s_pack_counts (self, point);
    stele_pack_map_end (self->pack);
    self->points++;
    return 0;
}

static void
s_pack_end (const stele_query_t *self, const stele_series_t *ask, const stele_series_end_t *end, stele_pack_t *pack)
{
    int64_t lag = self->head > end->folded? self->head - end->folded: 0;
    if (ask->by != STELE_SERIES_ALL)
        stele_pack_key_string (pack, "by", s_by [ask->by]);
    stele_pack_key_string (pack, "step", s_steps [end->step]);
    stele_pack_key_integer (pack, "step_us", stele_step_us (end->step));
    stele_pack_key_integer (pack, "from", end->from);
    stele_pack_key_integer (pack, "to", end->to);
    stele_pack_key_integer (pack, "since", end->since);
    stele_pack_key_integer (pack, "folded", end->folded);
    stele_pack_key_integer (pack, "lag_events", lag);
    stele_pack_key_string (pack, "state", lag > STELE_ROLLUP_BUILDING? "building": "live");
    stele_pack_key_integer (pack, "left_out", end->left_out);
}

int
stele_operation_stats_series (stele_query_t *self, stele_params_t *params, stele_pack_t *pack)
{
    stele_series_t ask = {
        .by = (stele_series_by_t) stele_params_choice (params, "by", s_by, BY_COUNT, STELE_SERIES_ALL,
            "state, role, provider, model or fingerprint"),
        .step = (stele_step_t) stele_params_choice (params, "step", s_steps, STELE_STEP_COUNT, STELE_STEP_AUTO,
            "minute, hour or day"),
        .from_us = stele_params_time (params, "from"),
        .to_us = stele_params_time (params, "to"),
        .limit = stele_params_number (params, "limit", 0, 1, LIMIT_MAX)
    };
    if (params->refusal.code)
        return params->refusal.code;
    ask.to_us = ask.to_us? ask.to_us: stele_clock_us ();
    ask.from_us = ask.from_us? ask.from_us: ask.to_us - DAY_US;
    if (ask.from_us < 0 || ask.to_us < ask.from_us)
        return stele_params_fail (params, STELE_EINVALID_FIELD, "from", "from must not be before 1970, or later than to");

    s_series_t series = { .pack = pack, .by = ask.by };
    stele_series_end_t end;
    stele_pack_key (pack, "series");
    series.mark = stele_pack_open_array (pack);
    int rc = stele_reader_series (self->reader, &ask, s_begin_series, s_pack_point, &series, &end, &params->refusal);
    if (rc < 0)
        return params->refusal.code? rc: stele_query_failed (self, params, rc);
    s_end_points (&series);
    stele_pack_close (pack, series.mark, series.count);
    s_pack_end (self, &ask, &end, pack);
    return 0;
}
