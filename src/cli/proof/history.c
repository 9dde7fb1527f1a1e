/*  history - the lines of the events of a ledger, of a repository of backups, or of an export

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef _GNU_SOURCE
#define _GNU_SOURCE                 // asprintf
#endif

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file.h"
#include "cli/files/expand.h"
#include "cli/files/lines.h"
#include "cli/proof/history.h"
#include "cli/terminal/message.h"
#include "proof/line.h"
#include "proof/seals.h"
#include "wire/json/json.h"
#include "wire/scan.h"

#define SQLITE_MAGIC "SQLite format 3"

//  -- open ------------------------------------------------------------------------------

static int
s_open_ledger (cli_history_t *self)
{
    stele_refusal_t refusal;
    self->kind = CLI_HISTORY_LEDGER;
    self->reader = stele_reader_open (self->path, &refusal);
    if (self->reader) {
        self->ledger_id = stele_reader_ledger_id (self->reader);
        return EX_OK;
    }
    cli_report ("%s", refusal.message);
    return refusal.code == STELE_ELEDGER? EX_DATAERR: EX_NOINPUT;
}

static int
s_open_repository (cli_history_t *self)
{
    stele_refusal_t refusal;
    self->kind = CLI_HISTORY_REPOSITORY;
    self->repository = stele_repository_open (self->path, &refusal);
    if (self->repository) {
        self->ledger_id = stele_repository_ledger_id (self->repository);
        return EX_OK;
    }
    cli_report ("%s", refusal.message);
    return refusal.code == STELE_ENOT_FOUND? EX_NOINPUT: EX_DATAERR;
}

int
cli_history_open (cli_history_t *self, const char *path)
{
    struct stat status;
    char magic [16] = "";
    *self = (cli_history_t) { .path = path, .export = -1 };
    if (stat (path, &status) == 0 && S_ISDIR (status.st_mode))
        return s_open_repository (self);
    int fd = stele_file_open (path, O_RDONLY, 0);
    ssize_t size = fd < 0? -1: pread (fd, magic, sizeof magic, 0);
    if (size < 0 || memcmp (magic, SQLITE_MAGIC, sizeof magic) == 0) {
        int error = errno;
        //  Before SQLite opens it: a close drops the locks of this process
        if (fd >= 0)
            close (fd);
        if (fd >= 0 && size >= 0)
            return s_open_ledger (self);
        cli_report ("cannot read '%s': %s", path, strerror (error));
        return EX_NOINPUT;
    }
    self->kind = CLI_HISTORY_EXPORT;
    self->export = fd;
    if (!cli_expand_is_needed (fd))
        return EX_OK;
    self->export = cli_expand (fd);
    int error = errno;
    close (fd);
    if (self->export >= 0)
        return EX_OK;
    cli_report ("cannot expand '%s': %s", path, error == EBADMSG? "it is damaged": strerror (error));
    return EX_DATAERR;
}

void
cli_history_close (cli_history_t *self)
{
    stele_reader_close (&self->reader);
    stele_repository_close (&self->repository);
    if (self->export >= 0)
        close (self->export);
}

int64_t
cli_history_last (cli_history_t *self)
{
    char broken [48];
    stele_refusal_t refusal;
    return self->reader? stele_reader_head (self->reader): self->repository?
        stele_repository_last (self->repository, 0, broken, &refusal): 0;
}

//  -- lines -----------------------------------------------------------------------------

typedef struct {
    int64_t after, upto;
    int64_t position;               // Of the last event
    cli_history_fn *fn;
    void *arg;
    stele_line_maker_t *lines;
    stele_pack_t *pack;
    stele_refusal_t *refusal;
} s_read_t;

static int
s_missing (const s_read_t *self)
{
    return stele_refuse (self->refusal, STELE_ELEDGER, NULL, "position %" PRId64 ": the event is missing", self->position + 1);
}

static int
s_take_row (const stele_record_t *row, void *arg)
{
    s_read_t *self = arg;
    int64_t position = row->values [STELE_POSITION].integer;
    size_t size;
    if (position > self->upto)
        return 1;
    if (position != self->position + 1)
        return s_missing (self);
    self->position = position;
    const char *line = stele_line_make (self->lines, row, &size);
    if (!line)
        return stele_refuse (self->refusal, STELE_ELEDGER, NULL, "position %" PRId64 ": the event cannot be written as JSON", position);
    return self->fn (position, line, size, row, self->arg);
}

static int
s_take_line (const stele_line_t *line, void *arg)
{
    s_read_t *self = arg;
    self->position = line->position;
    return self->fn (line->position, line->text, line->size, NULL, self->arg);
}

//  An export has no positions: its events are all of the ledger, in order. Lines of 'stele replay' have them.
static int
s_take_text (s_read_t *self, const char *text, size_t size)
{
    const void *value;
    size_t value_size, line_size;
    if (self->position >= self->upto)
        return 1;
    if (self->position < self->after) {
        self->position++;
        return 0;
    }
    stele_pack_clear (self->pack);
    if (stele_json_parse_pack (text, size, self->pack, self->refusal))
        return self->refusal->code;
    stele_pack_t *positioned = stele_pack_new ();
    assert (positioned);
    const char *packed = stele_pack_data (self->pack);
    size_t packed_size = stele_pack_size (self->pack);
    stele_scan_t scan = stele_scan_start (packed, packed_size);
    stele_token_t map = stele_scan_next (&scan);
    if (map.kind == STELE_SCAN_MAP && stele_scan_find (packed, packed_size, "position", &value, &value_size).kind == STELE_SCAN_END) {
        stele_pack_map (positioned, map.count + 1);
        stele_pack_packed (positioned, scan.next, (size_t) (scan.end - scan.next));
        stele_pack_string (positioned, "position");
        stele_pack_integer (positioned, self->position + 1);
        packed = stele_pack_data (positioned);
        packed_size = stele_pack_size (positioned);
    }
    const char *line = stele_line_make_packed (self->lines, packed, packed_size, &line_size);
    self->position++;
    int rc = line? self->fn (self->position, line, line_size, NULL, self->arg):
        stele_refuse (self->refusal, STELE_ELEDGER, NULL, "line %" PRId64 " is no event", self->position);
    stele_pack_destroy (&positioned);
    return rc;
}

static int
s_read_export (const cli_history_t *history, s_read_t *self)
{
    const char *text;
    size_t size;
    if (lseek (history->export, 0, SEEK_SET) != 0)
        return stele_refuse (self->refusal, STELE_EIO, NULL, "cannot read '%.300s' from its start: it is not a file", history->path);
    cli_lines_t *lines = cli_lines_new (history->export);
    cli_line_result_t result;
    int rc = 0;
    while (rc == 0 && (result = cli_lines_next (lines, -1, &text, &size)) != CLI_LINE_END)
        if (result != CLI_LINE)
            rc = stele_refuse (self->refusal, STELE_ELEDGER, NULL, "cannot read line %" PRId64 " of '%.300s'",
                cli_lines_number (lines), history->path);
        else
        if (size > 0)
            rc = s_take_text (self, text, size);
    cli_lines_destroy (&lines);
    return rc < 0? rc: 0;
}

int
cli_history_read (const cli_history_t *history, int64_t after, int64_t upto, cli_history_fn *fn, void *arg, stele_refusal_t *refusal)
{
    s_read_t self = {
        .after = after, .upto = upto, .position = after, .fn = fn, .arg = arg, .lines = stele_line_maker_new (),
        .pack = stele_pack_new (), .refusal = refusal
    };
    assert (self.pack);
    *refusal = (stele_refusal_t) { 0 };
    int code = 0;
    if (history->kind == CLI_HISTORY_LEDGER) {
        code = stele_reader_events (history->reader, after, upto - after, 0, s_take_row, &self);
        if (code && refusal->code == 0)
            stele_refuse (refusal, code, NULL, "position %" PRId64 ": the event cannot be read: %s", self.position + 1,
                stele_reader_error (history->reader));
    }
    else
    if (history->kind == CLI_HISTORY_REPOSITORY)
        code = stele_repository_read (history->repository, after, upto, 1u << STELE_LINE_EVENT, s_take_line, &self, refusal);
    else {
        self.position = 0;
        code = s_read_export (history, &self);
    }
    stele_line_maker_destroy (&self.lines);
    stele_pack_destroy (&self.pack);
    return code;
}

//  -- notes -----------------------------------------------------------------------------

static int
s_note (const char *path, cli_note_fn *fn, void *arg, stele_refusal_t *refusal)
{
    stele_note_t note;
    int code = stele_note_load (&note, path, refusal);
    if (code == 0)
        fn (&note, path, arg);
    return code == STELE_ENOT_FOUND? 0: code;
}

static int
s_is_note (const struct dirent *entry)
{
    size_t size = strlen (entry->d_name);
    return size > 5 && strcmp (entry->d_name + size - 5, ".note") == 0;
}

int
cli_history_notes (const cli_history_t *self, cli_note_fn *fn, void *arg, stele_refusal_t *refusal)
{
    char *path, *folder;
    struct dirent **list = NULL;
    int code = 0;
    if (self->kind == CLI_HISTORY_EXPORT)
        return 0;
    if (self->kind == CLI_HISTORY_LEDGER) {
        if (asprintf (&path, "%s" STELE_SEALS_NOTE_SUFFIX, self->path) < 0)
            abort ();
        code = s_note (path, fn, arg, refusal);
        free (path);
        return code;
    }
    if (asprintf (&folder, "%s/" STELE_REPOSITORY_CHECKPOINTS, self->path) < 0)
        abort ();
    int count = scandir (folder, &list, s_is_note, alphasort);
    for (int i = 0; i < count; i++) {
        if (asprintf (&path, "%s/%s", folder, list [i]->d_name) < 0)
            abort ();
        code = code? code: s_note (path, fn, arg, refusal);
        free (path);
        free (list [i]);
    }
    free (list);
    free (folder);
    return code;
}
