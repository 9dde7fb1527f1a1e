/*  ask - one request to the broker, and its answer or failure

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLI_ASK_H_INCLUDED
#define STELE_CLI_ASK_H_INCLUDED

#include <jansson.h>
#include "cli/shared/cli.h"
#include "wire/map.h"

/*  Give a new client the key of --key or STELE_KEY, if there is one. A file that is no key ends the program
    with the reason, and EX_NOINPUT, EX_DATAERR or EX_NOPERM.                */
void
    cli_use_key (const cli_t *self, stele_client_t *client);

/*  A request for that operation. Caller owns return value.                  */
json_t *
    cli_request (const char *op);

/*  Add a list of words if it is not empty; a text if it is not NULL. Text that is not UTF-8
    ends the program with EX_USAGE.                                          */
void
    cli_request_list (json_t *request, const char *key, const cli_list_t *list);
void
    cli_request_text (json_t *request, const char *key, const char *text);

/*  The same for an id that was given as an argument (id.h).                 */
void
    cli_request_id (json_t *request, const char *key, const char *argument);

/*  Send a request and wait for the answer. Takes the request. Caller owns return value.
    NULL: it failed, the reason was printed to stderr, and self->status is the exit status. */
json_t *
    cli_ask (cli_t *self, json_t *request);

/*  The same, but "not found" is not printed: NULL with status CLI_NO.       */
json_t *
    cli_ask_or_none (cli_t *self, json_t *request);

/*  The same, but the answer stays msgpack, for large ones: a checked map, whose data the caller frees. Call it after
    another request has been answered. Returns false after a failure.        */
bool
    cli_ask_packed (cli_t *self, json_t *request, stele_map_t *answer);

/*  The same without a message: NULL, with the STELE_E… code of the failure or the refusal, and self->why. */
json_t *
    cli_try (cli_t *self, json_t *request, int timeout_ms, int *code);

/*  The part 'ingest' of the statistics, without a message: NULL if there is none. Caller owns
    return value.                                                            */
json_t *
    cli_ask_trouble (cli_t *self);

/*  The exit status after a request that needs Redis failed: EX_CONFIG if the broker does not use
    Redis, else that of the failure (EX_TEMPFAIL: Redis is away; EX_UNAVAILABLE: the broker is). */
int
    cli_redis_status (cli_t *self);

/*  Report on stderr if acks are held back according to this part. NULL: nothing. */
void
    cli_report_holding (const json_t *ingest);

/*  Report the failure of cli_try. Returns the exit status.                  */
int
    cli_report_failure (cli_t *self, int code, int timeout_ms);

/*  The same for a long operation: a ping comes first, so that the long time-out only applies
    to a broker that answers at all.                                         */
json_t *
    cli_ask_long (cli_t *self, json_t *request, int timeout_ms);

/*  Print the last answer as it came, one line of JSON.                      */
void
    cli_print_answer (const cli_t *self);

/*  Request an answer, and print it: as JSON with --json, else with 'print'. Returns the
    exit status.                                                             */
typedef void (cli_print_fn) (cli_t *self, json_t *answer, void *arg);
int
    cli_ask_and_print (cli_t *self, json_t *request, cli_print_fn *print, void *arg);

#endif
