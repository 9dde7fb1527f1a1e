/*  bench - the speed of the broker, next to that of its components on the same disk

      bench.c      options, and which sections run
      report.c     figures as a page or as JSON
      clock.c      times, latencies, resource usage of a process
      limits.c     the disk, a bare SQLite writer, ZeroMQ, Redis
      rows.c       the statements of the ledger, run by the ledger and by a bare writer
      workload.c   messages of six-event tasks, encoded beforehand
      stream.c     messages of a recorded stream
      load.c       the load generator: a process that publishes and measures acks
      server.c     a broker and a Redis to measure
      publish.c    section publish
      shapes.c     section shapes: tasks that differ from the six-event one
      access.c     section access: keys
      filled.c     sections growth and size: a ledger that fills up
      read.c       section read
      recovery.c   section recovery
      web.c        clients of stele-http
      http.c       section http: requests, streams and scrapes through stele-http
      keep.c       section keep: backup, restore, verify, archive
      postgres.c   a primary of PostgreSQL and its standby
      probe.c      a producer of one event at a time
      log.c        section log: brokers that share a log in PostgreSQL
      peers.c      section peers: other systems that store entries before they ack
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
    char dir [512];                 // Working folder of all processes, with the ledgers
    const char *only;               // Sections, separated by commas; NULL: the default ones
    const char *only_case;          // Cases of publish whose name contains this; NULL: all
    const char *stream;             // Recorded stream (JSON Lines, .zst), or NULL
    const char *json;               // Also write JSON to this file; "-": stdout, no page
    int64_t scale;                  // Tasks stored for growth, read, size and recovery
    int repeats;                    // Of the measurements for the goals
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

/*  One figure. 'limit' is the value to compare it with, 0: none; name and unit are copied. */
void
    bench_report_figure (bench_report_t *self, double value, const char *unit,
        double limit, const char *limit_name, const char *name, ...)
    __attribute__ ((format (printf, 6, 7)));

/*  While muted, figures are kept but not printed: a note shows them together.  */
void
    bench_report_mute (bench_report_t *self, bool muted);

/*  A line without a figure.                                                 */
void
    bench_report_note (bench_report_t *self, const char *format, ...)
    __attribute__ ((format (printf, 2, 3)));

/*  The last figure of that section and name; 0 if there is none.            */
double
    bench_report_value (const bench_report_t *self, const char *section, const char *name);

/*  Write the JSON, if requested.                                            */
void
    bench_report_finish (bench_report_t *self);

/*  -- clock -------------------------------------------------------------------- */

double
    bench_now (void);               // Seconds, steady
double
    bench_cpu_us (void);            // Of this thread, microseconds

typedef struct {
    float *us;
    size_t count, room;
} bench_samples_t;

void
    bench_samples_add (bench_samples_t *self, double us);
/*  Sorts the samples. 0 if there are none.                                  */
double
    bench_samples_percentile (bench_samples_t *self, double percent);
void
    bench_samples_clear (bench_samples_t *self);

double
    bench_median (double *values, size_t count);

/*  Resources used by a process so far; threads are identified by their names. */
typedef struct {
    double cpu_s;
    double written_bytes;           // To the disk, by the kernel's count
    double resident_bytes, resident_max_bytes;
    double writer_s, io_s, cache_s, search_s, rollup_s, backup_s, seal_s, others_s;
} bench_usage_t;

bench_usage_t
    bench_usage (pid_t pid);

/*  Print a message and abort the benchmark.                                 */
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
    int batch;                      // Events per message
    int in_flight;                  // Tasks interleaved, over all producers
    int64_t tasks;                  // Over all producers
    int events_a_task;              // 6; fewer leave the task running
    uint64_t seed;                  // Other seeds make other ids
    bench_event_fn *event;          // NULL: the six-event task
    const char *stream;             // Publish this recorded stream 'tasks' times instead of tasks
} bench_workload_t;

/*  Messages of producer 'index' of the workload. The caller owns their memory. */
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

/*  'size' bytes of words, which compress like text. Returns the size.       */
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

/*  -- keys --------------------------------------------------------------------- */

//  Folder of the broker's keys, in the working folder
#define BENCH_KEYS "keys"

typedef struct { char server [41], public [41], secret [41]; } bench_keys_t;

/*  With these, brokers that start have keys, and sockets connect with them. NULL: without. */
extern const bench_keys_t *bench_keys;

/*  Before a socket connects to the broker.                                  */
void
    bench_secure (void *socket);

/*  -- load --------------------------------------------------------------------- */

typedef struct {
    bench_workload_t workload;
    int depth;                      // Messages a producer has unacked
    double rate;                    // Events per second of all producers; 0: as fast as acks arrive
} bench_load_t;

typedef struct {
    double seconds;
    int64_t events, messages, naks;
    double event_bytes;
    double p50_us, p99_us, p999_us, max_us;
    double cpu_s;                   // Of the load generator
} bench_load_result_t;

typedef struct bench_loader bench_loader_t;

/*  Fork a load generator; on return it has encoded all messages and has sent hello. */
bench_loader_t *
    bench_loader_start (const bench_load_t *load, const char *endpoint);
void
    bench_loader_go (bench_loader_t *self);
/*  Wait until it ends; frees the loader.                                    */
bench_load_result_t
    bench_loader_finish (bench_loader_t **self_p);

/*  -- servers ------------------------------------------------------------------ */

/*  Start a program; its output goes to a file, and it ends when this process does. */
pid_t
    bench_spawn (const char *const *argv, const char *log);

typedef struct bench_redis bench_redis_t;

