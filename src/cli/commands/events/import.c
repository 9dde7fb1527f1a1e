/*  import - stele import: publish the events of an export, once

    The producer is named after the hash of the file and its events are numbered from 1, so
    importing the same file again, after an interruption or by mistake, stores nothing twice.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cli/files/digest.h"
#include "cli/files/expand.h"
#include "cli/transfer/push.h"

typedef struct {
    int64_t batch;
    const char *rejects;
} args_t;

static const cli_option_t s_options [] = {
    { "batch", 'b', "N", "send at most N events per message (default: 500)", CLI_NUMBER, offsetof (args_t, batch), 1, NULL },
    { "rejects", 0, "FILE", "append lines that are not events to FILE: JSON Lines with the number of the line, the reason "
        "and the text", CLI_TEXT, offsetof (args_t, rejects), 0, NULL },
    CLI_OPTIONS_END
};

//  Input from a pipe must be read twice: copy it to an unnamed file
static int
s_spool (int fd)
{
    FILE *file = tmpfile ();
    if (!file)
        return -1;
    int spool = fcntl (fileno (file), F_DUPFD_CLOEXEC, 3);
    char buffer [65536];
    ssize_t size;
    while (spool >= 0 && ((size = read (fd, buffer, sizeof buffer)) > 0 || (size < 0 && errno == EINTR)))
        if (size > 0 && fwrite (buffer, 1, (size_t) size, file) != (size_t) size)
            break;
    bool failed = spool < 0 || size != 0 || fflush (file);
    int why = errno;
    fclose (file);
    if (failed && spool >= 0)
        close (spool);
    errno = why;
    return failed? -1: spool;
}

static int
s_import (cli_t *cli, const args_t *args, int fd)
{
    char digest [CLI_DIGEST_SIZE], producer [64];
    if (cli_digest_file (fd, digest)) {
        cli_report ("cannot read the input: %s", strerror (errno));
        return EX_IOERR;
    }
    snprintf (producer, sizeof producer, "import-%s", digest);
    cli_push_t how = {
        .command = "import", .producer = producer, .batch = args->batch, .sequence = 1, .restore = true,
        .warns_others = true, .rejects = args->rejects
    };
    return cli_push (cli, &how, fd);
}

static int
s_run (cli_t *cli, void *arguments, const cli_operands_t *operands)
{
    const char *path = operands->count? operands->items [0]: "-";
    bool is_stdin = strcmp (path, "-") == 0;
    int fd = is_stdin? STDIN_FILENO: open (path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        cli_report ("%s: %s", path, strerror (errno));
        return EX_NOINPUT;
    }
    struct stat status;
    bool known = fstat (fd, &status) == 0;
    if (known && S_ISDIR (status.st_mode)) {
        cli_report ("%s is a directory; use a file from 'stele export'", path);
        close (fd);
        return EX_NOINPUT;
    }
    bool plain = known && S_ISREG (status.st_mode);
    int source = plain? fd: s_spool (fd);
    if (source >= 0 && cli_expand_is_needed (source)) {
        lseek (source, 0, SEEK_SET);
        int expanded = cli_expand (source);
        if (source != fd)
            close (source);
        source = expanded;
    }
    int rc;
    if (source < 0 && errno == EBADMSG) {
        cli_report ("%s is damaged: zstd cannot expand it; nothing was imported", is_stdin? "the input": path);
        rc = EX_DATAERR;
    }
    else
    if (source < 0) {
        cli_report ("cannot keep the input in a temporary file: %s (TMPDIR sets the directory)", strerror (errno));
        rc = EX_IOERR;
    }
    else
        rc = s_import (cli, arguments, source);
    if (source >= 0 && source != fd)
        close (source);
    if (!is_stdin)
        close (fd);
    return rc;
}

const cli_command_t cli_cmd_import = {
    .name = "import",
    .summary = "publish the events of an export, once",
    .usage = {
        .usage = "stele import [OPTION]... [FILE|-]",
        .about =
            "Publish the events of a file from 'stele export', durably. Importing into an empty ledger gives an identical "
            "one: the same events, positions, times, states, histories and outputs, including the events that the "
            "broker itself wrote about interrupted tasks. Importing into any other ledger adds the events, even those "
            "that it already has from another source: of two exports of one ledger, import the newer one, into an "
            "empty ledger.\n"
            "\n"
            "The file may be compressed by zstd, and it may be a segment of a backup ('steled --backup'), or several of them "
            "in one file: lines that are no events are skipped. 'stele restore' restores everything, and faster.\n"
            "\n"
            "The producer is named after the content of the file, and events are numbered by their lines: importing "
            "the same file again, after an interruption or by mistake, stores what is missing and nothing twice.",
        .after =
            "Imported tasks have no owner: no producer's reconnect or silence interrupts them while they are in progress. Input "
            "from a pipe is copied to a temporary file first. Lines that are not events, and refused events, are "
            "handled as by 'stele publish'; an event that is too large for the broker ends the import, and can be imported "
            "once message-bytes of the broker is larger.",
        .examples =
            "  stele import backup.jsonl\n"
            "  stele import backup.jsonl.zst\n"
            "  cat REPOSITORY/segments/*.zst | stele import -\n"
            "  stele export --requests tcp://old:5571 - | stele import --events tcp://new:5570 -"
    },
    .options = s_options,
    .args_size = sizeof (args_t),
    .operands_max = 1,
    .run = s_run
};
