/*  postgres - one connection to PostgreSQL: statements with a time-out, none of which is ever cancelled

    The only users of libpq are the files of this folder.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_POSTGRES_H_INCLUDED
#define STELE_POSTGRES_H_INCLUDED

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STELE_POSTGRES_PARAMETERS 12

/*  Parameters of a statement, in the order in which they are added. Text and bytes are borrowed. */
typedef struct {
    int count;
    const char *values [STELE_POSTGRES_PARAMETERS];
    int sizes [STELE_POSTGRES_PARAMETERS], formats [STELE_POSTGRES_PARAMETERS];
    char numbers [STELE_POSTGRES_PARAMETERS] [24];
} stele_parameters_t;

void stele_parameters_text (stele_parameters_t *self, const char *text);
void stele_parameters_bytes (stele_parameters_t *self, const void *bytes, size_t size);
void stele_parameters_integer (stele_parameters_t *self, int64_t value);
void stele_parameters_bool (stele_parameters_t *self, bool value);

/*  A statement is prepared once per connection under its name. Its results are binary. */
typedef struct { const char *name, *sql; } stele_statement_t;

typedef struct stele_postgres stele_postgres_t;

/*  Does not connect yet. Caller owns return value.                          */
stele_postgres_t *
    stele_postgres_new (const char *conninfo, const char *application, int64_t timeout_ms);
void
    stele_postgres_destroy (stele_postgres_t **self_p);

/*  Connect unless there is a connection. Returns 1: a new one; 0: there was one; STELE_EUNAVAILABLE. */
int
    stele_postgres_connect (stele_postgres_t *self);
bool
    stele_postgres_connected (const stele_postgres_t *self);

/*  Close the connection. A statement that runs is neither cancelled nor waited for. */
void
    stele_postgres_drop (stele_postgres_t *self);

/*  Text of the last error. Owned by the object.                             */
const char *
    stele_postgres_error (const stele_postgres_t *self);

/*  SQLSTATE of the last error of the server, "" if it was another one.      */
const char *
    stele_postgres_state (const stele_postgres_t *self);

/*  Socket of the connection, -1: none.                                      */
int
    stele_postgres_fd (const stele_postgres_t *self);

/*  Run one statement, or several without parameters or results in one transaction, and wait. Returns the
    result, which the caller clears with PQclear. NULL: an error; the connection is dropped if it is of no
    further use, also by a time-out.                                         */
PGresult *
    stele_postgres_run (stele_postgres_t *self, const stele_statement_t *statement, const stele_parameters_t *parameters);
bool
    stele_postgres_run_all (stele_postgres_t *self, const char *statements);

/*  Prepare a statement unless it is; waits. False: an error, as of _run.    */
bool
    stele_postgres_prepare (stele_postgres_t *self, const stele_statement_t *statement);

/*  The same in two steps: false is an error of sending. _result returns 1 with the result, 0: it did not come within wait_ms,
    or STELE_EUNAVAILABLE: an error, a time-out without a byte of it, or a warning of the server meanwhile. All three drop the
    connection.                                                              */
bool
    stele_postgres_send (stele_postgres_t *self, const stele_statement_t *statement, const stele_parameters_t *parameters);
int
    stele_postgres_result (stele_postgres_t *self, int64_t wait_ms, PGresult **result);

/*  Take the next notification that has arrived; never waits. False: none, or the connection has ended, which is
    dropped then. '*payload' is set if it is a number.                       */
bool
    stele_postgres_notified (stele_postgres_t *self, int64_t *payload);

/*  Values of a binary result; 0 or "" for NULL.                             */
int64_t
    stele_postgres_integer (const PGresult *result, int row, int column);
bool
    stele_postgres_bool (const PGresult *result, int row, int column);
void
    stele_postgres_text (const PGresult *result, int row, int column, char *text, size_t size);

#endif
