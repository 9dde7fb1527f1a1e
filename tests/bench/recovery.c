/*  recovery - a start after kill -9: until the first ack, and until Redis is aligned

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "bench.h"

#define PATIENCE_S 300

static uint64_t s_seed = 900000;

//  The first ack that a new producer gets.
static void
s_first_ack (bench_broker_t *broker)
{
    bench_load_t load = {
        .workload = {
            .producers = 1, .batch = 1, .in_flight = 1, .tasks = 1, .events_a_task = 1, .seed = ++s_seed
        },
        .depth = 1
    };
    bench_publish (broker, &load, NULL);
}

static void
s_start (bench_t *self, bench_broker_t *broker, bench_redis_t *redis, const char *name)
{
    double begin = bench_now ();
    bench_broker_start (broker, self->options, "filled.db", redis);
    s_first_ack (broker);
    bench_report_figure (self->report, bench_now () - begin, "s", 0, NULL, "%s: first ack", name);
    if (!redis)
        return;
    //  A rebuild writes active tasks first, then those that ended recently
    char state [32] = "";
    double active = 0, aligned = 0;
    while (bench_now () - begin < PATIENCE_S) {
        bench_broker_word (broker, "redis/state", state, sizeof state);
        aligned = bench_now () - begin;
        if (!active && (strcmp (state, "catching_up") == 0 || strcmp (state, "live") == 0))
            active = aligned;
        if (strcmp (state, "live") == 0
        &&  bench_broker_stat (broker, "redis/position") >= bench_broker_stat (broker, "ledger/position"))
            break;
        usleep (5000);
    }
    bench_report_figure (self->report, active, "s", 0, NULL, "%s: Redis has what is active", name);
    bench_report_figure (self->report, aligned, "s", 0, NULL, "%s: Redis has all, also what ended today", name);
}

//  kill -9 while events are in transit.
static void
s_kill (bench_broker_t *broker)
{
    bench_load_t load = {
        .workload = {
            .producers = 8, .batch = 100, .in_flight = 256, .tasks = 2000, .events_a_task = 6, .seed = ++s_seed
        },
        .depth = 4
    };
    bench_publish (broker, &load, NULL);
    bench_broker_kill (broker);
}

void
bench_recovery (bench_t *self, bench_broker_t *broker, int64_t active)
{
    bench_report_section (self->report, "recovery", "a start after kill -9");
    bench_load_t load = {
        .workload = {
            .producers = 64, .batch = 100, .in_flight = (int) active, .tasks = active,
            .events_a_task = 3, .seed = ++s_seed
        },
        .depth = 2
    };
    bench_broker_start (broker, self->options, "filled.db", NULL);
    bench_publish (broker, &load, NULL);
    s_kill (broker);
    s_start (self, broker, NULL, "without Redis");
    s_kill (broker);
    bench_redis_t *redis = bench_redis_start (NULL);
    if (redis) {
        s_start (self, broker, redis, "Redis empty");
        s_kill (broker);
        s_start (self, broker, redis, "Redis warm");
        bench_report_figure (self->report, bench_usage (broker->pid).resident_max_bytes / 1048576, "MiB",
            0, NULL, "memory of the broker since that start, most");
    }
    bench_broker_kill (broker);
    bench_redis_stop (&redis);
}
