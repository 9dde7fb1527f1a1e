/*  cmd_publish - stele publish: JSON Lines to the broker, durably

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>
#include <jansson.h>
#include "cli/cli.h"
#include "cli/interrupt.h"
#include "cli/lines.h"
#include "cli/tally.h"

#define SLICE_MS 100                // Between two looks at Ctrl-C, progress, patience
#define STALL_MS 30000              // Without an ack, once there were some
#define BATCH_DELAY_MS 2

typedef struct {
    const char *producer;
    int64_t batch, sequence;
} args_t;

static const cli_option_t s_options [] = {
    { "producer", 'p', "NAME", "publish as this producer, whose numbering goes on; without it under a name "
        "that only this run has", CLI_TEXT, offsetof (args_t, producer), 0, NULL },
    { "batch", 'b', "N", "send at most N events in a message (500)", CLI_NUMBER, offsetof (args_t, batch), 1, NULL },
    { "sequence", 0, "N", "number the first event N: of a file that was sent before, in whole or in part, "
        "only the rest is stored (with --producer)", CLI_NUMBER, offsetof (args_t, sequence), 1, NULL },
    CLI_OPTIONS_END
};

typedef struct {
    cli_t *cli;
    stele_client_t *client;
    cli_tally_t *tally;
    cli_lines_t *lines;
    int64_t bad_lines;
    int64_t heard_ms;               // When the broker was last heard of, or nothing was open
    int64_t shown_ms;               // When progress was last shown
    int64_t shown_events;
    bool progress;                  // stderr is a terminal
    int failure;                    // STELE_E...: what ended it
} s_publish_t;

static int64_t
s_now_ms (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

//  -- talk ------------------------------------------------------------------------

static void
s_wipe_progress (s_publish_t *self)
{
    if (self->progress && self->shown_ms)
        fputs ("\r\033[K", stderr);
}

static void
s_show_progress (s_publish_t *self)
{
    int64_t now = s_now_ms ();
    if (!self->progress || now - self->shown_ms < 2 * SLICE_MS)
        return;
    cli_tally_counts_t counts = cli_tally_counts (self->tally);
    int64_t settled = counts.events - counts.open;
    int64_t rate = self->shown_ms? (settled - self->shown_events) * 1000 / (now - self->shown_ms): 0;
    fprintf (stderr, "\r\033[K%s events, %s durable, %s/s", cli_format_count (counts.events).text,
        cli_format_count (settled).text, cli_format_count (rate).text);
    fflush (stderr);
    self->shown_ms = now;
    self->shown_events = settled;
}

static void
s_bad_line (s_publish_t *self, const char *why)
{
    self->bad_lines++;
    s_wipe_progress (self);
    cli_say ("line %" PRId64 ": %s", cli_lines_number (self->lines), why);
}

static void
s_on_receipt (const stele_receipt_t *receipt, void *arg)
{
    s_publish_t *self = arg;
    self->heard_ms = s_now_ms ();
    int64_t line = cli_tally_receipt (self->tally, receipt);
    if (receipt->fate == STELE_REFUSED) {
        s_wipe_progress (self);
        cli_say ("line %" PRId64 ": %s: %s", line, stele_error_name (receipt->code),
            receipt->message? receipt->message: stele_error_text (receipt->code));
    }
}

//  -- patience --------------------------------------------------------------------

/*  Take in what came; is it time to give up?                                */
static bool
s_check (s_publish_t *self)
{
    int64_t open = stele_client_poll (self->client);
    if (open < 0) {
        self->failure = (int) open;
        return false;
    }
    s_show_progress (self);
    cli_tally_counts_t counts = cli_tally_counts (self->tally);
    if (open == 0)
        self->heard_ms = s_now_ms ();
    int patience_ms = cli_timeout (self->cli, counts.open < counts.events? STALL_MS: CLI_TIMEOUT_MS);
    if (s_now_ms () - self->heard_ms > patience_ms)
        self->failure = STELE_ETIMEOUT;
    return self->failure == 0;
}

/*  Everything that was read becomes durable or is refused, or it is time to give
    up. One Ctrl-C more than there were gives up, too.                       */
static void
s_flush (s_publish_t *self)
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

static void
s_publish_event (s_publish_t *self, stele_event_t *event)
{
    int64_t line = cli_lines_number (self->lines);
    int64_t number = stele_client_publish (self->client, &event, SLICE_MS);
    while (number == STELE_ETIMEOUT && s_check (self) && cli_interrupts () == 0)
        number = stele_client_publish (self->client, &event, SLICE_MS);
    if (number > 0)
        cli_tally_published (self->tally, number, line);
    else
    if (number != STELE_ETIMEOUT)
        self->failure = (int) number;
    stele_event_destroy (&event);
}

