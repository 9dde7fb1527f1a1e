/*  push_report - progress, counts, failure and exit status of a push (push.h)

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "cli/files/interrupt.h"
#include "cli/transfer/push_internal.h"

#define PROGRESS_MS 200
#define TROUBLE_MS 1000             // To query the broker for the reason of a silence

void
cli_push_wipe_progress (cli_pushing_t *self)
{
    if (self->progress && self->shown_ms)
        fputs ("\r\033[K", stderr);
}

void
cli_push_show_progress (cli_pushing_t *self)
{
    int64_t now = stele_clock_steady_ms ();
    if (!self->progress || now - self->shown_ms < PROGRESS_MS)
        return;
    cli_publish_counts_counts_t counts = cli_publish_counts_counts (self->counts);
    int64_t settled = counts.events - counts.open;
    int64_t rate = self->shown_ms? (settled - self->shown_events) * 1000 / (now - self->shown_ms): 0;
    fprintf (stderr, "\r\033[K%s, %s durable, %s/s", cli_format_counted (counts.events, "event").text,
        cli_format_count (settled).text, cli_format_count (rate).text);
    fflush (stderr);
    self->shown_ms = now;
    self->shown_events = settled;
}

//  -- the end ---------------------------------------------------------------------

static void
s_print_counts (const cli_pushing_t *self)
{
    cli_publish_counts_counts_t counts = cli_publish_counts_counts (self->counts);
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
        printf (self->spool? ", %s still in the spool": ", %s not acked",
            cli_format_count (counts.open).text);
    putchar ('\n');
}

//  Why no ack comes, by the broker itself if it answers requests
static int
s_report_no_ack (const cli_pushing_t *self)
{
    const char *since = cli_format_duration ((stele_clock_steady_ms () - self->heard_ms) * 1000).text;
    char *trouble = stele_client_trouble (self->client, TROUBLE_MS);
    if (trouble)
        cli_report ("no ack from %s for %s: %s", self->cli->events, since, trouble);
    else
        cli_report ("no ack from %s for %s. Is a broker running there? "
            "Start one with 'steled', or give its endpoint: --events EP, or STELE_EVENTS", self->cli->events, since);
    free (trouble);
    return EX_UNAVAILABLE;
}

//  The spool has the events, so an unreachable broker is no failure if this run added some
static int
s_report_waiting (const cli_pushing_t *self, const char *why)
{
    char *trouble = self->failure == STELE_EUNAUTHORIZED? strdup (why): stele_client_trouble (self->client, TROUBLE_MS);
    cli_report ("no ack from %s%s%s; the events are durable in %s, and the next 'stele %s --spool' sends them",
        self->cli->events, trouble? ": ": "", trouble? trouble: "", self->spool, self->command);
    free (trouble);
    return self->spooled > 0? EX_OK: EX_TEMPFAIL;
}

static int
s_report_spool (const cli_pushing_t *self, const char *why)
{
    cli_report ("%s", *why? why: stele_error_text (self->failure));
    switch (self->failure) {
        case STELE_EBEHIND:
        case STELE_ELEDGER:
            cli_report ("the unsent events stay in %s; use --accept-loss to continue with this broker", self->spool);
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
s_is_of_spool (const cli_pushing_t *self)
{
    static const int codes [] = {
        STELE_EBEHIND, STELE_ELEDGER, STELE_EINVALID_FIELD, STELE_EBUSY, STELE_EFULL, STELE_EIO
    };
    for (size_t i = 0; i < sizeof codes / sizeof codes [0]; i++)
        if (self->spool && self->failure == codes [i])
            return true;
    return false;
}

//  A key may be restricted to names of producers: then it is refused by the name that was made for this run
static void
s_advise_name (const cli_pushing_t *self, const char *why)
{
    if (*self->name && strstr (why, self->name))
        cli_report ("the name %s was made for this run: use --producer NAME with a name that the key allows (such as build-1, if "
            "its producers are build-*; 'stele key show' lists them)", self->name);
}

static int
s_report_failure (const cli_pushing_t *self)
{
    const char *why = stele_client_error (self->client);
    if (self->failure == STELE_EUNAUTHORIZED)
        s_advise_name (self, why);
    if (s_is_of_spool (self))
        return s_report_spool (self, why);
    if (self->spool && self->failure == STELE_EUNAUTHORIZED && self->failed_line) {
        cli_report ("%s. Line %" PRId64 " and the following ones are not in %s", why, self->failed_line, self->spool);
        return EX_NOPERM;
    }
    if (self->spool && (self->failure == STELE_ETIMEOUT || self->failure == STELE_EUNAUTHORIZED))
        return s_report_waiting (self, why);
    switch (self->failure) {
        case STELE_EMALFORMED:      // Reported before
            return EX_DATAERR;
        case STELE_EIO:
            return EX_IOERR;
        case STELE_ETIMEOUT:
            return s_report_no_ack (self);
        case STELE_ETOO_LARGE:
            cli_report ("line %" PRId64 " is too large for this broker: %s. It and the following lines were not sent; "
                "raise message-bytes of the broker",
                self->failed_line? self->failed_line: cli_lines_number (self->lines),
                *why? why: stele_error_text (STELE_ETOO_LARGE));
            return EX_DATAERR;
        case STELE_EGAP:
            cli_report ("%s. Is --sequence right?", *why? why: stele_error_text (STELE_EGAP));
            return EX_DATAERR;
        case STELE_EFENCED:
            cli_report ("%s", *why? why: stele_error_text (STELE_EFENCED));
            return EX_TEMPFAIL;
        case STELE_EPROTOCOL:
            cli_report ("%s", *why? why: stele_error_text (STELE_EPROTOCOL));
            return EX_PROTOCOL;
        case STELE_EUNAUTHORIZED:
            cli_report ("%s", *why? why: stele_error_text (STELE_EUNAUTHORIZED));
            return EX_NOPERM;
        default:
            cli_report ("%s", *why? why: stele_error_text (self->failure));
            return EX_SOFTWARE;
    }
}

//  Events from another export of the same ledger are not recognized as duplicates
static void
s_warn_others (const cli_publish_counts_counts_t *counts)
{
    if (counts->accepted && counts->position > counts->accepted + counts->duplicates)
        cli_report ("the ledger has other events too: any that were in both are stored twice now. "
            "Of two exports of one ledger, import the newer one, into an empty ledger");
}

int
cli_push_end (cli_pushing_t *self)
{
    cli_push_wipe_progress (self);
    int status = self->failure? s_report_failure (self): EX_OK;
    s_print_counts (self);
    cli_publish_counts_counts_t counts = cli_publish_counts_counts (self->counts);
    if (self->warns_others)
        s_warn_others (&counts);
    if (status)
        return status;
    if (cli_interrupts ()) {
        cli_report ("interrupted after line %" PRId64, cli_lines_number (self->lines));
        return CLI_INTERRUPTED;
    }
    return self->bad_lines || counts.refused? EX_DATAERR: EX_OK;
}

