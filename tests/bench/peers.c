/*  peers - other systems that store entries before they ack

    Redis Streams with appendfsync always: XADD of the same encoded events, opaque to it, by one
    connection with 1, 16 or 256 of them unacked. It is the fastest of the systems that users
    run today; others need packages that are not installed here.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdio.h>
#include <hiredis/hiredis.h>
#include "bench.h"

static uint64_t s_seed = 800000;

static double
s_streams (redisContext *redis, int depth, double seconds)
{
    char event [208];
    for (size_t i = 0; i < sizeof event; i++)
        event [i] = (char) ('a' + i % 26);
    int64_t sent = 0, acked = 0;
    double begin = bench_now ();
    while (bench_now () - begin < seconds || acked < sent) {
        bool more = bench_now () - begin < seconds;
        //  Like a client that reads the available replies: half of them are renewed at a time
        while (more && sent - acked < depth) {
            redisAppendCommand (redis, "XADD events * e %b", event, sizeof event);
            sent++;
        }
        int64_t upto = more && depth > 1? acked + depth / 2: acked + 1;
        while (acked < upto) {
            void *reply = NULL;
            if (redisGetReply (redis, &reply) != REDIS_OK)
                bench_die ("Redis Streams: %s", redis->errstr);
            freeReplyObject (reply);
            acked++;
        }
    }
    return (double) acked / (bench_now () - begin);
}

static double
s_stele (bench_t *self, int depth)
{
    bench_broker_t broker = { 0 };
    bench_load_t load = {
        .workload = {
            .producers = 1, .batch = 1, .in_flight = 256, .events_a_task = 6, .seed = ++s_seed,
            .tasks = depth == 1? 1000: depth == 16? 8000: 40000
        },
        .depth = depth
    };
    bench_ledger_remove ("peers.db");
    bench_broker_start (&broker, self->options, "peers.db", NULL);
    bench_load_result_t result = bench_publish (&broker, &load, NULL);
    bench_broker_stop (&broker);
    bench_ledger_remove ("peers.db");
    return (double) result.events / result.seconds;
}

void
bench_peers (bench_t *self)
{
    static const char *const always [] = { "--appendonly", "yes", "--appendfsync", "always", NULL };
    static const int depths [] = { 1, 16, 256 };
    bench_report_section (self->report, "peers", "one producer, one event per message, durable before the ack");
    bench_redis_t *server = bench_redis_start (always);
    if (!server) {
        bench_report_note (self->report, "redis-server is not installed");
        return;
    }
    redisContext *redis = redisConnectUnix (bench_redis_socket (server));
    for (size_t i = 0; i < sizeof depths / sizeof depths [0]; i++) {
        double streams = s_streams (redis, depths [i], 2);
        bench_report_figure (self->report, streams, "events/s", 0, NULL,
            "Redis Streams, %d outstanding", depths [i]);
        bench_report_figure (self->report, s_stele (self, depths [i]), "events/s", streams, "Redis Streams",
            "Stele, %d outstanding", depths [i]);
    }
    redisFree (redis);
    bench_redis_stop (&server);
}
