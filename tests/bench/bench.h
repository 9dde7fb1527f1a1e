/*  bench - how fast the broker is, beside what its parts can do on the same disk

      bench.c      options, and which sections run
      report.c     figures as a page or as JSON
      clock.c      times, latencies, what a process used
      limits.c     the disk, a bare SQLite writer, ZeroMQ, Redis
      rows.c       the ledger's own statements, by the ledger and bare
      workload.c   messages of six-event tasks, encoded beforehand
      stream.c     messages of a recorded stream
      load.c       the load generator: a process that publishes and measures acks
      server.c     a broker and a Redis to measure
      publish.c    section publish
      shapes.c     section shapes: tasks that are not like the six-event one
      filled.c     sections growth and size: a ledger that fills up
      read.c       section read
      recovery.c   section recovery
      peers.c      section peers: what else keeps entries before it acks
      goals.c      section goals: ratios

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_BENCH_H_INCLUDED
#define STELE_BENCH_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*  -- options ------------------------------------------------------------------ */

typedef struct {
    const char *steled;             // Program to measure
    char dir [512];                 // Where the ledgers go: the working folder of all
    const char *only;               // Sections, separated by commas; NULL: the default ones
    const char *only_case;          // Of publish, those whose name has this; NULL: all
    const char *stream;             // Recorded stream (JSON Lines, .zst), or NULL
    const char *json;               // Also write JSON to this file; "-": stdout, no page
    int64_t scale;                  // Tasks stored for growth, read, size and recovery
    int repeats;                    // Of the figures that goals stand on
    bool tcp;                       // Endpoints on TCP instead of ipc
    bool full;                      // Every case of every section
    bool keep;                      // Leave the folder
} bench_options_t;

/*  -- report ------------------------------------------------------------------- */

typedef struct bench_report bench_report_t;

bench_report_t *
    bench_report_new (const bench_options_t *options);
void
    bench_report_destroy (bench_report_t **self_p);

/*  Begin a section of the page.                                             */
void
    bench_report_section (bench_report_t *self, const char *name, const char *about);

/*  One figure. 'limit' is what it is measured against, 0 without; name and unit are copied. */
void
    bench_report_figure (bench_report_t *self, double value, const char *unit,
        double limit, const char *limit_name, const char *name, ...)
    __attribute__ ((format (printf, 6, 7)));

/*  While muted, figures are kept but not printed: a note says them together.  */
void
    bench_report_mute (bench_report_t *self, bool muted);

/*  A line that is no figure.                                                */
void
    bench_report_note (bench_report_t *self, const char *format, ...)
    __attribute__ ((format (printf, 2, 3)));

/*  The last figure of that section and name; 0 where there is none.         */
double
    bench_report_value (const bench_report_t *self, const char *section, const char *name);

/*  Write the JSON, if asked for.                                            */
void
    bench_report_finish (bench_report_t *self);

/*  -- clock -------------------------------------------------------------------- */

double
    bench_now (void);               // Seconds, steady

typedef struct {
    float *us;
    size_t count, room;
} bench_samples_t;

void
    bench_samples_add (bench_samples_t *self, double us);
/*  Sorts. 0 where there are none.                                           */
double
    bench_samples_percentile (bench_samples_t *self, double percent);
void
    bench_samples_clear (bench_samples_t *self);

double
    bench_median (double *values, size_t count);

/*  What a process used so far; threads are told apart by their names.       */
typedef struct {
    double cpu_s;
    double written_bytes;           // To the disk, by the kernel's count
    double resident_bytes, resident_max_bytes;
    double writer_s, io_s, cache_s, search_s, others_s;
} bench_usage_t;

bench_usage_t
    bench_usage (pid_t pid);

/*  Stop with a message: the benchmark cannot go on.                         */
void
    bench_die (const char *format, ...)
    __attribute__ ((format (printf, 1, 2), noreturn));

/*  -- workload ----------------------------------------------------------------- */

/*  Messages of one producer, ready to send.                                 */
typedef struct {
    char *bytes;
    size_t size, room;
    size_t *ends;                   // Of each message in bytes
    int64_t *last;                  // Sequence of the last event of each message
    size_t count, ends_room;
    int64_t events;
    size_t event_bytes;             // Of the events alone
} bench_messages_t;

/*  Packs event 'number' of a task into the empty pack.                      */
typedef struct stele_pack stele_pack_t;
typedef void (bench_event_fn) (stele_pack_t *pack, uint64_t *state, const char *id, int number);

typedef struct {
    int producers;
    int batch;                      // Events a message
    int in_flight;                  // Tasks interleaved, over all producers
    int64_t tasks;                  // Over all producers
    int events_a_task;              // 6; fewer leave the task running
    uint64_t seed;                  // Other seeds make other ids
    bench_event_fn *event;          // Instead of the six-event task's
    const char *stream;             // Instead of tasks: this recorded stream, 'tasks' times
} bench_workload_t;

/*  Messages of producer 'index' of the workload. Caller owns what they hold. */
bench_messages_t
    bench_workload_messages (const bench_workload_t *self, int index);
void
    bench_messages_clear (bench_messages_t *self);
/*  Append an event (msgpack) to the messages of 'batch' events; NULL closes the last one. */
typedef struct bench_batcher bench_batcher_t;
bench_batcher_t *
    bench_batcher_new (bench_messages_t *messages, int batch);