static void
s_take_line (s_publish_t *self, const char *text, size_t size)
{
    static const char zstd_magic [] = { '\x28', '\xb5', '\x2f', '\xfd' };
    if (cli_lines_number (self->lines) == 1) {
        if (size >= 3 && memcmp (text, "\xef\xbb\xbf", 3) == 0) {
            text += 3;              // A byte order mark
            size -= 3;
        }
        if (size >= sizeof zstd_magic && memcmp (text, zstd_magic, sizeof zstd_magic) == 0) {
            cli_say ("the input is compressed: zstdcat FILE | stele publish -");
            self->failure = STELE_EMALFORMED;
            return;
        }
    }
    if (s_is_blank (text, size))
        return;
    char error [256] = "";
    stele_event_t *event = stele_event_from_json (text, size, error, sizeof error);
    if (event)
        s_publish_event (self, event);
    else
        s_bad_line (self, *error? error: "not a JSON object");
    if (cli_tally_counts (self->tally).events % 1000 == 0)
        s_show_progress (self);
}

static void
s_read_lines (s_publish_t *self)
{
    while (self->failure == 0) {
        const char *text;
        size_t size;
        switch (cli_lines_next (self->lines, SLICE_MS, &text, &size)) {
            case CLI_LINE:
                s_take_line (self, text, size);
                break;
            case CLI_LINE_TOO_LONG:
                s_bad_line (self, "longer than 64 MiB: no event is");
                break;
            case CLI_LINE_NONE:
                s_check (self);
                break;
            case CLI_LINE_INTERRUPTED:
                break;
            case CLI_LINE_END:
                return;
            case CLI_LINE_FAILED:
                s_wipe_progress (self);
                cli_say ("reading failed: %s", strerror (errno));
                self->failure = STELE_EIO;
                return;
        }
        if (cli_interrupts ())
            return;
    }
}

//  -- the end ---------------------------------------------------------------------

static void
s_print_counts (const s_publish_t *self)
{
    cli_tally_counts_t counts = cli_tally_counts (self->tally);
    if (self->cli->json) {
        printf ("{\"events\":%" PRId64 ",\"accepted\":%" PRId64 ",\"duplicates\":%" PRId64
            ",\"refused\":%" PRId64 ",\"bad_lines\":%" PRId64 ",\"unacked\":%" PRId64
            ",\"position\":%" PRId64 "}\n", counts.events, counts.accepted, counts.duplicates,
            counts.refused, self->bad_lines, counts.open, counts.position);
        return;
    }
    printf ("%s event%s: %s accepted, ", cli_format_count (counts.events).text,
        counts.events == 1? "": "s", cli_format_count (counts.accepted).text);
    printf ("%s duplicate%s, ", cli_format_count (counts.duplicates).text, counts.duplicates == 1? "": "s");
    printf ("%s refused", cli_format_count (counts.refused).text);
    if (self->bad_lines)
        printf (", %s bad line%s", cli_format_count (self->bad_lines).text, self->bad_lines == 1? "": "s");
    if (counts.open)
        printf (", %s not known to be durable", cli_format_count (counts.open).text);
    putchar ('\n');
}

static int
s_say_failure (const s_publish_t *self)
{
    const char *why = stele_client_error (self->client);
    switch (self->failure) {
        case STELE_EMALFORMED:      // Said before
            return EX_DATAERR;
        case STELE_EIO:
            return EX_IOERR;
        case STELE_ETIMEOUT:
            cli_say ("no ack from %s for %s. Is a broker running there? "
                "Start one with 'steled', or say where it is: --events EP, or STELE_EVENTS",
                self->cli->events, cli_format_duration ((s_now_ms () - self->heard_ms) * 1000).text);
            return EX_UNAVAILABLE;
        case STELE_EGAP:
            cli_say ("%s. Is --sequence right?", *why? why: stele_error_text (STELE_EGAP));
            return EX_DATAERR;
        case STELE_EFENCED:
            cli_say ("%s", *why? why: stele_error_text (STELE_EFENCED));
            return EX_TEMPFAIL;
        case STELE_EPROTOCOL:
            cli_say ("%s", *why? why: stele_error_text (STELE_EPROTOCOL));
            return EX_PROTOCOL;
        case STELE_EUNAUTHORIZED:
            cli_say ("%s", *why? why: stele_error_text (STELE_EUNAUTHORIZED));
            return EX_NOPERM;
        default:
            cli_say ("%s", *why? why: stele_error_text (self->failure));
            return EX_SOFTWARE;
    }
}

