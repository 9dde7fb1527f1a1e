/*  log - stele log: verify the shared log in PostgreSQL, remove old batches, continue after lost ones

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>
#include "broker/ingest/fold.h"
#include "cli/shared/cli.h"
#include "ledger/reader.h"
#include "log/shared_log.h"
#include "repository/snapshots.h"
#include "wire/event/decisions.h"

#define TIMEOUT_MS 60000            // To verify and to trim read much at once

typedef struct {
    const char *url, *name, *backup, *ledger;
    int64_t upto;
    bool force, dry_run;
} args_t;

static const cli_option_t s_options [] = {
    { "shared-log", 0, "URL", "the log, as in the setting of the brokers: postgres:CONNINFO", CLI_TEXT, offsetof (args_t, url), 0, NULL },
    { "shared-log-name", 0, "NAME", "its name, as in the setting of the brokers (default: stele)",
        CLI_TEXT, offsetof (args_t, name), 0, NULL },
    { "backup", 0, "REPOSITORY", "trim: keep what a node lacks that starts from the newest snapshot of this folder",
        CLI_TEXT, offsetof (args_t, backup), 0, NULL },
    { "upto", 0, "BATCH", "trim: remove no later batch than this one", CLI_NUMBER, offsetof (args_t, upto), 1, NULL },
    { "force", 0, NULL, "trim: remove all up to --upto, whatever nodes and snapshots need", CLI_FLAG, offsetof (args_t, force), 0, NULL },
    { "ledger", 0, "FILE", "heal: the ledger of the node that has the most, which does not run",
        CLI_TEXT, offsetof (args_t, ledger), 0, NULL },
    { "dry-run", 'n', NULL, "trim: only print what would be removed", CLI_FLAG, offsetof (args_t, dry_run), 0, NULL },
    CLI_OPTIONS_END
};

static int
s_failed (const stele_shared_log_t *log, int code, const stele_refusal_t *refusal)
{
    cli_report ("%s", refusal && refusal->code? refusal->message: stele_shared_log_error (log));
    return code == STELE_EUNAVAILABLE? EX_UNAVAILABLE: code == STELE_EPROTOCOL? EX_PROTOCOL: EX_DATAERR;
}

//  -- verify ----------------------------------------------------------------------------------

typedef struct {
    int64_t batches, operations;
    stele_refusal_t *refusal;
} s_verified_t;

static int
s_verify_one (const stele_batch_t *batch, void *arg)
{
    s_verified_t *self = arg;
    size_t size, count;
    stele_scan_t scan;
    void *operations = stele_batch_expand (batch, &size, self->refusal);
    if (!operations)
        return self->refusal->code;
    int code = stele_decisions_open (operations, size, &scan, &count);
    for (size_t i = 0; i < count && code == 0; i++) {
        stele_decision_t decision;
        code = stele_decisions_next (&scan, &decision);
    }
    free (operations);
    if (code)
        return stele_refuse (self->refusal, code == STELE_EPROTOCOL? code: STELE_ELEDGER, "shared-log", code == STELE_EPROTOCOL?
            "batch %" PRId64 " has an operation of a later version: verify it with that version": "batch %" PRId64 " is not a list of "
            "operations", batch->number);
    self->batches++;
    self->operations += (int64_t) count;
    return 0;
}

static int
s_verify (const cli_t *self, stele_shared_log_t *log, const stele_log_head_t *head)
{
    stele_refusal_t refusal = { 0 };
    s_verified_t verified = { .refusal = &refusal };
    stele_batch_end_t end;
    stele_batch_start (&end, head->ledger_id, head->end.position);
    int found = stele_shared_log_oldest (log, &end);
    if (found == 0)
        end = head->end;            // All batches were removed
    int64_t after = end.number;
    int code = found < 0? found: stele_shared_log_read (log, &end, head->end.number, s_verify_one, &verified, &refusal);
    if (code == 0 && memcmp (end.hash, head->end.hash, STELE_BATCH_HASH))
        code = stele_refuse (&refusal, STELE_ELEDGER, "shared-log", "the hash of batch %" PRId64 " is not that of the end of the log",
            end.number);
    if (code)
        return s_failed (log, code, &refusal);
    if (self->json)
        printf ("{\"ledger_id\":\"%s\",\"after\":%" PRId64 ",\"number\":%" PRId64 ",\"position\":%" PRId64 ",\"batches\":%" PRId64
            ",\"operations\":%" PRId64 "}\n", head->ledger_id, after, end.number, end.position, verified.batches, verified.operations);
    else
        printf ("the log of ledger %s is sound: %s after batch %" PRId64 ", %s, up to position %s\n", head->ledger_id,
            cli_format_counted (verified.batches, "batch").text, after, cli_format_counted (verified.operations, "operation").text,
            cli_format_count (end.position).text);
    return EX_OK;
}

//  -- trim ------------------------------------------------------------------------------------

//  The last batch that a node which starts from the newest snapshot does not need, or a code
static int64_t
s_covered (stele_shared_log_t *log, const char *path, const stele_log_head_t *head, stele_refusal_t *refusal)
{
    stele_snapshot_entry_t *entries = NULL;
    int64_t count = stele_snapshots_list (path, &entries, refusal);
    const stele_snapshot_entry_t *newest = NULL;
    for (int64_t i = 0; i < count; i++)
        if (entries [i].sound && strcmp (entries [i].facts.ledger_id, head->ledger_id) == 0)
            newest = &entries [i];
    int64_t number = count < 0? count: newest? stele_shared_log_before (log, newest->facts.position): STELE_ENOT_FOUND;
    if (count >= 0 && !newest)
        stele_refuse (refusal, STELE_ENOT_FOUND, "backup", "%s has no snapshot of ledger %s: take one, with 'stele backup'", path,
            head->ledger_id);
    free (entries);
    return number;
}

//  The last batch that all nodes have which were seen lately, or a code
static int64_t
s_folded (stele_shared_log_t *log, stele_refusal_t *refusal)
{
    stele_log_node_t nodes [STELE_LOG_NODES];
    int count = stele_shared_log_nodes (log, nodes);
    int64_t number = INT64_MAX;
    for (int i = 0; i < count; i++)
        if (nodes [i].silent_ms < strtoll (STELE_NODE_GONE_S, NULL, 10) * 1000 && nodes [i].number < number)
            number = nodes [i].number;
    if (count < 0)
        return count;
    if (number == INT64_MAX)
        return stele_refuse (refusal, STELE_ENOT_FOUND, "shared-log", "no node of this log was seen for a day: start one, or use --force");
    return number;
}

static int
s_trim (stele_shared_log_t *log, const args_t *args, const stele_log_head_t *head)
{
    stele_refusal_t refusal = { 0 };
    int64_t upto = args->upto && args->upto < head->safe? args->upto: head->safe;
    for (int i = 0; i < 2 && !args->force; i++) {
        int64_t number = i == 0? s_covered (log, args->backup, head, &refusal): s_folded (log, &refusal);
        if (number < 0)
            return s_failed (log, (int) number, &refusal);
        upto = number < upto? number: upto;
    }
    if (args->dry_run) {
        printf ("would remove the batches up to %" PRId64 "\n", upto);
        return EX_OK;
    }
    int64_t removed = stele_shared_log_trim (log, upto);
    if (removed < 0)
        return s_failed (log, (int) removed, NULL);
    printf ("removed %s; the log begins after batch %" PRId64 "\n", cli_format_counted (removed, "batch").text, upto);
    return EX_OK;
}

//  -- heal ------------------------------------------------------------------------------------

//  Has an earlier heal moved the end of the log to that of the ledger, without removing all batches before it? 1, 0 or a code.
static int
s_is_half_healed (stele_shared_log_t *log, const stele_batch_end_t *end, const stele_log_head_t *head)
{
    if (head->end.number != end->number || memcmp (head->end.hash, end->hash, STELE_BATCH_HASH))
        return 0;
    int64_t newest = stele_shared_log_before (log, INT64_MAX);
    return newest < 0? (int) newest: newest > 0 && newest < end->number;
}

//  Has the ledger all that the log has? Returns 0, or a code with the refusal.
static int
s_compare (stele_shared_log_t *log, stele_ledger_t *ledger, const stele_batch_end_t *end, const stele_log_head_t *head,
    stele_refusal_t *refusal)
{
    int64_t position, time_us;
    int again = s_is_half_healed (log, end, head);
    if (again < 0)
        return again;
    if (!again && head->end.number >= end->number)
        return stele_refuse (refusal, STELE_ELEDGER, "ledger", "the log has batches up to %" PRId64 ", this ledger up to %" PRId64
            ": there is nothing to heal with it", head->end.number, end->number);
    int found = stele_shared_log_last_event (log, &position, &time_us);
    if (found < 0)
        return found;
    //  A ledger repeats the time of the commit before, if the clock went back by less
    int64_t later_us = found? stele_reader_commit_recorded (stele_ledger_reader (ledger), position) - time_us: 0;
    if (later_us < 0 || later_us > STELE_SET_BACK_US)
        return stele_refuse (refusal, STELE_ELEDGER, "ledger", "position %" PRId64 ", the last one of the log, is another event in this "
            "ledger: both have acked events that the other lacks", position);
    return 0;
}

static int
s_heal_with (const cli_t *self, stele_shared_log_t *log, stele_ledger_t *ledger, const stele_log_head_t *head)
{
    (void) self;
    stele_refusal_t refusal = { 0 };
    stele_batch_end_t end;
    int code = stele_fold_end (ledger, head->ledger_id, &end, &refusal);
    if (code == 0)
        code = s_compare (log, ledger, &end, head, &refusal);
    if (code)
        return s_failed (log, code, &refusal);
    int healed = stele_shared_log_heal (log, &end);
    if (healed < 0)
        return s_failed (log, healed, NULL);
    if (healed == 0) {
        cli_report ("a node leads this log: stop all nodes first");
        return EX_TEMPFAIL;
    }
    printf ("the log continues after batch %" PRId64 ", position %" PRId64 ": start the node of this ledger; a node that lacks one of "
        "the batches up to it starts from a new snapshot of that ledger\n", end.number, end.position);
    return EX_OK;
}

static int
s_heal (const cli_t *self, stele_shared_log_t *log, const args_t *args, const stele_log_head_t *head)
{
    stele_refusal_t refusal;
    //  Nor does a ledger do that has lost its own end
    stele_ledger_t *ledger = stele_ledger_open (args->ledger, STELE_CHECK_QUICK, &refusal);
    if (!ledger)
        return s_failed (log, STELE_ELEDGER, &refusal);
    int status = s_heal_with (self, log, ledger, head);
    stele_ledger_close (&ledger);
    return status;
}

//  --------------------------------------------------------------------------------------------

static int
s_run_on (const cli_t *self, const args_t *args, const char *word)
{
    stele_refusal_t refusal;
    stele_log_head_t head;
    stele_shared_log_options_t options = {
        .url = args->url, .name = args->name? args->name: "stele", .node = "stele-log", .endpoints = "",
        .timeout_ms = cli_timeout (self, TIMEOUT_MS)
    };
    stele_shared_log_t *log = stele_shared_log_new (&options, &refusal);
    if (!log)
        return cli_usage_error ("log", "%s", refusal.message);
    int found = stele_shared_log_head (log, &head), status = EX_NOINPUT;
    if (found < 0)
        status = s_failed (log, found, NULL);
    else
    if (found == 0)
        cli_report ("there is no log of the name '%s' in that database", options.name);
    else
        status = *word == 't'? s_trim (log, args, &head): *word == 'h'? s_heal (self, log, args, &head): s_verify (self, log, &head);
    stele_shared_log_destroy (&log);
    return status;
}

static int
s_run (cli_t *self, void *arguments, const cli_operands_t *operands)
{
    const args_t *args = arguments;
    const char *word = operands->items [0];
    bool trims = strcmp (word, "trim") == 0, heals = strcmp (word, "heal") == 0;
    if (!trims && !heals && strcmp (word, "verify"))
        return cli_usage_error ("log", "'%s' is not verify, trim or heal", word);
    if (!args->url)
        return cli_usage_error ("log", "missing option: --shared-log URL, as in the settings of the brokers");
    if (trims && !args->force && !args->backup)
        return cli_usage_error ("log", "trim needs --backup REPOSITORY, with a snapshot from which a new node can start; or --force, after "
            "which it cannot");
    if (trims && args->force && !args->upto)
        return cli_usage_error ("log", "--force needs --upto BATCH");
    if (heals && !args->ledger)
        return cli_usage_error ("log", "heal needs --ledger FILE: the ledger of the node that has the most");
    return s_run_on (self, args, word);
}

const cli_command_t cli_cmd_log = {
    .name = "log",
    .summary = "verify, trim or heal the log that brokers share",
    .usage = {
        .usage = "stele log [OPTION]... verify|trim|heal",
        .about =
            "Work on the log in PostgreSQL that brokers share (setting shared-log). It connects to PostgreSQL, not to a broker, and may "
            "run while the brokers do.\n"
            "\n"
            "verify: read all batches, check each against the chain of hashes and the end of the log, and decode what it has.\n"
            "\n"
            "trim: remove old batches: those that the newest snapshot of the repository --backup covers, and that every node has "
            "which was seen within a day ('stele nodes'). A node that lacks them starts from that snapshot (stele restore --snapshot).\n"
            "\n"
            "heal: for a log that lost batches which were acked (a primary without its standby, an older backup of PostgreSQL): let it "
            "continue after the last batch of --ledger. All nodes are stopped. Its older batches are removed. If it fails, repeat it.",
        .after = "Exit status: 65 the log is damaged, or does not fit the ledger or repository; 66 there is no such log; 69 PostgreSQL does not answer; 75 a node "
                 "leads; 76 a later version wrote it.",
        .examples =
            "  stele log verify --shared-log 'postgres:host=db1,db2 dbname=stele'\n"
            "  stele log trim --shared-log 'postgres:host=db1,db2 dbname=stele' --backup /backup/stele"
    },
    .options = s_options,
    .args_size = sizeof (args_t),
    .operands_min = 1,
    .operands_max = 1,
    .run = s_run
};
