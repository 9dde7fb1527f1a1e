/*  redact - the search for secrets, alone: what it adds to an event

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdlib.h>
#include "bench.h"
#include "redact/redactor.h"
#include "wire/event/message.h"
#include "wire/pack.h"

#define ROUNDS 7                    // The median counts
#define GOAL_US 1.2                 // Per 400 bytes

typedef struct {
    stele_redactor_t *redactor;
    int64_t events, masked;
    double bytes;
} s_pass_t;

static void
s_pass_message (s_pass_t *self, const char *data, size_t size)
{
    stele_message_t message;
    stele_refusal_t refusal;
    if (stele_message_decode (data, size, &message, &refusal))
        bench_die ("%s", refusal.message);
    stele_scan_t scan = message.events;
    for (size_t i = 0; i < message.event_count; i++) {
        const void *event;
        size_t event_size;
        stele_scan_skip (&scan, &event, &event_size);
        self->masked += stele_redactor_event (self->redactor, event, event_size) > 0;
        self->events++;
        self->bytes += (double) event_size;
    }
}

static void
s_measure (bench_t *self, stele_redactor_t *redactor, const char *what, const bench_workload_t *workload)
{
    bench_messages_t messages = bench_workload_messages (workload, 0);
    double us [ROUNDS];
    s_pass_t pass = { 0 };
    for (int round = 0; round < ROUNDS; round++) {
        pass = (s_pass_t) { .redactor = redactor };
        double begun = bench_cpu_us ();    // The writer's CPU is what it costs
        for (size_t i = 0; i < messages.count; i++) {
            size_t from = i? messages.ends [i - 1]: 0;
            s_pass_message (&pass, messages.bytes + from, messages.ends [i] - from);
        }
        us [round] = bench_cpu_us () - begun;
    }
    double median = bench_median (us, ROUNDS);
    bench_report_figure (self->report, median / (double) pass.events, "us", 0, NULL, "%s, per event of %.0f bytes", what,
        pass.bytes / (double) pass.events);
    bench_report_figure (self->report, median / pass.bytes * 400, "us", GOAL_US, "at most", "%s, per 400 bytes", what);
    bench_report_figure (self->report, (double) pass.masked, "events", 0, NULL, "%s, masked", what);
    bench_messages_clear (&messages);
}

void
bench_redact (bench_t *self)
{
    stele_refusal_t refusal;
    static const unsigned char key [STELE_REDACT_KEY];
    bench_report_section (self->report, "redact", "the search for secrets in events, alone (with the scan of the message)");
    stele_redactor_t *redactor = stele_redactor_new (NULL, key, &refusal);
    if (!redactor) {
        bench_report_note (self->report, "%s", refusal.message);
        return;
    }
    bench_workload_t workload = {
        .producers = 1, .batch = 100, .in_flight = 64, .tasks = 5000, .events_a_task = 6, .seed = 4711
    };
    s_measure (self, redactor, "six-event tasks", &workload);
    workload.stream = self->options->stream;
    workload.tasks = 1;
    if (workload.stream)
        s_measure (self, redactor, "the recorded stream", &workload);
    stele_redactor_destroy (&redactor);
}
