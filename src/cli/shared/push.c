/*  push - a file of events to the broker, durably: what publish and import share

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>
#include "cli/files/interrupt.h"
#include "cli/files/lines.h"
#include "cli/shared/push.h"
#include "cli/shared/publish_counts.h"
#include "base/clock.h"

#define SLICE_MS 100                // Between two looks at Ctrl-C, progress, patience
#define STALL_MS 30000              // Without an ack, once there were some
#define BATCH_DELAY_MS 2
#define AWAY_MS 1000                // For a first ack, where the spool has the events
#define BAD_LINES_SHOWN 20
#define GROUP_EVENTS 1000           // Spooled together
#define ALONE_BYTES  1024           // One of that size may be too large, and takes no others with it

typedef struct {
    cli_t *cli;
    const char *command;
    stele_client_t *client;
    cli_publish_counts_t *tally;
    cli_lines_t *lines;
    int64_t bad_lines;
    int64_t heard_ms;               // When the broker was last heard of, or nothing was open
    int64_t shown_ms;               // When progress was last shown
    int64_t shown_events;
    const char *spool;              // NULL: none
    int64_t spooled_before;         // What it held at the start
    int64_t spooled;                // Events of this run that it took
    stele_event_t *group [GROUP_EVENTS];    // Read, and not yet spooled
    int64_t group_lines [GROUP_EVENTS];
    size_t group_count;
    bool progress;                  // stderr is a terminal
    bool says_others;
    int failure;                    // STELE_E...: what ended it
    bool numbered;                  // As of cli_push_t
    bool stopped;                   // Nothing more is read
    int64_t failed_line;            // Where the group began that was not taken; 0: the last one
} s_push_t;

//  -- talk ------------------------------------------------------------------------

static void
s_wipe_progress (s_push_t *self)
{
    if (self->progress && self->shown_ms)
        fputs ("\r\033[K", stderr);
}

static void
s_show_progress (s_push_t *self)
{
    int64_t now = stele_clock_steady_ms ();
    if (!self->progress || now - self->shown_ms < 2 * SLICE_MS)
        return;
    cli_publish_counts_counts_t counts = cli_publish_counts_counts (self->tally);
    int64_t settled = counts.events - counts.open;
    int64_t rate = self->shown_ms? (settled - self->shown_events) * 1000 / (now - self->shown_ms): 0;
    fprintf (stderr, "\r\033[K%s events, %s durable, %s/s", cli_format_count (counts.events).text,
        cli_format_count (settled).text, cli_format_count (rate).text);
    fflush (stderr);
    self->shown_ms = now;
    self->shown_events = settled;
}

static void
s_bad_line (s_push_t *self, const char *why)
{
    //  A file that has no events at all would say the same of each of its lines
    if (self->bad_lines++ > BAD_LINES_SHOWN)
        return;
    s_wipe_progress (self);
    if (self->bad_lines > BAD_LINES_SHOWN) {
        cli_say ("and more lines like these");
        return;
    }
    cli_say ("line %" PRId64 ": %s", cli_lines_number (self->lines), why);
    //  Run again when it is corrected, its number would be another event's
    if (self->numbered) {
        cli_say ("events are numbered by their lines, so what follows was not sent: correct it and run this again");
        self->stopped = true;
    }
}

static void
s_on_receipt (const stele_receipt_t *receipt, void *arg)
{
    s_push_t *self = arg;
    self->heard_ms = stele_clock_steady_ms ();
    int64_t line = cli_publish_counts_receipt (self->tally, receipt);
    if (receipt->fate == STELE_REFUSED) {
        s_wipe_progress (self);
        char where [40] = "an event spooled before";
        if (line > 0)
            snprintf (where, sizeof where, "line %" PRId64, line);
        cli_say ("%s: %s: %s", where, stele_error_name (receipt->code),
            receipt->message? receipt->message: stele_error_text (receipt->code));
    }
}

//  -- patience --------------------------------------------------------------------

/*  Take in what came; is it time to give up?                                */
static bool
s_check (s_push_t *self)
{
    int64_t open = stele_client_poll (self->client);
    if (open < 0) {
        self->failure = (int) open;
        return false;
    }
    s_show_progress (self);
    cli_publish_counts_counts_t counts = cli_publish_counts_counts (self->tally);
    if (open == 0)
        self->heard_ms = stele_clock_steady_ms ();
    int patience_ms = cli_timeout (self->cli, counts.open < counts.events? STALL_MS:
        self->spooled > 0? AWAY_MS: CLI_TIMEOUT_MS);
    if (stele_clock_steady_ms () - self->heard_ms > patience_ms)
        self->failure = STELE_ETIMEOUT;
    return self->failure == 0;
}

/*  Everything that was read becomes durable or is refused, or it is time to give
    up. One Ctrl-C more than there were gives up, too.                       */
