/*  shapes - tasks that differ from the six-event one

    Other patterns of real producers: repeated changes of metadata, failures with long traces, a
    separate folder for each task, outputs of kilobytes, and one line of output at a time for
    hours. Each with its own ledger.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdio.h>
#include <string.h>
#include <zmq.h>
#include "bench.h"
#include "wire/pack.h"
#include "wire/scan.h"

#define PAGES 200                   // Requests per figure
#define LINES 20000                 // Outputs of a task with one line per output
#define SEED 7000

static void
s_created (stele_pack_t *pack, uint64_t *state, const char *id, size_t metadata, bool own_folder)
{
    char text [4096];
    stele_pack_map (pack, own_folder? 9: 7);
    stele_pack_key_string (pack, "type", "task.created");
    stele_pack_key_string (pack, "task_id", id);
    stele_pack_key_string (pack, "role", "coder");
    stele_pack_key_string (pack, "model", "model-large-2");
    stele_pack_string (pack, "title");
    stele_pack_text (pack, text, bench_text (state, text, 48));
    stele_pack_string (pack, "description");
    stele_pack_text (pack, text, bench_text (state, text, 280));
    stele_pack_string (pack, "metadata");
    stele_pack_map (pack, 1);
    stele_pack_string (pack, "log");
    stele_pack_text (pack, text, bench_text (state, text, metadata));
    if (own_folder) {
        snprintf (text, sizeof text, "/srv/agents/work/%s", id);
        stele_pack_key_string (pack, "target_dir", text);
        snprintf (text, sizeof text, "agent/%.8s", id);
        stele_pack_key_string (pack, "base_branch", text);
    }
}

//  A state_changed to failed, with a trace of that size
static void
s_failure (stele_pack_t *pack, uint64_t *state, const char *id, size_t trace)
{
    char text [4096];
    stele_pack_map (pack, 5);
    stele_pack_key_string (pack, "type", "task.state_changed");
    stele_pack_key_string (pack, "task_id", id);
    stele_pack_key_string (pack, "state", "failed");
    stele_pack_string (pack, "error_message");
    stele_pack_text (pack, text, bench_text (state, text, trace));
    stele_pack_string (pack, "details");
    stele_pack_map (pack, 1);
    stele_pack_string (pack, "environment");
    stele_pack_text (pack, text, bench_text (state, text, trace / 2));
}

static void
s_update (stele_pack_t *pack, uint64_t *state, const char *id, int number)
{
    char text [4096];
    stele_pack_map (pack, 3);
    stele_pack_key_string (pack, "type", "task.updated");
    stele_pack_key_string (pack, "task_id", id);
    stele_pack_string (pack, "metadata");
    stele_pack_map (pack, 2);
    stele_pack_key_integer (pack, "step", number);
    stele_pack_string (pack, "log");
    stele_pack_text (pack, text, bench_text (state, text, 3000));
}

//  -- the shapes: event 'number' of a task -------------------------------------------------

static void
s_updated (stele_pack_t *pack, uint64_t *state, const char *id, int number)
{
    if (number == 0)
        s_created (pack, state, id, 3000, false);
    else
    if (number == 1 || number == 10)
        bench_state (pack, id, number == 1? "running": "passed");
    else
        s_update (pack, state, id, number);
}

static void
s_failing (stele_pack_t *pack, uint64_t *state, const char *id, int number)
{
    if (number == 0)
        s_created (pack, state, id, 100, false);
    else
    if (number % 3 == 2)
        s_failure (pack, state, id, 4000);
    else
        bench_state (pack, id, number % 3 == 1? "running": "queued");
}

static void
s_in_folder (stele_pack_t *pack, uint64_t *state, const char *id, int number)
{
    if (number == 0)
        s_created (pack, state, id, 100, true);
    else
    if (number == 2)
        bench_output (pack, state, id, 200);
    else
        bench_state (pack, id, number == 1? "running": "passed");
}

static void
s_talking (stele_pack_t *pack, uint64_t *state, const char *id, int number)
{
    if (number == 0)
        s_created (pack, state, id, 100, false);
    else
        bench_output (pack, state, id, 8000);
}

static void
s_by_line (stele_pack_t *pack, uint64_t *state, const char *id, int number)
{
    if (number == 0)
        s_created (pack, state, id, 100, false);
    else
        bench_output (pack, state, id, 100);
}

static const struct {
    const char *name;
    bench_event_fn *event;
    int events_a_task, batch;
    int64_t tasks;
} s_shapes [] = {
    { "metadata of 3 kB, changed eight times", s_updated, 11, 20, 8000 },
    { "failing with 4 kB of trace and retried, twice", s_failing, 7, 50, 12000 },
    { "a folder and a branch of its own", s_in_folder, 4, 100, 60000 },
    { "twenty outputs of 8 kB", s_talking, 21, 10, 3200 },
    { "8 tasks, 20,000 lines of output each", s_by_line, LINES + 1, 100, 8 }
};

//  -- pages of a task with very many outputs -----------------------------------------------

//  As it was packed: a cursor is returned unchanged
typedef struct {
    char bytes [128];
    size_t size;
} s_cursor_t;

//  One page of outputs; the cursor of the next page into 'next'.
static void
s_ask_page (void *socket, const char *id, const char *order, const s_cursor_t *after, s_cursor_t *next)
{
    stele_pack_t *pack = stele_pack_new ();
    stele_pack_map (pack, after? 4: 3);
    stele_pack_key_string (pack, "op", "task.outputs");
    stele_pack_key_string (pack, "task_id", id);
    stele_pack_key_string (pack, "order", order);
    if (after) {
        stele_pack_string (pack, "cursor");
        stele_pack_packed (pack, after->bytes, after->size);
    }
    zmq_send (socket, stele_pack_data (pack), stele_pack_size (pack), 0);
    zmq_msg_t answer;
    zmq_msg_init (&answer);
    if (zmq_msg_recv (&answer, socket, 0) < 0)
        bench_die ("no answer to task.outputs");
    const void *cursor;
    size_t size;
    stele_token_t token = stele_scan_find (zmq_msg_data (&answer), zmq_msg_size (&answer), "next", &cursor, &size);
    if (token.kind == STELE_SCAN_END || token.kind == STELE_SCAN_NIL || size > sizeof next->bytes)
        bench_die ("a page of outputs has no next one");
    memcpy (next->bytes, cursor, size);
    next->size = size;
    zmq_msg_close (&answer);
    stele_pack_destroy (&pack);
}

static void
s_pages (bench_t *self, bench_broker_t *broker, uint64_t seed)
{
    char line [200] = "";
    static const char *const names [] = { "first page", "page after page", "newest page" };
    for (int which = 0; which < 3; which++) {
        bench_samples_t samples = { 0 };
        s_cursor_t next;
        for (int i = 0; i < PAGES; i++) {
            char id [37];
            bench_task_id (seed, which == 1? 0: i % 8, 0, id);
            double begun = bench_now ();
            s_ask_page (broker->ask, id, which == 2? "desc": "asc", which == 1 && i % (PAGES / 2)? &next: NULL, &next);
            if (i > 0)
                bench_samples_add (&samples, (bench_now () - begun) * 1e6);
        }
        double p50 = bench_samples_percentile (&samples, 50) / 1e3, p99 = bench_samples_percentile (&samples, 99) / 1e3;
        bench_report_figure (self->report, p50, "ms", 0, NULL, "100 of 20,000 outputs, %s, p50", names [which]);
        bench_report_figure (self->report, p99, "ms", 0, NULL, "100 of 20,000 outputs, %s, p99", names [which]);
        snprintf (line + strlen (line), sizeof line - strlen (line), "%s %s p50 %.2f, p99 %.2f",
            which? ";": "", names [which], p50, p99);
        bench_samples_clear (&samples);
    }
    bench_report_note (self->report, "    100 of its outputs:%s ms", line);
}

//  -- the section --------------------------------------------------------------------------

static void
s_one (bench_t *self, size_t index)
{
    bench_broker_t broker = { 0 };
    bench_ledger_remove ("shapes.db");
    bench_broker_start (&broker, self->options, "shapes.db", NULL);
    uint64_t seed = SEED + index;
    bench_load_t load = {
        .workload = {
            .producers = 8, .batch = s_shapes [index].batch, .in_flight = 1024, .tasks = s_shapes [index].tasks,
            .events_a_task = s_shapes [index].events_a_task, .event = s_shapes [index].event, .seed = seed
        },
        .depth = 4
    };
    bench_usage_t usage;
    bench_load_result_t result = bench_publish (&broker, &load, &usage);
    const char *name = s_shapes [index].name;
    double rate = (double) result.events / result.seconds;
    double payload = result.event_bytes / (double) result.events;
    bench_report_mute (self->report, true);
    bench_broker_rest (&broker);
    double stored = bench_broker_stat (&broker, "ledger/size_bytes") / (double) result.events;
    bench_report_figure (self->report, rate, "events/s", 0, NULL, "%s", name);
    bench_report_figure (self->report, result.event_bytes / result.seconds / 1e6, "MB/s", 0, NULL, "%s, payload", name);
    bench_report_figure (self->report, stored, "bytes", payload, "payload", "%s, stored an event", name);
    bench_report_note (self->report, "%-46s %7.0f events/s %6.1f MB/s; an event %5.0f bytes, in the file %5.0f; writer %.1f us",
        name, rate, result.event_bytes / result.seconds / 1e6, payload, stored, usage.writer_s * 1e6 / (double) result.events);
    if (s_shapes [index].event == s_by_line)
        s_pages (self, &broker, seed);
    bench_report_mute (self->report, false);
    bench_broker_stop (&broker);
    bench_ledger_remove ("shapes.db");
}

void
bench_shapes (bench_t *self)
{
    bench_report_section (self->report, "shapes", "other tasks, 8 producers, at most about 50 kB per message");
    for (size_t i = 0; i < sizeof s_shapes / sizeof s_shapes [0]; i++)
        s_one (self, i);
}
