/*  publish - stele publish: publish events from JSON Lines, durably

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "cli/transfer/push.h"

typedef struct {
    const char *producer;
    int64_t batch, sequence;
    bool restore;
    const char *spool;
    bool accept_loss;
    const char *rejects;
} args_t;

static const cli_option_t s_options [] = {
    { "producer", 'p', "NAME", "publish as producer NAME and continue its sequence; default: a new name for "
        "each run", CLI_TEXT, offsetof (args_t, producer), 0, NULL },
    { "batch", 'b', "N", "send at most N events per message (default: 500)", CLI_NUMBER, offsetof (args_t, batch), 1, NULL },
    { "sequence", 0, "N", "number the first event N; if the file was sent before, in whole or in part, only the "
        "rest is stored (needs --producer)", CLI_NUMBER, offsetof (args_t, sequence), 1, NULL },
    { "restore", 0, NULL, "restore an export of 'stele export': preserve which events a broker wrote itself, and leave "
        "tasks without an owner (implied unless --producer is given)",
        CLI_FLAG, offsetof (args_t, restore), 0, NULL },
    { "spool", 's', "PATH", "keep the events in file PATH until a broker acks them, so that they are durable when this "
        "command returns, even without a broker", CLI_TEXT, offsetof (args_t, spool), 0, NULL },
    { "accept-loss", 0, NULL, "with --spool, continue although the broker lost events that the spool records as acked, or has another ledger",
        CLI_FLAG, offsetof (args_t, accept_loss), 0, NULL },
    { "rejects", 0, "FILE", "append lines that are not events to FILE: JSON Lines with the number of the line, the reason "
        "and the text", CLI_TEXT, offsetof (args_t, rejects), 0, NULL },
    CLI_OPTIONS_END
};

static int
s_run (cli_t *self, void *arguments, const cli_operands_t *operands)
{
    const args_t *args = arguments;
    if (args->sequence && !args->producer)
        return cli_usage_error ("publish", "--sequence needs --producer");
    if (args->producer && (!*args->producer || strlen (args->producer) > 255))
        return cli_usage_error ("publish", "--producer needs a name of 1 to 255 bytes");

    if (args->sequence && args->spool)
        return cli_usage_error ("publish", "--sequence and --spool cannot be used together: a spool numbers its own events");
    if (args->accept_loss && !args->spool)
        return cli_usage_error ("publish", "--accept-loss needs --spool");

    const char *path = operands->count? operands->items [0]: "-";
    cli_push_t how = {
        .command = "publish", .producer = args->producer, .batch = args->batch,
        .sequence = args->sequence, .numbered = args->sequence > 0, .restore = args->restore,
        .spool = args->spool, .accept_loss = args->accept_loss,
        .rejects = args->rejects
    };
    //  At a terminal, only send what is in the spool
    if (args->spool && !operands->count && isatty (STDIN_FILENO))
        return cli_push (self, &how, -1);
    if (strcmp (path, "-") == 0)
        return cli_push (self, &how, STDIN_FILENO);
    int fd = open (path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        cli_report ("%s: %s", path, strerror (errno));
        return EX_NOINPUT;
    }
    int status = cli_push (self, &how, fd);
    close (fd);
    return status;
}

const cli_command_t cli_cmd_publish = {
    .name = "publish",
    .summary = "publish events from JSON Lines, durably",
    .usage = {
        .usage = "stele publish [OPTION]... [FILE|-]",
        .about =
            "Publish the events of a file, or of standard input: one JSON object per line, as in "
            "doc/PROTOCOL.md section 3. Ends when the broker has every event on stable storage or has refused it, "
            "and prints the counts.\n"
            "\n"
            "A line that is not a JSON object, or is too large for the broker, is reported by its number and skipped; an "
            "event that the broker refuses is reported too, and kept there as a rejected event. All others "
            "are published. The exit status is then 65. With --sequence, the run ends at such a line instead, since "
            "the following events would get other numbers once it is corrected. An event without a time gets the time at "
            "which its line was read. With --rejects, skipped lines are also kept as they came; 'jq -r .text FILE' prints them "
            "for a correction.",
        .after =
            "Ctrl-C stops reading, waits for acks and prints the counts; a second one does not wait.\n"
            "\n"
            "If the broker goes away, this command waits for it and resends what was not stored. Without a first ack within "
            "5 seconds, or another within 30 seconds (or --timeout), it reports the reason that the broker gives, if it answers "
            "requests (a full disk, for example), and the exit status is 69; with --producer and "
            "--sequence, the same command can be run again.\n"
            "\n"
            "With --spool, events are written to that file first, and it is not an error if the broker is away: the next "
            "run with the same spool sends them. At a terminal without FILE, only the events in the spool are sent, and the "
            "exit status is 75 if some are still unsent after --timeout. The producer is that of the spool.",
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
