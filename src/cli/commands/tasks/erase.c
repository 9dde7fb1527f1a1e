/*  erase - stele erase: remove the contents of a task for ever

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <unistd.h>
#include "base/clock.h"
#include "cli/shared/ask.h"
#include "cli/terminal/message.h"
#include "cli/view/page.h"

#define ERASE_TIMEOUT_MS 600000     // Of a task with a million events
#define WAIT_US 100000

typedef struct {
    const char *reason;
} args_t;

static const cli_option_t s_options [] = {
    { "reason", 0, "TEXT", "why it has to be erased; required, kept in the audit and with the task", CLI_TEXT,
        offsetof (args_t, reason), 0, NULL },
    CLI_OPTIONS_END
};

//  The contents of very many outputs go in steps, after the answer. Another node than that which has answered may be asked.
static int
s_wait (cli_t *self, const char *id, json_t *position)
{
    bool erasing = true;
    int64_t until_ms = stele_clock_steady_ms () + ERASE_TIMEOUT_MS;
    while (erasing) {
        json_t *answer = NULL;
        usleep (WAIT_US);
        if (stele_clock_steady_ms () >= until_ms)
            self->status = EX_TEMPFAIL;
        else {
            json_t *request = cli_request ("task.get");
            cli_request_id (request, "task_id", id);
            json_object_set (request, "min_position", position);
            answer = cli_ask (self, request);
        }
        if (!answer) {
            cli_warn ("the task is erased, but the contents of some outputs are still there: the broker removes them. 'stele get' has "
                "\"erasing\" as long as it does");
            return self->status;
        }
        erasing = json_is_true (json_object_get (json_object_get (answer, "erased"), "erasing"));
        json_decref (answer);
    }
    return EX_OK;
}

static int
s_run (cli_t *self, void *arguments, const cli_operands_t *operands)
{
    const args_t *args = arguments;
    if (!args->reason)
        return cli_usage_error ("erase", "missing option: --reason TEXT");
    json_t *request = cli_request ("task.erase");
    cli_request_id (request, "task_id", operands->items [0]);
    cli_request_text (request, "reason", args->reason);
    json_t *answer = cli_ask_long (self, request, ERASE_TIMEOUT_MS);
    if (!answer)
        return self->status;
    if (self->json)
        cli_print_answer (self);
    bool erasing = json_is_true (json_object_get (answer, "erasing"));
    int status = erasing? s_wait (self, operands->items [0], json_object_get (answer, "erased_position")): EX_OK;
    if (!self->json) {
        json_object_del (answer, "ok");
        json_object_del (answer, "position");
        json_object_del (answer, "erasing");
        cli_page_members (self, answer);
        cli_flush_stdout ();
        cli_warn ("copies that the broker does not reach still have the contents: segments and snapshots of the repository of "
            "backups that were made before (doc/SECURITY.md has how they go), exports, and what subscribers and pipelines have stored");
    }
    json_decref (answer);
    return status;
}

const cli_command_t cli_cmd_erase = {
    .name = "erase",
    .summary = "remove the contents of an ended task for ever",
    .usage = {
        .usage = "stele erase [OPTION]... ID --reason TEXT",
        .about =
            "Remove what a task and its sessions say: titles, descriptions, metadata, outputs, errors, metrics, commands. Its events "
            "stay, with their positions, types, times, states and the hashes of their lines, so 'stele verify' and 'stele prove' "
            "hold. The task stays with its ID, and is marked as erased. The request is recorded in the audit, with the reason.\n"
            "\n"
            "This cannot be undone, except from a backup that was made before. The broker also removes the contents from Redis, "
            "the text index, archives and the write-ahead log within seconds. It cannot remove them from segments and snapshots of "
            "the repository of backups, which are never changed: see doc/SECURITY.md.",
        .after = "Exit status: 1 there is no such task; 64 it has not ended; 69 no broker answers; 77 the key may not do this (it "
                 "needs the role admin).",
        .examples = "  stele erase build-7 --reason 'request 4711 of the person concerned'"
    },
    .options = s_options,
    .args_size = sizeof (args_t),
    .operands_min = 1,
    .operands_max = 1,
    .run = s_run
};
