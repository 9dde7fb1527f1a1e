/*  server - answers that every part gives: problems, and questions to the broker

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "http/reply.h"
#include "http/server.h"

void
http_server_send_problem (http_conn_t *conn, int status, const char *code, const char *title, const char *field,
    const char *detail, int wait_s)
{
    char *problem = http_reply_problem (status, code, title, field, detail, http_conn_request (conn)->id);
    if (status == 503 || status == 429)
        http_conn_field (conn, "Retry-After", "%d", wait_s);
    http_conn_field (conn, "Cache-Control", "no-store");
    http_conn_answer (conn, status, "application/problem+json", problem, strlen (problem), false);
    free (problem);
}

void
http_server_problem (http_server_t *self, http_conn_t *conn, const stele_refusal_t *refusal)
{
    http_server_fields (self, conn, -1);
    http_server_send_problem (conn, http_reply_status (refusal), stele_error_name (refusal->code),
        http_reply_title (refusal), refusal->field, refusal->message, HTTP_RETRY_AFTER_S);
}

void
http_server_refuse (http_server_t *self, http_conn_t *conn, int status, const char *format, ...)
{
    (void) self;
    char detail [400];
    va_list args;
    va_start (args, format);
    vsnprintf (detail, sizeof detail, format, args);
    va_end (args);
    http_server_send_problem (conn, status, NULL, http_status_text (status), NULL, detail, HTTP_RETRY_AFTER_S);
}

void
http_server_fields (http_server_t *self, http_conn_t *conn, int64_t position)
{
    if (position >= 0)
        http_conn_field (conn, "Stele-Position", "%" PRId64, position);
    if (*self->ledger)
        http_conn_field (conn, "Stele-Ledger", "%s", self->ledger);
}

int64_t
http_server_ask (http_server_t *self, http_conn_t *conn, const stele_pack_t *pack, int timeout_ms,
    http_answer_fn *answer, void *arg)
{
    stele_refusal_t refusal = { 0 };
    int64_t token;
    if (self->calls > HTTP_CALLS_MAX)
        token = stele_refuse (&refusal, STELE_EUNAVAILABLE, NULL, "%d requests are waiting for the broker: retry later",
            HTTP_CALLS_MAX);
    else
        token = http_upstream_send (self->upstream, pack, http_conn_request (conn)->actor, timeout_ms, answer, arg, &refusal);
    if (token > 0)
        return token;
    http_server_problem (self, conn, &refusal);
    return 0;
}
