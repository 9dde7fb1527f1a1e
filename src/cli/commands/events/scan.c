/*  scan - stele scan: look for secrets in what is stored

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include "cli/shared/ask.h"
#include "cli/terminal/table.h"
#include "ledger/reader.h"
#include "redact/redactor.h"
#include "wire/event/event_codec.h"
#include "wire/map.h"
#include "wire/scan.h"

typedef struct {
    const char *rules;
    int64_t after;
} args_t;

static const cli_option_t s_options [] = {
    { "rules", 0, "FILE", "also use the rules of FILE, as the broker does with redact-rules",
        CLI_TEXT, offsetof (args_t, rules), 0, NULL },
    { "after", 0, "N", "start after position N (default: 0, from the first event)",
        CLI_NUMBER, offsetof (args_t, after), 0, NULL },
    CLI_OPTIONS_END
};

static const cli_column_t s_columns [] = {
    { "POSITION", CLI_RIGHT, 0 },
    { "SUBJECT", CLI_CUT | CLI_ID, 10 },
    { "FIELD", CLI_CUT, 10 },
    { "RULE", 0, 0 },
    { "MARK", 0, 0 },
    { "SECRETS", CLI_RIGHT, 0 },
    CLI_COLUMNS_END
};

typedef struct {
    cli_t *cli;
    stele_redactor_t *redactor;
    stele_pack_t *pack;
    cli_table_t *table;
    bool rejected;                  // Rows are rejected events
    int64_t last;                   // Position or number of the last row
    int64_t rows, hits, secrets;
} scan_t;

//  -- one row ---------------------------------------------------------------------------------

static void
s_print_json (const scan_t *self, const char *subject, const stele_finding_t *finding)
{
    json_t *line = json_pack ("{sI ss ss ss ss sI}", self->rejected? "rejected": "position", (json_int_t) self->last,
        "subject", subject, "field", finding->field, "rule", finding->rule, "mark", finding->mark,
        "n", (json_int_t) finding->count);
    json_dumpf (line, stdout, JSON_COMPACT);
    putchar ('\n');
    json_decref (line);
}

static void
s_print (scan_t *self, const char *subject, const stele_finding_t *finding)
{
    char number [40], count [24];
    if (self->cli->json) {
        s_print_json (self, subject, finding);
        return;
    }
    snprintf (number, sizeof number, "%s%" PRId64, self->rejected? "rejected ": "", self->last);
    snprintf (count, sizeof count, "%" PRId64, finding->count);
    cli_table_word (self->table, number);
    cli_table_word (self->table, subject);
    cli_table_word (self->table, finding->field);
    cli_table_word (self->table, finding->rule);
    cli_table_word (self->table, finding->mark);
    cli_table_word (self->table, count);
}

static void
s_scan_row (scan_t *self, stele_map_t map)
{
    stele_map_integer (&map, self->rejected? "id": "position", &self->last);
    self->rows++;
    size_t secrets = stele_redactor_event (self->redactor, map.data, map.size);
    if (secrets == 0)
        return;
    self->hits++;
    self->secrets += (int64_t) secrets;
    //  An id may be the secret: print it as the mask
    stele_map_t masked;
    masked.data = stele_redactor_masked (self->redactor, &masked.size);
    char subject [1024] = "";
    static const char *const keys [] = { "task_id", "session_id", "user_id", "producer" };
    for (size_t i = 0; i < sizeof keys / sizeof keys [0] && !*subject; i++)
        stele_map_text (&masked, keys [i], subject, sizeof subject);
    size_t count;
    const stele_finding_t *findings = stele_redactor_findings (self->redactor, &count);
    for (size_t i = 0; i < count; i++)
        s_print (self, subject, &findings [i]);
}

static void
s_end_page (scan_t *self)
{
    if (self->table)
        cli_table_flush (self->table, stdout);
    cli_flush_stdout ();
}

//  -- through the broker ----------------------------------------------------------------------

//  Request a page, and scan its rows, which are the array 'key' of the answer. The caller frees the data of the answer; false:
//  it failed.
static bool
s_scan_page (scan_t *self, json_t *request, const char *key, stele_map_t *answer)
{
    json_object_set_new (request, "limit", json_integer (CLI_PAGE_ROWS));
    if (!cli_ask_packed (self->cli, request, answer))
        return false;
    const void *rows;
    size_t size;
    stele_token_t array = stele_scan_find (answer->data, answer->size, key, &rows, &size);
    int64_t count = array.kind == STELE_SCAN_ARRAY? array.count: 0;
    stele_scan_t scan = stele_scan_start (rows, count? size: 0);
    stele_scan_next (&scan);
    for (int64_t i = 0; i < count; i++) {
        stele_map_t row;
        stele_scan_skip (&scan, &row.data, &row.size);
        s_scan_row (self, row);
    }
    s_end_page (self);
    return true;
}

static int
s_scan_rejected (scan_t *self)
{
    int64_t next = 0;
    self->rejected = true;
    do {
        json_t *request = cli_request ("rejected.list");
        stele_map_t answer;
        if (next)
            json_object_set_new (request, "cursor", json_integer (next));
        if (!s_scan_page (self, request, "rejected", &answer))
            return self->cli->status;
        next = 0;
        stele_map_integer (&answer, "next", &next);
        free ((void *) answer.data);
    } while (next);
    return EX_OK;
}

static int
s_scan_broker (scan_t *self)
{
    //  A key that is bound to users reads the events of these, and no rejected ones
    json_t *info = cli_ask (self->cli, cli_request ("info"));
    if (!info)
        return self->cli->status;
    bool bound = json_object_get (info, "users") != NULL;
    json_decref (info);
    int64_t head = -1, next = self->last;       // Head of the first answer: later events are not scanned
    do {
        json_t *request = cli_request ("events.read");
        json_object_set_new (request, "after", json_integer (next));
        stele_map_t answer;
        if (!s_scan_page (self, request, "events", &answer))
            return self->cli->status;
        if (head < 0)
            stele_map_integer (&answer, "head", &head);
        next = 0;
        stele_map_integer (&answer, "next", &next);
        free ((void *) answer.data);
    } while (next && next < head);
    if (!bound)
        return s_scan_rejected (self);
    cli_warn ("this key is bound to users: only their events were looked through, and no refused ones; use a key that is not bound "
        "for all");
    return EX_OK;
}

//  -- a file ----------------------------------------------------------------------------------

static int
s_take_row (const stele_record_t *row, void *arg)
{
    scan_t *self = arg;
    stele_pack_clear (self->pack);
    stele_record_pack (row, self->pack);
    s_scan_row (self, (stele_map_t) { stele_pack_data (self->pack), stele_pack_size (self->pack) });
    return 0;
}

static int
s_scan_file (scan_t *self, stele_reader_t *reader)
{
    int64_t head = stele_reader_head (reader), next = 1;
    int rc = head < 0? (int) head: 0;
    while (rc >= 0 && self->last < head) {
        rc = stele_reader_events (reader, self->last, CLI_PAGE_ROWS, 0, s_take_row, self);
        s_end_page (self);
    }
    self->rejected = true;
    for (int64_t after = 0; rc >= 0 && next; after = next) {
        rc = stele_reader_rejected (reader, NULL, false, after, CLI_PAGE_ROWS, s_take_row, self, &next);
        s_end_page (self);
    }
    if (rc >= 0)
        return EX_OK;
    cli_report ("%s", stele_reader_error (reader));
    return EX_IOERR;
}

//  -- the command -----------------------------------------------------------------------------

static int
s_scan (scan_t *self, const args_t *args, stele_reader_t *reader)
{
    unsigned char key [STELE_REDACT_KEY];
    //  Marks are those of the masks in this ledger. Without its key, they hold for this run.
    if (!reader || stele_reader_redaction_key (reader, key) != 1)
        if (getrandom (key, sizeof key, 0) != sizeof key) {
            cli_report ("no random numbers");
            return EX_OSERR;
        }
    stele_refusal_t refusal = { 0 };
    self->redactor = stele_redactor_new (args->rules, key, &refusal);
    if (!self->redactor) {
        cli_report ("%s", refusal.message);
        return args->rules? EX_DATAERR: EX_SOFTWARE;
    }
    self->pack = stele_pack_new ();
    self->last = args->after;
    if (!self->cli->json)
        self->table = cli_table_new (s_columns, &self->cli->style);
    int status = reader? s_scan_file (self, reader): s_scan_broker (self);
    if (status == EX_OK && !self->cli->json)
        fprintf (stderr, "%s secrets in %s of %s events\n", cli_format_count (self->secrets).text,
            cli_format_count (self->hits).text, cli_format_count (self->rows).text);
    cli_table_destroy (&self->table);
    stele_pack_destroy (&self->pack);
    stele_redactor_destroy (&self->redactor);
    return status? status: self->secrets? CLI_NO: EX_OK;
}

static int
s_run (cli_t *self, void *arguments, const cli_operands_t *operands)
{
    scan_t scan = { .cli = self };
    stele_refusal_t refusal = { 0 };
    stele_reader_t *reader = NULL;
    if (operands->count && !(reader = stele_reader_open (operands->items [0], &refusal))) {
        cli_report ("%s", refusal.message);
        return refusal.code == STELE_ELEDGER? EX_DATAERR: EX_NOINPUT;
    }
    int status = s_scan (&scan, arguments, reader);
    stele_reader_close (&reader);
    return status;
}

const cli_command_t cli_cmd_scan = {
    .name = "scan",
    .summary = "look for secrets in stored events",
    .usage = {
        .usage = "stele scan [OPTION]... [LEDGER]",
        .about = "Look for secrets (keys, tokens, passwords) in all events, and in those that were refused, and print where "
                 "they are: never the secret itself, but a mark, the same for the same secret. Without LEDGER, the events are "
                 "read through the broker. LEDGER is the file of one, and is only read; its broker may run.\n"
                 "\n"
                 "Stored events cannot be changed. If there are secrets, revoke them first, and have their programs use new "
                 "ones. Then restrict who can read the ledger, its copies and exports, or start a new ledger from an import of "
                 "an export: import masks what the broker recognises (redact = mask).",
        .after = "Exit status: 0 if there are no secrets, 1 if there are some; 66 or 65 if LEDGER cannot be read; 69 if no "
                 "broker answers.",
        .examples =
            "  stele scan\n"
            "  stele scan /var/lib/stele/stele.db\n"
            "  stele scan --json | jq -r .rule | sort | uniq -c"
    },
    .options = s_options,
    .args_size = sizeof (args_t),
    .operands_max = 1,
    .run = s_run
};
