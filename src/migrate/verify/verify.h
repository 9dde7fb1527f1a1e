/*  verify - compare a ledger with the source of a migration, field by field

    Independent of the conversion: every record of the source, as it is there, is looked up among
    the answers of the broker. A different value is accepted if the record in the ledger keeps
    that of the source under "migrated", or in outputs.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_VERIFY_H_INCLUDED
#define STELE_VERIFY_H_INCLUDED

#include "migrate/migrate.h"
#include "migrate/subject.h"

typedef struct stele_verify stele_verify_t;

typedef struct {
    int64_t records, fields;        // Compared
    int64_t kept;                   // Fields that differ, with the value of the source kept
    int64_t differences;
} stele_verify_counts_t;

/*  Reports differences to odd_fn. 'asker' must outlive it. Caller owns return value. */
stele_verify_t *
    stele_verify_new (const stele_asker_t *asker, stele_migrate_odd_fn *odd_fn, void *arg);
void
    stele_verify_destroy (stele_verify_t **self_p);

/*  The source, whose zone is used for its times.                            */
void
    stele_verify_set_source (stele_verify_t *self, const stele_migrate_t *source);

/*  Compare a record of the source: its record_fn passes it here.            */
void
    stele_verify_record (stele_verify_t *self, const char *table, const json_t *id, const json_t *columns);

/*  Finish the last record. Returns 0, or -1 if the broker did not answer.   */
int
    stele_verify_end (stele_verify_t *self);

stele_verify_counts_t
    stele_verify_counts (const stele_verify_t *self);

#endif