/*  A redis-server on a socket in the working folder; NULL if it is not installed. 'arguments' are
    further options, ended by NULL, or NULL.                                 */
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
    char events [64], requests [64], feed [64];
    const char *const *arguments;   // More of them, ended by NULL; or NULL
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
/*  Wait until it is idle and its followers are at the head. At most a minute. */
void
    bench_broker_rest (bench_broker_t *self);
/*  A number of its statistics, such as "redis/lag_events"; -1 if there is none. */
double
    bench_broker_stat (bench_broker_t *self, const char *path);
/*  A word of its statistics, "" if there is none.                           */
void
    bench_broker_word (bench_broker_t *self, const char *path, char *word, size_t size);
/*  Wait until an answer includes that position; false: it does not within a minute. */
bool
    bench_broker_has (bench_broker_t *self, int64_t position);
/*  Remove a ledger with its side files.                                     */
void
    bench_ledger_remove (const char *ledger);

/*  Is stele-http next to the broker that is measured?                       */
bool
    bench_http_is_there (const bench_options_t *options);
/*  Start it in front of a broker, on a free port of 127.0.0.1, and wait until it is ready. */
pid_t
    bench_http_start (const bench_broker_t *broker, int *port);
void
    bench_http_stop (pid_t *pid);

/*  A primary and its synchronous standby, in the working folder. NULL if they run, or what is missing. */
const char *
    bench_postgres_start (const bench_options_t *options);
void
    bench_postgres_stop (void);
/*  What shared-log takes.                                                   */
void
    bench_postgres_url (const bench_options_t *options, char *url, size_t size);
/*  The number that a query of the primary returns; -1 if it fails.          */
double
    bench_postgres_number (const char *query);

typedef struct bench_probe bench_probe_t;

/*  A producer of that name. Keeps a reference to the name.                  */
bench_probe_t *
    bench_probe_new (const char *endpoint, const char *name);
void
    bench_probe_destroy (bench_probe_t **self_p);
/*  Publish an event, and wait for its ack. Returns the position; -1: refused, or no answer within the time-out. */
int64_t
    bench_probe_ack (bench_probe_t *self, int timeout_ms);

/*  Run a load against a broker; the broker's usage over the run in *usage if not NULL. */
bench_load_result_t
    bench_publish (bench_broker_t *broker, const bench_load_t *load, bench_usage_t *usage);

/*  -- clients of stele-http ------------------------------------------------------ */

/*  The path of the next request; valid until the next call.                 */
typedef const char *(bench_path_fn) (void *arg);

/*  Caller closes the socket.                                                */
int
    bench_web_connect (int port);
/*  Send GET with more fields, each ended by CR LF.                          */
void
    bench_web_send (int peer, const char *path, const char *fields);
/*  GET, and wait for the answer, which must be 200. Returns the microseconds. 'body', if not NULL, is valid until
    the next call.                                                           */
double
    bench_web_get (int peer, const char *path, const char **body);
/*  'count' connections with a request each, for some seconds. Returns the answers per second, and their times. */
double
    bench_web_load (int port, int count, double seconds, bench_path_fn *next, void *arg, bench_samples_t *samples);

typedef struct bench_streams bench_streams_t;

/*  Beside the streams, a subscriber of the feed notes when each event was announced. */
bench_streams_t *
    bench_streams_open (int port, const char *feed, int count, bench_path_fn *next, void *arg, const char *fields);
/*  Read for some seconds, or until 'upto' messages came. Returns how many came so far, hello included; adds the
    microseconds since the feed had an event to 'samples', if not NULL.      */
int64_t
    bench_streams_read (bench_streams_t *self, double seconds, int64_t upto, bench_samples_t *samples);
void
    bench_streams_close (bench_streams_t **self_p);

/*  -- sections ----------------------------------------------------------------- */

typedef struct {
    const bench_options_t *options;
    bench_report_t *report;
    void *context;                  // ZeroMQ
} bench_t;

/*  The context of this process: a forked child creates its own.             */
extern void *bench_context;

/*  Microseconds of an fdatasync of an overwritten page (p50); other percentiles in 'report'
    if not NULL. And of a round trip through ZeroMQ (p50).                    */
double
    bench_limit_sync (bench_report_t *report);
double
    bench_limit_round_trip (const bench_options_t *options);
/*  Events per second of a bare writer of blobs with that batch size.        */
double
    bench_limit_blobs (int batch, double seconds);

/*  The same in an open loop: from the due time of a batch until its sync, p99 in us. */
double
    bench_limit_blobs_p99 (int batch, double rate, double seconds);

/*  Events per second of the ledger's statements with that batch size: by a bare writer, and by the
    ledger; and of decoding alone.                                           */
typedef struct { double bare, room, decode; } bench_rows_t;
bench_rows_t
    bench_limit_rows (int batch, int64_t tasks);

void bench_limits (bench_t *self);
void bench_publish_section (bench_t *self);
void bench_shapes (bench_t *self);
void bench_redact (bench_t *self);
void bench_access (bench_t *self);
void bench_filled (bench_t *self);
void bench_http (bench_t *self);
void bench_keep (bench_t *self);
void bench_log (bench_t *self);
void bench_peers (bench_t *self);
void bench_goals (bench_t *self);

/*  Parts of the filled section: the broker holds options->scale tasks.      */
void
    bench_read (bench_t *self, bench_broker_t *broker, int64_t tasks, uint64_t seed, double rate);
void
    bench_recovery (bench_t *self, bench_broker_t *broker, int64_t active);

#endif
