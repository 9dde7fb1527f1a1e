/*  kinds - reports of a migration, one line per kind

    Reports of one table that differ only in numbers and in quoted text are of one kind. A kind is
    printed with the number of its reports and the first ids.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLI_KINDS_H_INCLUDED
#define STELE_CLI_KINDS_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct cli_kinds cli_kinds_t;

/*  'word' is the key of a report in JSON (odd, difference). If 'verbose', every report is printed as
    it comes. Caller owns return value.                                      */
cli_kinds_t *
    cli_kinds_new (const char *word, bool json, bool verbose);
void
    cli_kinds_destroy (cli_kinds_t **self_p);

/*  Add a report about a record. The id may hold NUL.                        */
void
    cli_kinds_add (cli_kinds_t *self, const char *table, const char *id, size_t id_size, const char *what);

/*  Print the kinds that were not printed yet, in the order of their first reports. */
void
    cli_kinds_print (cli_kinds_t *self);

/*  Number of kinds.                                                         */
int64_t
    cli_kinds_count (const cli_kinds_t *self);

#endif
