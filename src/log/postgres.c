/*  postgres - connect, run with a time-out, read values

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/memory.h"
#include "log/postgres.h"
#include "stele_error.h"

#define CONNECT_S "3"               // Per host
#define STATEMENTS 16               // Prepared per connection

struct stele_postgres {
    PGconn *connection;             // NULL: none
    char *conninfo, *application;
    int64_t timeout_ms;
    int64_t sent_ms;                // Steady clock: the statement that runs was sent, or bytes of it or of its answer went on
    bool warned;                    // The server sent a warning since then
    const stele_statement_t *prepared [STATEMENTS];
    size_t prepared_count;
    char error [600];
    char state [6];
};

//  -- parameters and values ---------------------------------------------------------------

static void
s_add (stele_parameters_t *self, const char *value, int size, int format)
{
    assert (self->count < STELE_POSTGRES_PARAMETERS);
    self->values [self->count] = value;
    self->sizes [self->count] = size;
    self->formats [self->count++] = format;
}

void
stele_parameters_text (stele_parameters_t *self, const char *text)
{
    s_add (self, text, 0, 0);
}

void
stele_parameters_bytes (stele_parameters_t *self, const void *bytes, size_t size)
{
    s_add (self, bytes, (int) size, 1);
}

void
stele_parameters_integer (stele_parameters_t *self, int64_t value)
{
    char *text = self->numbers [self->count];
    snprintf (text, sizeof self->numbers [0], "%" PRId64, value);
    s_add (self, text, 0, 0);
}

void
stele_parameters_bool (stele_parameters_t *self, bool value)
{
    s_add (self, value? "t": "f", 0, 0);
}

int64_t
stele_postgres_integer (const PGresult *result, int row, int column)
{
    int size = PQgetisnull (result, row, column)? 0: PQgetlength (result, row, column);
    uint64_t wide = 0;
    uint32_t narrow = 0;
    if (size == sizeof wide)
        memcpy (&wide, PQgetvalue (result, row, column), sizeof wide);
    if (size == sizeof narrow)
        memcpy (&narrow, PQgetvalue (result, row, column), sizeof narrow);
    return size == sizeof narrow? (int32_t) be32toh (narrow): (int64_t) be64toh (wide);
}

bool
stele_postgres_bool (const PGresult *result, int row, int column)
{
    return !PQgetisnull (result, row, column) && *PQgetvalue (result, row, column);
}

void
stele_postgres_text (const PGresult *result, int row, int column, char *text, size_t size)
{
    snprintf (text, size, "%s", PQgetisnull (result, row, column)? "": PQgetvalue (result, row, column));
}

//  -- the connection ----------------------------------------------------------------------

//  Keep a text of libpq, on one line
static void
s_note (stele_postgres_t *self, const char *text)
{
    snprintf (self->error, sizeof self->error, "%s", text && *text? text: "PostgreSQL does not answer");
    size_t size = strlen (self->error);
    while (size && self->error [size - 1] == '\n')
        self->error [--size] = 0;
    for (char *end = strchr (self->error, '\n'); end; end = strchr (end, '\n'))
        *end = ' ';
}

static void
s_receive_notice (void *arg, const PGresult *notice)
{
    stele_postgres_t *self = arg;
    const char *severity = PQresultErrorField (notice, PG_DIAG_SEVERITY_NONLOCALIZED);
    if (!severity || strcmp (severity, "WARNING"))
        return;
    self->warned = true;
    s_note (self, PQresultErrorField (notice, PG_DIAG_MESSAGE_PRIMARY));
}

stele_postgres_t *
stele_postgres_new (const char *conninfo, const char *application, int64_t timeout_ms)
{
    stele_postgres_t *self = STELE_NEW (stele_postgres_t);
    self->conninfo = stele_memory_copy (conninfo, strlen (conninfo));
    self->application = stele_memory_copy (application, strlen (application));
    self->timeout_ms = timeout_ms;
    return self;
}

void
stele_postgres_destroy (stele_postgres_t **self_p)
{
    assert (self_p);
    stele_postgres_t *self = *self_p;
    if (!self)
        return;
    stele_postgres_drop (self);
    free (self->conninfo);
    free (self->application);
    free (self);
    *self_p = NULL;
}

void
stele_postgres_drop (stele_postgres_t *self)
{
    PQfinish (self->connection);
    self->connection = NULL;
    self->prepared_count = 0;
}

bool
stele_postgres_connected (const stele_postgres_t *self)
{
    return self->connection != NULL;
}

const char *
stele_postgres_error (const stele_postgres_t *self)
{
    return self->error;
}

const char *
stele_postgres_state (const stele_postgres_t *self)
{
    return self->state;
}

int
stele_postgres_fd (const stele_postgres_t *self)
{
    return self->connection? PQsocket (self->connection): -1;
}

int
stele_postgres_connect (stele_postgres_t *self)
{
    if (self->connection && PQstatus (self->connection) == CONNECTION_OK)
        return 0;
    stele_postgres_drop (self);
    char timeout [24];
    snprintf (timeout, sizeof timeout, "%" PRId64, self->timeout_ms);
    //  Keys of the conninfo take precedence over those before it
    const char *keys [] = { "connect_timeout", "tcp_user_timeout", "fallback_application_name", "target_session_attrs",
        "dbname", "client_encoding", NULL };
    const char *values [] = { CONNECT_S, timeout, self->application, "read-write", self->conninfo, "UTF8", NULL };
    self->connection = PQconnectdbParams (keys, values, 1);
    assert (self->connection);
    *self->state = 0;
    if (PQstatus (self->connection) != CONNECTION_OK || PQsetnonblocking (self->connection, 1)) {
        s_note (self, PQerrorMessage (self->connection));
        stele_postgres_drop (self);
        return STELE_EUNAVAILABLE;
    }
    PQsetNoticeReceiver (self->connection, s_receive_notice, self);
    return 1;
}

//  -- statements --------------------------------------------------------------------------

//  The error of the connection, which is of no further use
static int
s_fail (stele_postgres_t *self, const char *text)
{
    s_note (self, text? text: self->connection? PQerrorMessage (self->connection): NULL);
    stele_postgres_drop (self);
    return STELE_EUNAVAILABLE;
}

//  Wait for the next result of what was sent, at most until 'until_ms' of the steady clock. 1, 0 (not there yet), or an error.
static int
s_wait (stele_postgres_t *self, int64_t until_ms)
{
    for (;;) {
        int unsent = PQflush (self->connection);
        if (unsent < 0 || !PQconsumeInput (self->connection))
            return s_fail (self, NULL);
        if (!unsent && !PQisBusy (self->connection))
            return 1;
        int64_t now_ms = stele_clock_steady_ms (), end_ms = self->sent_ms + self->timeout_ms;
        if (now_ms >= end_ms)
            return s_fail (self, "PostgreSQL did not answer within the time-out");
        if (now_ms >= until_ms)
            return 0;
        int64_t left_ms = (until_ms < end_ms? until_ms: end_ms) - now_ms;
        struct pollfd item = { PQsocket (self->connection), (short) (POLLIN | (unsent? POLLOUT: 0)), 0 };
        int ready = poll (&item, 1, (int) (left_ms < 60000? left_ms: 60000));
        if (ready < 0 && errno != EINTR)
            return s_fail (self, strerror (errno));
        //  A large batch takes long over a slow connection, which is none that stands still
        if (ready > 0)
            self->sent_ms = stele_clock_steady_ms ();
    }
}

//  The result of what was sent, and the end of it. 1, 0 or an error.
static int
s_result (stele_postgres_t *self, int64_t wait_ms, PGresult **result)
{
    int64_t now_ms = stele_clock_steady_ms (), until_ms = wait_ms < INT64_MAX - now_ms? now_ms + wait_ms: INT64_MAX;
    *result = NULL;
    for (;;) {
        int rc = s_wait (self, *result? INT64_MAX: until_ms);
        if (rc <= 0) {
            if (rc < 0) {
                PQclear (*result);
                *result = NULL;
            }
            return rc;
        }
        PGresult *next = PQgetResult (self->connection);
        if (!next)
            return *result? 1: s_fail (self, NULL);
        PQclear (*result);
        *result = next;
    }
}

static bool
s_is_error (stele_postgres_t *self, const PGresult *result)
{
    ExecStatusType status = PQresultStatus (result);
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK)
        return false;
    const char *state = PQresultErrorField (result, PG_DIAG_SQLSTATE);
    snprintf (self->state, sizeof self->state, "%s", state? state: "");
    s_note (self, PQresultErrorMessage (result));
    return true;
}

static void
s_sent (stele_postgres_t *self)
{
    self->sent_ms = stele_clock_steady_ms ();
    self->warned = false;
    *self->state = 0;
}

bool
stele_postgres_prepare (stele_postgres_t *self, const stele_statement_t *statement)
{
    for (size_t i = 0; i < self->prepared_count; i++)
        if (self->prepared [i] == statement)
            return true;
    PGresult *result;
    if (!self->connection) {
        s_note (self, NULL);
        return false;
    }
    s_sent (self);
    if (!PQsendPrepare (self->connection, statement->name, statement->sql, 0, NULL)) {
        s_fail (self, NULL);
        return false;
    }
    if (s_result (self, INT64_MAX, &result) < 0)
        return false;
    bool failed = s_is_error (self, result);
    PQclear (result);
    if (failed)
        return false;
    assert (self->prepared_count < STATEMENTS);
    self->prepared [self->prepared_count++] = statement;
    return true;
}

bool
stele_postgres_send (stele_postgres_t *self, const stele_statement_t *statement, const stele_parameters_t *parameters)
{
    if (!stele_postgres_prepare (self, statement))
        return false;
    s_sent (self);
    if (PQsendQueryPrepared (self->connection, statement->name, parameters->count, parameters->values, parameters->sizes,
            parameters->formats, 1) && PQflush (self->connection) >= 0)
        return true;
    s_fail (self, NULL);
    return false;
}

int
stele_postgres_result (stele_postgres_t *self, int64_t wait_ms, PGresult **result)
{
    if (!self->connection)
        return STELE_EUNAVAILABLE;
    int rc = s_result (self, wait_ms, result);
    if (rc <= 0)
        return rc;
    if (!s_is_error (self, *result) && !self->warned)
        return 1;
    PQclear (*result);
    *result = NULL;
    stele_postgres_drop (self);
    return STELE_EUNAVAILABLE;
}

PGresult *
stele_postgres_run (stele_postgres_t *self, const stele_statement_t *statement, const stele_parameters_t *parameters)
{
    PGresult *result;
    if (!stele_postgres_send (self, statement, parameters) || s_result (self, INT64_MAX, &result) < 0)
        return NULL;
    if (!s_is_error (self, result))
        return result;
    PQclear (result);
    return NULL;
}

bool
stele_postgres_run_all (stele_postgres_t *self, const char *statements)
{
    PGresult *result;
    s_sent (self);
    if (!self->connection || !PQsendQuery (self->connection, statements)) {
        s_fail (self, NULL);
        return false;
    }
    if (s_result (self, INT64_MAX, &result) < 0)
        return false;
    bool failed = s_is_error (self, result);
    PQclear (result);
    return !failed;
}

bool
stele_postgres_notified (stele_postgres_t *self, int64_t *payload)
{
    if (!self->connection)
        return false;
    if (!PQconsumeInput (self->connection)) {
        s_fail (self, NULL);
        return false;
    }
    PGnotify *notice = PQnotifies (self->connection);
    if (!notice)
        return false;
    char *end;
    long long number = strtoll (notice->extra, &end, 10);
    if (end != notice->extra && *end == 0)
        *payload = number;
    PQfreemem (notice);
    return true;
}