static int
s_end (s_publish_t *self)
{
    s_wipe_progress (self);
    int status = self->failure? s_say_failure (self): EX_OK;
    s_print_counts (self);
    cli_tally_counts_t counts = cli_tally_counts (self->tally);
    if (status)
        return status;
    if (cli_interrupts ()) {
        cli_say ("interrupted after line %" PRId64, cli_lines_number (self->lines));
        return CLI_INTERRUPTED;
    }
    return self->bad_lines || counts.refused? EX_DATAERR: EX_OK;
}

//  -- the beginning ---------------------------------------------------------------

static stele_client_t *
s_client (s_publish_t *self, const args_t *args)
{
    char name [64];
    uint64_t random = 0;
    if (getrandom (&random, sizeof random, 0) != sizeof random)
        random = (uint64_t) s_now_ms () << 16 ^ (uint64_t) getpid ();
    snprintf (name, sizeof name, "publish-%012" PRIx64, random & 0xffffffffffff);
    stele_client_t *client = stele_client_new (args->producer? args->producer: name);
    stele_client_set_events_endpoint (client, self->cli->events);
    if (args->batch)
        stele_client_set_batch (client, (size_t) args->batch, BATCH_DELAY_MS);
    if (args->sequence)
        stele_client_set_first_sequence (client, args->sequence);
    stele_client_on_receipt (client, s_on_receipt, self);
    return client;
}

static int
s_publish (cli_t *cli, const args_t *args, int fd)
{
    s_publish_t self = { .cli = cli, .progress = isatty (STDERR_FILENO), .heard_ms = s_now_ms () };
    cli_interrupt_catch ();
    self.lines = cli_lines_new (fd);
    self.tally = cli_tally_new ();
    self.client = s_client (&self, args);
    if (isatty (fd))
        fputs ("reading events from the terminal, one JSON object a line; Ctrl-D ends\n", stderr);
    s_read_lines (&self);
    s_flush (&self);
    int status = s_end (&self);
    stele_client_destroy (&self.client);
    cli_tally_destroy (&self.tally);
    cli_lines_destroy (&self.lines);
    return status;
}

static int
s_run (cli_t *self, void *arguments, const cli_operands_t *operands)
{
    const args_t *args = arguments;
    if (args->sequence && !args->producer)
        return cli_say_usage ("publish", "--sequence needs --producer: numbers belong to a producer");
    if (args->producer && (!*args->producer || strlen (args->producer) > 255))
        return cli_say_usage ("publish", "--producer takes a name of 1 to 255 bytes");

    const char *path = operands->count? operands->items [0]: "-";
    if (strcmp (path, "-") == 0)
        return s_publish (self, args, STDIN_FILENO);
    int fd = open (path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        cli_say ("%s: %s", path, strerror (errno));
        return EX_NOINPUT;
    }
    int status = s_publish (self, args, fd);
    close (fd);
    return status;
}

const cli_command_t cli_cmd_publish = {
    .name = "publish",
    .summary = "publish events from JSON Lines, durably",
    .usage = {
        .usage = "stele publish [OPTION]... [FILE|-]",
        .about =
            "Publish the events of a file, or of the standard input: one JSON object a line, as in "
            "doc/PROTOCOL.md section 3. Ends when every event is on stable storage at the broker, or is refused, "
            "and says how many.\n"
            "\n"
            "A line that is no JSON object is named by its number and skipped; an event that the broker refuses is "
            "named too, and kept there as a rejected event. The others are published. Then the exit status is 65.",
        .after =
            "Ctrl-C stops reading, waits for what was read, and counts; a second one does not wait.\n"
            "\n"
            "A broker that goes away is waited for, and what it had not stored is sent again. After 5 seconds without a "
            "first ack, or 30 without another, or what --timeout says, the exit status is 69; with --producer and "
            "--sequence the same command can be run again.",
        .examples =
            "  stele publish runs.jsonl\n"
            "  zstdcat runs.jsonl.zst | stele publish -\n"
            "  stele publish --producer nightly --sequence 1 runs.jsonl      # safe to run again\n"
            "  echo '{\"type\":\"task.created\",\"task_id\":\"build-7\",\"title\":\"Build\","
            "\"description\":\"make all\",\"role\":\"builder\"}' | stele publish\n"
            "  echo '{\"type\":\"task.state_changed\",\"task_id\":\"build-7\",\"state\":\"running\","
            "\"time\":\"2026-01-31T23:59:59.5Z\"}' | stele publish"
    },
    .options = s_options,
    .args_size = sizeof (args_t),
    .operands_max = 1,
    .run = s_run
};