static void
s_flush (s_push_t *self)
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

//  Make the group durable in the spool. A full one is waited for as a broker is.
static void
s_spool_group (s_push_t *self)
{
    if (self->group_count == 0)
        return;
    int64_t number = stele_client_publish_all (self->client, self->group, self->group_count, 0);
    while (number == STELE_EFULL && s_check (self) && cli_interrupts () == 0) {
        stele_client_flush (self->client, SLICE_MS);
        number = stele_client_publish_all (self->client, self->group, self->group_count, 0);
    }
    if (number < 0) {
        self->failure = (int) number;
        self->failed_line = self->group_lines [0];
    }
    int64_t first = number - (int64_t) self->group_count + 1;
    for (size_t i = 0; i < self->group_count; i++) {
        if (number > 0)
            cli_publish_counts_published (self->tally, first + (int64_t) i, self->group_lines [i]);
        stele_event_destroy (&self->group [i]);
    }
    if (number > 0)
        self->spooled += (int64_t) self->group_count;
    self->group_count = 0;
    self->heard_ms = stele_clock_steady_ms ();
}

//  What earlier runs left in the spool is counted as published, from no line
static void
s_count_spooled (s_push_t *self)
{
    int64_t open = stele_client_poll (self->client);
    if (open < 0) {
        self->failure = (int) open;
        return;
    }
    cli_publish_counts_counts_t counts = cli_publish_counts_counts (self->tally);
    self->spooled_before = open + counts.accepted + counts.duplicates + counts.refused;
    for (int64_t number = 1; number <= self->spooled_before; number++)
        cli_publish_counts_published (self->tally, number, number - self->spooled_before);
}

