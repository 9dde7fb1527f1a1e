/*  history - the lines of the events of a ledger, of a repository of backups, or of an export

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLI_HISTORY_H_INCLUDED
#define STELE_CLI_HISTORY_H_INCLUDED

#include "ledger/reader.h"
#include "proof/note.h"
#include "repository/repository.h"

typedef enum { CLI_HISTORY_LEDGER, CLI_HISTORY_REPOSITORY, CLI_HISTORY_EXPORT } cli_history_kind_t;

typedef struct {
    cli_history_kind_t kind;
    const char *path;
    stele_reader_t *reader;             // LEDGER
    stele_repository_t *repository;     // REPOSITORY
    int export;                         // EXPORT: descriptor
    const char *ledger_id;              // NULL: an export does not have it
} cli_history_t;

/*  Open what is at the path, and find out what it is. Returns the exit status; a failure is reported on stderr. */
int
    cli_history_open (cli_history_t *self, const char *path);
void
    cli_history_close (cli_history_t *self);

/*  Call fn per event after position 'after', in order, up to and including 'upto', until it returns non-zero; a negative
    value is returned. 'event' is the record for a ledger, else NULL. Returns 0, or a code with a refusal. */
typedef int (cli_history_fn) (int64_t position, const char *line, size_t size, const stele_record_t *event, void *arg);
int
    cli_history_read (const cli_history_t *self, int64_t after, int64_t upto, cli_history_fn *fn, void *arg, stele_refusal_t *refusal);

/*  Position of the last event, 0: not known. Negative: a code.              */
int64_t
    cli_history_last (cli_history_t *self);

/*  Call fn per note that is with it: beside the ledger, or in the repository. Returns 0, or a code with a refusal: a note
    that cannot be read.                                                     */
typedef void (cli_note_fn) (const stele_note_t *note, const char *name, void *arg);
int
    cli_history_notes (const cli_history_t *self, cli_note_fn *fn, void *arg, stele_refusal_t *refusal);

#endif
