/*  compact - stele compact: give the free space in the files of a ledger back

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <jansson.h>
#include <unistd.h>
#include "cli/shared/cli.h"
#include "cli/terminal/message.h"
#include "ledger/compact.h"
#include "proof/erased.h"

static void
s_print (const char *path, int64_t before, int64_t after, void *arg)
{
    const cli_t *self = arg;
    if (self->json) {
        json_t *line = json_pack ("{ss sI sI}", "file", path, "before", (json_int_t) before, "after", (json_int_t) after);
        json_dumpf (line, stdout, JSON_COMPACT);
        putchar ('\n');
        json_decref (line);
    }
    else
        printf ("%s: %.1f MiB, before %.1f MiB\n", path, (double) after / 1048576, (double) before / 1048576);
    fflush (stdout);
}

static int
s_run (cli_t *self, void *args, const cli_operands_t *operands)
{
    (void) args;
    stele_refusal_t refusal;
    const char *path = operands->items [0];
    //  An open would create it
    if (access (path, F_OK) != 0) {
        cli_report ("there is no ledger '%s'", path);
        return EX_NOINPUT;
    }
    stele_ledger_t *ledger = stele_ledger_open (path, STELE_CHECK_NONE, &refusal);
    int code = ledger? stele_erased_finish (ledger, &refusal): refusal.code;
    if (code == 0)
        code = stele_ledger_compact (ledger, s_print, self, &refusal);
    stele_ledger_close (&ledger);
    if (code == 0)
        return EX_OK;
    cli_report ("%s%s", refusal.message, code == STELE_EBUSY? "; stop that broker first": "");
    return code == STELE_EBUSY? EX_TEMPFAIL: code == STELE_ELEDGER || code == STELE_EBEHIND? EX_DATAERR: EX_IOERR;
}

const cli_command_t cli_cmd_compact = {
    .name = "compact",
    .summary = "give the free space in the files of a ledger back",
    .usage = {
        .usage = "stele compact [OPTION]... LEDGER",
        .about =
            "Write the file LEDGER and its archives again, without the space that archived and erased tasks have left, and print "
            "the sizes. Its broker must be stopped. That takes up to twice the size of the file as free space in its folder and "
            "for temporary files ($SQLITE_TMPDIR, $TMPDIR, /var/tmp). If it is "
            "interrupted, even by a power cut, the ledger is the old one or the new one; start it again.\n"
            "\n"
            "A broker uses free space again by itself: compact only if the disk needs the room, or after 'stele erase', to "
            "remove what free space may still remember.",
        .after = "Exit status: 65 LEDGER is no ledger, or lacks events; 66 there is no such file; 74 it cannot be written, or there is "
                 "not enough room; 75 a broker uses it.",
        .examples = "  stele compact /var/lib/stele/stele.db"
    },
    .operands_min = 1,
    .operands_max = 1,
    .run = s_run
};