static void
s_publish_event (s_push_t *self, stele_event_t *event)
{
    if (self->spool) {
        //  It would wait there to be refused, and some later run would be told
        char error [256] = "";
        if (stele_event_check (event, error, sizeof error)) {
            s_bad_line (self, error);
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
        if (self->group_count == GROUP_EVENTS || size >= ALONE_BYTES)
            s_spool_group (self);
        return;
    }
    int64_t line = cli_lines_number (self->lines);
    int64_t number = stele_client_publish (self->client, &event, SLICE_MS);
    while (number == STELE_ETIMEOUT && s_check (self) && cli_interrupts () == 0)
        number = stele_client_publish (self->client, &event, SLICE_MS);
    if (number > 0)
        cli_publish_counts_published (self->tally, number, line);
    else
    if (number != STELE_ETIMEOUT)
        self->failure = (int) number;
    stele_event_destroy (&event);
}

static void
s_take_line (s_push_t *self, const char *text, size_t size)
{
    static const char zstd_magic [] = { '\x28', '\xb5', '\x2f', '\xfd' };
    if (cli_lines_number (self->lines) == 1) {
        if (size >= 3 && memcmp (text, "\xef\xbb\xbf", 3) == 0) {
            text += 3;              // A byte order mark
            size -= 3;
        }
        if (size >= sizeof zstd_magic && memcmp (text, zstd_magic, sizeof zstd_magic) == 0) {
            cli_say ("the input is compressed: zstdcat FILE | stele %s -", self->command);
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
    if (cli_publish_counts_counts (self->tally).events % 1000 == 0)
        s_show_progress (self);
}

static void
s_read_lines (s_push_t *self)
{
    while (self->failure == 0 && !self->stopped) {
        const char *text;
        size_t size;
        //  What can be read at once is spooled together
        switch (cli_lines_next (self->lines, self->group_count? 0: SLICE_MS, &text, &size)) {
            case CLI_LINE:
                s_take_line (self, text, size);
                break;
            case CLI_LINE_TOO_LONG:
                s_bad_line (self, "longer than 64 MiB: no event is");
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
s_print_counts (const s_push_t *self)
{
    cli_publish_counts_counts_t counts = cli_publish_counts_counts (self->tally);
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
        printf (self->spool? ", %s wait in the spool": ", %s not known to be durable",
            cli_format_count (counts.open).text);
    putchar ('\n');
}

//  The spool has the events: a broker that is away is then no failure of this run, if it had any
static int
s_say_waiting (const s_push_t *self)
{
    cli_say ("no ack from %s; the events are safe in %s, and sent by the next 'stele %s --spool' that finds a broker",
        self->cli->events, self->spool, self->command);
    return self->spooled > 0? EX_OK: EX_TEMPFAIL;
}

static int
s_say_spool (const s_push_t *self, const char *why)
{
    cli_say ("%s", *why? why: stele_error_text (self->failure));
    switch (self->failure) {
        case STELE_EBEHIND:
        case STELE_ELEDGER:
            cli_say ("what waits in %s stays there; --accept-loss goes on with this broker", self->spool);
            return EX_DATAERR;
        case STELE_EINVALID_FIELD:
            return EX_DATAERR;
        case STELE_EBUSY:
        case STELE_EFULL:
            return EX_TEMPFAIL;
        default:
            return EX_IOERR;
    }
}

static bool
s_is_of_spool (const s_push_t *self)
{
    static const int codes [] = {
        STELE_EBEHIND, STELE_ELEDGER, STELE_EINVALID_FIELD, STELE_EBUSY, STELE_EFULL, STELE_EIO
    };
    for (size_t i = 0; i < sizeof codes / sizeof codes [0]; i++)
        if (self->spool && self->failure == codes [i])
            return true;
    return false;
}

static int
s_say_failure (const s_push_t *self)
{
    const char *why = stele_client_error (self->client);
    if (s_is_of_spool (self))
        return s_say_spool (self, why);
    if (self->spool && self->failure == STELE_ETIMEOUT)
        return s_say_waiting (self);
    switch (self->failure) {
        case STELE_EMALFORMED:      // Said before
            return EX_DATAERR;
        case STELE_EIO:
            return EX_IOERR;
        case STELE_ETIMEOUT:
            cli_say ("no ack from %s for %s. Is a broker running there? "
                "Start one with 'steled', or say where it is: --events EP, or STELE_EVENTS",
                self->cli->events, cli_format_duration ((stele_clock_steady_ms () - self->heard_ms) * 1000).text);
            return EX_UNAVAILABLE;
        case STELE_ETOO_LARGE:
            cli_say ("line %" PRId64 " is larger than a message to this broker may be: %s. It and what follows was "
                "not sent; a broker with a larger message-bytes takes it",
                self->failed_line? self->failed_line: cli_lines_number (self->lines),
                *why? why: stele_error_text (STELE_ETOO_LARGE));
            return EX_DATAERR;
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

//  What another export of the same ledger brought is not known to be the same
static void
s_say_others (const cli_publish_counts_counts_t *counts)
{
    if (counts->accepted && counts->position > counts->accepted + counts->duplicates)
        cli_say ("the ledger has events beside these: what both have is there twice now. "
            "Of two exports of one ledger import the newer one, into an empty ledger");
}

static int
s_end (s_push_t *self)
{
    s_wipe_progress (self);
    int status = self->failure? s_say_failure (self): EX_OK;
    s_print_counts (self);
    cli_publish_counts_counts_t counts = cli_publish_counts_counts (self->tally);
    if (self->says_others)
        s_say_others (&counts);
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
s_client (s_push_t *self, const cli_push_t *args)
{
    char name [64];
    uint64_t random = 0;
    if (getrandom (&random, sizeof random, 0) != sizeof random)
        random = (uint64_t) stele_clock_steady_ms () << 16 ^ (uint64_t) getpid ();
    snprintf (name, sizeof name, "publish-%012" PRIx64, random & 0xffffffffffff);
    char *owner = args->spool && !args->producer? stele_client_spool_producer (args->spool): NULL;
    stele_client_t *client = stele_client_new (args->producer? args->producer: owner? owner: name);
    free (owner);
    if (args->spool)
        stele_client_set_spool (client, args->spool);
    if (args->accept_loss)
        stele_client_set_accept_loss (client);
    stele_client_set_events_endpoint (client, self->cli->events);
    if (args->batch)
        stele_client_set_batch (client, (size_t) args->batch, BATCH_DELAY_MS);
    self->numbered = args->numbered;
    if (args->sequence)
        stele_client_set_first_sequence (client, args->sequence);
    //  A producer without a name never comes back: what it brings may as well be an export
    stele_client_set_restore (client, args->restore || (!args->producer && !args->spool));
    stele_client_on_receipt (client, s_on_receipt, self);
    return client;
}

int
cli_push (cli_t *cli, const cli_push_t *args, int fd)
{
    s_push_t self = { .cli = cli, .command = args->command, .progress = isatty (STDERR_FILENO),
        .heard_ms = stele_clock_steady_ms () };
    cli_interrupt_catch ();
    self.lines = cli_lines_new (fd);
    self.tally = cli_publish_counts_new ();
    self.spool = args->spool;
    self.says_others = args->says_others;
    self.client = s_client (&self, args);
    if (self.spool)
        s_count_spooled (&self);
    if (fd >= 0) {
        if (isatty (fd))
            fputs ("reading events from the terminal, one JSON object a line; Ctrl-D ends\n", stderr);
        s_read_lines (&self);
        s_spool_group (&self);
    }
    s_flush (&self);
    int status = s_end (&self);
    stele_client_destroy (&self.client);
    cli_publish_counts_destroy (&self.tally);
    cli_lines_destroy (&self.lines);
    return status;
}
