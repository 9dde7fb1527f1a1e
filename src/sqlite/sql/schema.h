/*  schema - the migrations: the numbered files of sql/, embedded at build time

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_SCHEMA_H_INCLUDED
#define STELE_SCHEMA_H_INCLUDED

//  'STLE': application_id in the header of a ledger file
#define STELE_APPLICATION_ID 0x53544C45

typedef struct {
    int version;
    const char *name;
    const char *sql;
} stele_migration_t;

//  In ascending order, ended by version 0. Defined in sql/schema.c, which is generated.
extern const stele_migration_t stele_schema [];

#endif