void
    bench_batcher_add (bench_batcher_t *self, const void *event, size_t size);
void
    bench_batcher_destroy (bench_batcher_t **self_p);

/*  'size' bytes of words, which compress as text does. Returns the size.    */
size_t
    bench_text (uint64_t *state, char *text, size_t size);

/*  A change of state; an output of 'size' bytes, at most 8192.              */
void
    bench_state (stele_pack_t *pack, const char *id, const char *word);
void
    bench_output (stele_pack_t *pack, uint64_t *state, const char *id, size_t size);

/*  Id of task 'number' of producer 'index', 36 characters and a zero.       */
void
    bench_task_id (uint64_t seed, int index, int64_t number, char *id);

/*  A producer's share of the recorded stream, copied 'copies' times.        */
void
    bench_stream_messages (const char *path, int64_t copies, int producers, int index,
        uint64_t seed, bench_batcher_t *batcher);

/*  -- load --------------------------------------------------------------------- */

typedef struct {
    bench_workload_t workload;
    int depth;                      // Messages a producer has unacked
    double rate;                    // Events a second over all; 0: as fast as acks come
} bench_load_t;

typedef struct {
    double seconds;
    int64_t events, messages, naks;
    double event_bytes;
    double p50_us, p99_us, p999_us, max_us;
    double cpu_s;                   // Of the load generator
} bench_load_result_t;

typedef struct bench_loader bench_loader_t;

/*  Fork a load generator; on return it has encoded everything and said hello. */
bench_loader_t *
    bench_loader_start (const bench_load_t *load, const char *endpoint);
void
    bench_loader_go (bench_loader_t *self);
/*  Wait for the end; frees the loader.                                      */
bench_load_result_t
    bench_loader_finish (bench_loader_t **self_p);

/*  -- servers ------------------------------------------------------------------ */

typedef struct bench_redis bench_redis_t;

/*  A redis-server on a socket in the working folder; NULL where there is none. 'arguments' are
    more of its options, NULL at the end, or NULL.                           */
bench_redis_t *
    bench_redis_start (const char *const *arguments);
void
    bench_redis_stop (bench_redis_t **self_p);
const char *
    bench_redis_socket (const bench_redis_t *self);
pid_t
    bench_redis_pid (const bench_redis_t *self);

typedef struct {
    pid_t pid;
    const bench_options_t *options;
    char ledger [256];
    char events [64], requests [64];
    void *ask;                      // REQ socket
} bench_broker_t;

/*  Start the broker on that ledger (a name in the working folder), with Redis or without, and
    wait until it answers.                                                   */
void
    bench_broker_start (bench_broker_t *self, const bench_options_t *options, const char *ledger,
        const bench_redis_t *redis);
/*  SIGTERM and wait.                                                        */
void
    bench_broker_stop (bench_broker_t *self);
/*  kill -9.                                                                 */
void
    bench_broker_kill (bench_broker_t *self);
/*  Wait until it has nothing to do: its followers have what it was sent. At most a minute. */
void
    bench_broker_rest (bench_broker_t *self);
/*  A number of its statistics, "redis/lag_events"; -1 where there is none.  */
double
    bench_broker_stat (bench_broker_t *self, const char *path);
/*  A word of its statistics, "" where there is none.                        */
void
    bench_broker_word (bench_broker_t *self, const char *path, char *word, size_t size);
/*  Remove a ledger with its side files.                                     */
void
    bench_ledger_remove (const char *ledger);

/*  Run a load against a broker; the broker's usage over the run in *usage if not NULL. */
bench_load_result_t
    bench_publish (bench_broker_t *broker, const bench_load_t *load, bench_usage_t *usage);

/*  -- sections ----------------------------------------------------------------- */

typedef struct {
    const bench_options_t *options;
    bench_report_t *report;
    void *context;                  // ZeroMQ
} bench_t;

/*  The context of this process: a child that was forked makes its own.      */
extern void *bench_context;

/*  Microseconds of an fdatasync of an overwritten page (p50); other percentiles in 'report'
    if not NULL. And of a round trip through ZeroMQ (p50).                    */
double
    bench_limit_sync (bench_report_t *report);
double
    bench_limit_round_trip (const bench_options_t *options);
/*  Events a second of a bare writer of blobs at that batch.                 */
double
    bench_limit_blobs (int batch, double seconds);

/*  The same in an open loop: from when a batch is due until it is synced, p99 in us. */
double
    bench_limit_blobs_p99 (int batch, double rate, double seconds);

/*  Events a second of the ledger's own statements at that batch: bare, and by the ledger room;
    and of decoding alone.                                                   */
typedef struct { double bare, room, decode; } bench_rows_t;
bench_rows_t
    bench_limit_rows (int batch, int64_t tasks);

void bench_limits (bench_t *self);
void bench_publish_section (bench_t *self);
void bench_shapes (bench_t *self);
void bench_filled (bench_t *self);
void bench_peers (bench_t *self);
void bench_goals (bench_t *self);

/*  Parts of the filled section: the broker holds options->scale tasks.      */
void
    bench_read (bench_t *self, bench_broker_t *broker, int64_t tasks, uint64_t seed, double rate);
void
    bench_recovery (bench_t *self, bench_broker_t *broker, int64_t active);

#endif
