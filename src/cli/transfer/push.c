/*  push - publish a file of events, durably: for publish, import and migrate

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>
#include "base/clock.h"
#include "cli/files/interrupt.h"
#include "cli/shared/ask.h"
#include "cli/transfer/push_internal.h"

#define SLICE_MS 100                // Between two checks for Ctrl-C, progress and time-outs
#define STALL_MS 30000              // Without another ack, after the first
#define BATCH_DELAY_MS 2
#define AWAY_MS 1000                // For a first ack, if the spool has the events
#define BAD_LINES_SHOWN 20
#define ALONE_BYTES  1024           // An event of this size is spooled alone: if it is too large, no others fail with it

//  Keep a line that is not an event. If it cannot be kept, stop: it would be seen nowhere again
static void
s_keep_line (cli_pushing_t *self, const char *why, const char *text, size_t size)
{
    if (!self->rejects || cli_rejects_add (self->rejects, cli_lines_number (self->lines), why, text, size) == 0)
        return;
    cli_push_wipe_progress (self);
    cli_report ("line %" PRId64 " is not an event and cannot be kept in the file of --rejects: %s; it and the "
        "following lines were not sent", cli_lines_number (self->lines), strerror (errno));
    self->failure = STELE_EIO;
}

//  'text' is the line, NULL if it was skipped unread
static void
s_bad_line (cli_pushing_t *self, const char *why, const char *text, size_t size)
{
    s_keep_line (self, why, text, size);
    if (self->failure)
        return;
    //  A file of another kind would fail in every line
    if (self->bad_lines++ > BAD_LINES_SHOWN)
        return;
    cli_push_wipe_progress (self);
    if (self->bad_lines > BAD_LINES_SHOWN) {
        cli_report ("more lines like these follow");
        return;
    }
    cli_report ("line %" PRId64 ": %s", cli_lines_number (self->lines), why);
    //  After a correction, the following events would have other numbers
    if (self->numbered) {
        cli_report ("events are numbered by their lines, so the following lines were not sent: correct this one and run the command again");
        self->stopped = true;
    }
}

static void
s_on_receipt (const stele_receipt_t *receipt, void *arg)
{
    cli_pushing_t *self = arg;
    self->heard_ms = stele_clock_steady_ms ();
    int64_t line = cli_publish_counts_receipt (self->counts, receipt);
    if (receipt->fate == STELE_REFUSED) {
        cli_push_wipe_progress (self);
        char where [40] = "an event of an earlier run";
        if (line > 0)
            snprintf (where, sizeof where, "line %" PRId64, line);
        cli_report ("%s: %s: %s", where, stele_error_name (receipt->code),
            receipt->message? receipt->message: stele_error_text (receipt->code));
    }
}

//  -- waiting --------------------------------------------------------------------

//  Process receipts. False: failed, or timed out
static bool
s_check (cli_pushing_t *self)
{
    int64_t open = stele_client_poll (self->client);
    if (open < 0) {
        self->failure = (int) open;
        return false;
    }
    cli_push_show_progress (self);
    cli_publish_counts_counts_t counts = cli_publish_counts_counts (self->counts);
    if (open == 0)
        self->heard_ms = stele_clock_steady_ms ();
    int timeout_ms = cli_timeout (self->cli, counts.open < counts.events? STALL_MS:
        self->spooled > 0? AWAY_MS: CLI_TIMEOUT_MS);
    if (stele_clock_steady_ms () - self->heard_ms > timeout_ms)
        self->failure = STELE_ETIMEOUT;
    return self->failure == 0;
}

//  Wait until every event is durable or refused, the time-out, or another Ctrl-C
static void
s_flush (cli_pushing_t *self)
{
    int interrupts = cli_interrupts ();
    while (self->failure == 0) {
        int rc = stele_client_flush (self->client, SLICE_MS);
        if (rc == 0)
            return;
        if (rc != STELE_ETIMEOUT)
            self->failure = rc;
        else
        if (s_check (self) && cli_interrupts () > interrupts)
            return;
    }
}

//  -- lines -----------------------------------------------------------------------

static bool
s_is_blank (const char *text, size_t size)
{
    while (size && (*text == ' ' || *text == '\t' || *text == '\r')) {
        text++;
        size--;
    }
    return size == 0;
}

//  An event that is too large for the broker is a bad line, unless later runs of the same lines would
//  give other sequences to those after it.
static bool
s_skip_too_large (cli_pushing_t *self, int64_t code)
{
    if (code != STELE_ETOO_LARGE || self->sequenced)
        return false;
    char why [256];
    snprintf (why, sizeof why, "%s", stele_client_error (self->client));
    //  The producer has ended if the broker now allows less than before
    if (stele_client_poll (self->client) < 0)
        return false;
    s_bad_line (self, why, self->line, self->line_size);
    return true;
}

//  Make the group durable in the spool. While the spool is full, wait for acks.
static void
s_spool_group (cli_pushing_t *self)
{
    if (self->group_count == 0)
        return;
    int64_t number = stele_client_publish_all (self->client, self->group, self->group_count, 0);
    while (number == STELE_EFULL && s_check (self) && cli_interrupts () == 0) {
        stele_client_flush (self->client, SLICE_MS);
        number = stele_client_publish_all (self->client, self->group, self->group_count, 0);
    }
    if (number < 0 && !s_skip_too_large (self, number)) {
        self->failure = (int) number;
        self->failed_line = self->group_lines [0];
    }
    int64_t first = number - (int64_t) self->group_count + 1;
    for (size_t i = 0; i < self->group_count; i++) {
        if (number > 0)
            cli_publish_counts_published (self->counts, first + (int64_t) i, self->group_lines [i]);
        stele_event_destroy (&self->group [i]);
    }
    if (number > 0)
        self->spooled += (int64_t) self->group_count;
    self->group_count = 0;
    self->heard_ms = stele_clock_steady_ms ();
}

//  Count the events of earlier runs in the spool as published, without a line
static void
s_count_spooled (cli_pushing_t *self)
{
    int64_t open = stele_client_poll (self->client);
    if (open < 0) {
        self->failure = (int) open;
        return;
    }
    cli_publish_counts_counts_t counts = cli_publish_counts_counts (self->counts);
    self->spooled_before = open + counts.accepted + counts.duplicates + counts.refused;
    for (int64_t number = 1; number <= self->spooled_before; number++)
        cli_publish_counts_published (self->counts, number, number - self->spooled_before);
}

static void
s_publish_event (cli_pushing_t *self, stele_event_t *event, const char *text, size_t text_size)
{
    if (self->spool) {
        //  Check it now: otherwise a later run would get the refusal
        char error [256] = "";
        if (stele_event_check (event, error, sizeof error)) {
            s_bad_line (self, error, text, text_size);
            stele_event_destroy (&event);
            return;
        }
        size_t size;
        stele_event_data (event, &size);
        if (size >= ALONE_BYTES)
            s_spool_group (self);
        if (self->failure) {
            stele_event_destroy (&event);
            return;
        }
        self->group_lines [self->group_count] = cli_lines_number (self->lines);
        self->group [self->group_count++] = event;
        if (self->group_count == PUSH_GROUP_EVENTS || size >= ALONE_BYTES)
            s_spool_group (self);
        return;
    }
    int64_t line = cli_lines_number (self->lines);
    int64_t number = stele_client_publish (self->client, &event, SLICE_MS);
    while (number == STELE_ETIMEOUT && s_check (self) && cli_interrupts () == 0)
        number = stele_client_publish (self->client, &event, SLICE_MS);
    if (number > 0)
        cli_publish_counts_published (self->counts, number, line);
    else
    if (number != STELE_ETIMEOUT && !s_skip_too_large (self, number))
        self->failure = (int) number;
    stele_event_destroy (&event);
}

static void
s_take_line (cli_pushing_t *self, const char *text, size_t size)
{
    static const char zstd_magic [] = { '\x28', '\xb5', '\x2f', '\xfd' };
    if (cli_lines_number (self->lines) == 1) {
        if (size >= 3 && memcmp (text, "\xef\xbb\xbf", 3) == 0) {
            text += 3;              // A byte order mark
            size -= 3;
        }
        if (size >= sizeof zstd_magic && memcmp (text, zstd_magic, sizeof zstd_magic) == 0) {
            cli_report ("the input is compressed: zstdcat FILE | stele %s -", self->command);
            self->failure = STELE_EMALFORMED;
            return;
        }
    }
    if (s_is_blank (text, size) || (self->restores && size > 3 && memcmp (text, "{\"$", 3) == 0))
        return;
    self->line = text;
    self->line_size = size;
    char error [256] = "";
    stele_event_t *event = stele_event_from_json (text, size, error, sizeof error);
    if (event)
        s_publish_event (self, event, text, size);
    else
        s_bad_line (self, *error? error: "not a JSON object", text, size);
    if (cli_publish_counts_counts (self->counts).events % 1000 == 0)
        cli_push_show_progress (self);
}

static void
s_read_lines (cli_pushing_t *self)
{
    while (self->failure == 0 && !self->stopped) {
        const char *text;
        size_t size;
        //  Lines that are available at once are spooled together
        switch (cli_lines_next (self->lines, self->group_count? 0: SLICE_MS, &text, &size)) {
            case CLI_LINE:
                s_take_line (self, text, size);
                break;
            case CLI_LINE_TOO_LONG:
                s_bad_line (self, "longer than 64 MiB, the maximum", NULL, 0);
                break;
            case CLI_LINE_NONE:
                if (self->group_count)
                    s_spool_group (self);
                else
                if (self->spool)
                    stele_client_poll (self->client);
                else
                    s_check (self);
                break;
            case CLI_LINE_INTERRUPTED:
                break;
            case CLI_LINE_END:
                return;
            case CLI_LINE_FAILED:
                cli_push_wipe_progress (self);
                cli_report ("cannot read the input: %s", strerror (errno));
                self->failure = STELE_EIO;
                return;
        }
        if (cli_interrupts ())
            return;
    }
}

//  -- the start ---------------------------------------------------------------

static stele_client_t *
s_client (cli_pushing_t *self, const cli_push_t *args)
{
    uint64_t random = 0;
    if (getrandom (&random, sizeof random, 0) != sizeof random)
        random = (uint64_t) stele_clock_steady_ms () << 16 ^ (uint64_t) getpid ();
    char *owner = args->spool && !args->producer? stele_client_spool_producer (args->spool): NULL;
    if (!args->producer && !owner)
        snprintf (self->name, sizeof self->name, "publish-%012" PRIx64, random & 0xffffffffffff);
    stele_client_t *client = stele_client_new (args->producer? args->producer: owner? owner: self->name);
    free (owner);
    if (args->spool)
        stele_client_set_spool (client, args->spool);
    if (args->accept_loss)
        stele_client_set_accept_loss (client);
    stele_client_set_events_endpoint (client, self->cli->events);
    stele_client_set_requests_endpoint (client, self->cli->requests);
    cli_use_key (self->cli, client);
    if (args->batch)
        stele_client_set_batch (client, (size_t) args->batch, BATCH_DELAY_MS);
    self->numbered = args->numbered;
    self->sequenced = args->sequence > 0;
    if (args->sequence)
        stele_client_set_first_sequence (client, args->sequence);
    //  A producer with a random name never returns, so its events may come from an export
    stele_client_set_restore (client, args->restore || (!args->producer && !args->spool));
    if (!args->producer && !args->spool)
        stele_client_set_anonymous (client);
    stele_client_on_receipt (client, s_on_receipt, self);
    return client;
}

//  Check --rejects before anything is published. Returns the exit status.
static int
s_open_rejects (cli_pushing_t *self, const char *path, int fd)
{
    if (!path)
        return EX_OK;
    self->rejects = cli_rejects_new (path);
    if (cli_rejects_is_input (self->rejects, fd))
        return cli_usage_error (self->command, "--rejects names the input itself: '%s'", path);
    if (cli_rejects_check (self->rejects) == 0)
        return EX_OK;
    cli_report ("--rejects: cannot write '%s': %s", path, strerror (errno));
    return EX_CANTCREAT;
}

//  Returns the exit status of the push, or that of a failure.
static int
s_close_rejects (cli_pushing_t *self, int status)
{
    if (!self->rejects)
        return status;
    if (cli_rejects_finish (self->rejects)) {
        cli_report ("cannot sync the file of --rejects: %s", strerror (errno));
        status = EX_IOERR;
    }
    cli_rejects_destroy (&self->rejects);
    return status;
}

int
cli_push (cli_t *cli, const cli_push_t *args, int fd)
{
    cli_pushing_t self = { .cli = cli, .command = args->command, .progress = isatty (STDERR_FILENO),
        .heard_ms = stele_clock_steady_ms () };
    int status = s_open_rejects (&self, args->rejects, fd);
    if (status) {
        cli_rejects_destroy (&self.rejects);
        return status;
    }
    cli_interrupt_catch ();
    self.lines = cli_lines_new (fd);
    self.counts = cli_publish_counts_new ();
    self.spool = args->spool;
    self.warns_others = args->warns_others;
    self.restores = args->restore;
    self.client = s_client (&self, args);
    if (self.spool)
        s_count_spooled (&self);
    if (fd >= 0) {
        if (isatty (fd))
            fputs ("reading events from the terminal, one JSON object per line; end with Ctrl-D\n", stderr);
        s_read_lines (&self);
        s_spool_group (&self);
    }
    s_flush (&self);
    status = s_close_rejects (&self, cli_push_end (&self));
    //  This program reports the work of others, which continues
    stele_client_close (self.client, true, 0);
    stele_client_destroy (&self.client);
    cli_publish_counts_destroy (&self.counts);
    cli_lines_destroy (&self.lines);
    return status;
}
