/*  publish - stele publish: JSON Lines to the broker, durably

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "cli/shared/push.h"

typedef struct {
    const char *producer;
    int64_t batch, sequence;
    bool restore;
    const char *spool;
    bool accept_loss;
} args_t;

static const cli_option_t s_options [] = {
    { "producer", 'p', "NAME", "publish as this producer, whose numbering goes on; without it under a name "
        "that only this run has", CLI_TEXT, offsetof (args_t, producer), 0, NULL },
    { "batch", 'b', "N", "send at most N events in a message (500)", CLI_NUMBER, offsetof (args_t, batch), 1, NULL },
    { "sequence", 0, "N", "number the first event N: of a file that was sent before, in whole or in part, "
        "only the rest is stored (with --producer)", CLI_NUMBER, offsetof (args_t, sequence), 1, NULL },
    { "restore", 0, NULL, "the events come from 'stele export': keep which of them a broker wrote itself, and let "
        "nobody own their running tasks (goes without saying without --producer)",
        CLI_FLAG, offsetof (args_t, restore), 0, NULL },
    { "spool", 's', "PATH", "keep the events in this file until a broker has acked them: they are safe there when this "
        "returns, also without a broker", CLI_TEXT, offsetof (args_t, spool), 0, NULL },
    { "accept-loss", 0, NULL, "go on with a broker that lost what the spool knows to be acked, or that has another ledger",
        CLI_FLAG, offsetof (args_t, accept_loss), 0, NULL },
    CLI_OPTIONS_END
};

static int
s_run (cli_t *self, void *arguments, const cli_operands_t *operands)
{
    const args_t *args = arguments;
    if (args->sequence && !args->producer)
        return cli_say_usage ("publish", "--sequence needs --producer: numbers belong to a producer");
    if (args->producer && (!*args->producer || strlen (args->producer) > 255))
        return cli_say_usage ("publish", "--producer takes a name of 1 to 255 bytes");

    if (args->sequence && args->spool)
        return cli_say_usage ("publish", "--sequence and --spool exclude each other: a spool numbers its events itself");
    if (args->accept_loss && !args->spool)
        return cli_say_usage ("publish", "--accept-loss needs --spool: nothing else remembers what was acked");

    const char *path = operands->count? operands->items [0]: "-";
    cli_push_t how = {
        .command = "publish", .producer = args->producer, .batch = args->batch,
        .sequence = args->sequence, .numbered = args->sequence > 0, .restore = args->restore,
        .spool = args->spool, .accept_loss = args->accept_loss
    };
    //  A spool alone is sent on; what is piped in is read
    if (args->spool && !operands->count && isatty (STDIN_FILENO))
        return cli_push (self, &how, -1);
    if (strcmp (path, "-") == 0)
        return cli_push (self, &how, STDIN_FILENO);
    int fd = open (path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        cli_say ("%s: %s", path, strerror (errno));
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
            "--sequence the same command can be run again.\n"
            "\n"
            "With --spool an event is safe in that file first, and a broker that is away is no failure: the next run with the "
            "same spool sends what waits. At a terminal and without FILE it sends only that, and the exit status is 75 where "
            "some of it still waits after --timeout. The producer is that of the spool.",
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
