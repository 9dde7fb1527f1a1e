/*  log_tool - one node of a shared log, driven by commands on standard input

        log_tool URL NAME NODE LEASE_MS TIMEOUT_MS [unreplicated]

    One command per line, one answer per line, except for read:

        create LEDGER_ID POSITION       ok
        head                            LEDGER_ID EPOCH NUMBER POSITION SAFE WRITER EXPIRED, or "none"
        lead                            leads EPOCH NUMBER POSITION, or "other WRITER"
        append EVENTS BYTES             durable NUMBER EPOCH: a batch of that size, not compressed
        send EVENTS BYTES               sent NUMBER
        poll, wait                      durable NUMBER EPOCH, or "not yet"
        renew, announce, resign         ok
        safe                            NUMBER
        await NUMBER                    NUMBER: wait until that one is announced as safe
        read UPTO                       batch NUMBER FIRST LAST EPOCH SIZE, for each; then "end NUMBER"
        forget LEDGER_ID POSITION       ok: read from the start again

    An error is one line: its name and its text.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/memory.h"
#include "log/shared_log.h"

#define PATIENCE_MS 60000

typedef struct {
    stele_shared_log_t *log;
    stele_batch_end_t end;          // What this node has read
    stele_batch_end_t written;      // The end of the log, as the writer knows it
    stele_batch_t batch;
    char *data;
    char text [100];                // First argument
    int64_t number, other;          // Arguments as numbers
} s_tool_t;

static void
s_error (s_tool_t *self, int code, const stele_refusal_t *refusal)
{
    printf ("%s %s\n", stele_error_name (code), refusal && refusal->code? refusal->message: stele_shared_log_error (self->log));
}

static void
s_ok (s_tool_t *self, int code)
{
    if (code)
        s_error (self, code, NULL);
    else
        puts ("ok");
}

static void
s_create (s_tool_t *self)
{
    stele_batch_start (&self->end, self->text, self->other);
    s_ok (self, stele_shared_log_create (self->log, self->text, self->other));
}

static void
s_forget (s_tool_t *self)
{
    stele_batch_start (&self->end, self->text, self->other);
    puts ("ok");
}

static void
s_head (s_tool_t *self)
{
    stele_log_head_t head;
    int found = stele_shared_log_head (self->log, &head);
    if (found < 0)
        s_error (self, found, NULL);
    else
    if (found == 0)
        puts ("none");
    else
        printf ("%s %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %s %d\n", head.ledger_id, head.end.epoch, head.end.number,
            head.end.position, head.safe, *head.writer? head.writer: "-", head.expired);
}

static void
s_lead (s_tool_t *self)
{
    stele_log_head_t head;
    int leads = stele_shared_log_lead (self->log, &head);
    if (leads < 0)
        s_error (self, leads, NULL);
    else
    if (leads == 0)
        printf ("other %s\n", *head.writer? head.writer: "-");
    else {
        self->written = head.end;
        printf ("leads %" PRId64 " %" PRId64 " %" PRId64 "\n", head.end.epoch, head.end.number, head.end.position);
    }
}

static int
s_begin (s_tool_t *self)
{
    size_t size = (size_t) self->other;
    free (self->data);
    self->data = stele_memory_new (size);
    memset (self->data, 'x', size);
    self->batch = (stele_batch_t) {
        .last = self->written.position + self->number, .time_us = stele_clock_us (), .format = STELE_BATCH_FORMAT,
        .data = self->data, .size = size
    };
    return stele_shared_log_send (self->log, &self->batch);
}

static void
s_outcome (s_tool_t *self, bool wait)
{
    int code = stele_shared_log_poll (self->log, wait? INT64_MAX: 0);
    if (code == 1) {
        stele_batch_advance (&self->batch, &self->written);
        printf ("durable %" PRId64 " %" PRId64 "\n", self->batch.number, self->batch.epoch);
    }
    else
    if (code == 0)
        puts ("not yet");
    else
        s_error (self, code, NULL);
}

static void
s_send (s_tool_t *self, bool append)
{
    int code = s_begin (self);
    if (code)
        s_error (self, code, NULL);
    else
    if (append)
        s_outcome (self, true);
    else
        printf ("sent %" PRId64 "\n", self->batch.number);
}

static void
s_await (s_tool_t *self)
{
    int64_t until_ms = stele_clock_steady_ms () + PATIENCE_MS;
    while (stele_shared_log_safe (self->log) < self->number && stele_clock_steady_ms () < until_ms) {
        struct pollfd item = { stele_shared_log_fd (self->log), POLLIN, 0 };
        poll (&item, 1, 1000);
    }
    printf ("%" PRId64 "\n", stele_shared_log_safe (self->log));
}

static int
s_print_batch (const stele_batch_t *batch, void *arg)
{
    (void) arg;
    printf ("batch %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %zu\n", batch->number, batch->first, batch->last,
        batch->epoch, batch->size);
    return 0;
}

static void
s_read (s_tool_t *self)
{
    stele_refusal_t refusal = { 0 };
    int code = stele_shared_log_read (self->log, &self->end, self->number, s_print_batch, NULL, &refusal);
    if (code)
        s_error (self, code, &refusal);
    else
        printf ("end %" PRId64 "\n", self->end.number);
}

static bool
s_run (s_tool_t *self, const char *command)
{
    if (strcmp (command, "create") == 0)
        s_create (self);
    else if (strcmp (command, "forget") == 0)
        s_forget (self);
    else if (strcmp (command, "head") == 0)
        s_head (self);
    else if (strcmp (command, "lead") == 0)
        s_lead (self);
    else if (strcmp (command, "append") == 0 || strcmp (command, "send") == 0)
        s_send (self, *command == 'a');
    else if (strcmp (command, "poll") == 0 || strcmp (command, "wait") == 0)
        s_outcome (self, *command == 'w');
    else if (strcmp (command, "renew") == 0)
        s_ok (self, stele_shared_log_renew (self->log));
    else if (strcmp (command, "resign") == 0)
        s_ok (self, stele_shared_log_resign (self->log));
    else if (strcmp (command, "announce") == 0) {
        stele_shared_log_announce (self->log);
        puts ("ok");
    }
    else if (strcmp (command, "safe") == 0)
        printf ("%" PRId64 "\n", stele_shared_log_safe (self->log));
    else if (strcmp (command, "await") == 0)
        s_await (self);
    else if (strcmp (command, "read") == 0)
        s_read (self);
    else
        return false;
    return true;
}

int
main (int argc, char *argv [])
{
    if (argc < 6)
        return 2;
    stele_refusal_t refusal = { 0 };
    stele_shared_log_options_t options = {
        .url = argv [1], .name = argv [2], .node = argv [3], .endpoints = "tcp://127.0.0.1:5570",
        .lease_ms = strtoll (argv [4], NULL, 10), .timeout_ms = strtoll (argv [5], NULL, 10),
        .unreplicated = argc > 6
    };
    s_tool_t self = { .log = stele_shared_log_new (&options, &refusal) };
    if (!self.log) {
        printf ("%s %s: %s\n", stele_error_name (refusal.code), refusal.field, refusal.message);
        return 1;
    }
    char line [300], command [40];
    setvbuf (stdout, NULL, _IOLBF, 0);
    puts ("ready");
    while (fgets (line, sizeof line, stdin)) {
        *self.text = 0;
        self.other = 0;
        int words = sscanf (line, "%39s %99s %" SCNd64, command, self.text, &self.other);
        self.number = strtoll (self.text, NULL, 10);
        if (words < 1 || !s_run (&self, command))
            printf ("what is '%s'?\n", command);
    }
    free (self.data);
    stele_shared_log_destroy (&self.log);
    return 0;
}
