/*  ask - one request to the broker, and its answer or failure

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "cli/shared/ask.h"
#include "cli/shared/id.h"
#include "cli/shared/reach.h"
#include "wire/json/json.h"

#define REACH_MS 200
#define TROUBLE_MS 1000             // For a request besides that of the user
#define START_MS 1000               // For a broker that is starting, if nothing listens at its endpoint
#define AGAIN_MS 20

json_t *
cli_request (const char *op)
{
    json_t *request = json_pack ("{ss}", "op", op);
    assert (request);
    return request;
}

//  The option that sets a parameter of a request; NULL if there is none
static const char *
s_option_of (const char *field)
{
    static const char *const options [] [2] = {
        { "date_from", "from" }, { "date_to", "to" }, { "states", "state" }, { "roles", "role" },
        { "providers", "provider" }, { "models", "model" }, { "types", "type" }, { "names", "name" },
        { "group_by", "by" }, { "updated_from", "updated-from" }, { "updated_to", "updated-to" },
        { "completed_from", "completed-from" }, { "completed_to", "completed-to" }, { "from", "from" },
        { "to", "to" }, { "at", "at" }, { "cursor", "cursor" }, { "search", "search" }
    };
    for (size_t i = 0; i < sizeof options / sizeof options [0]; i++)
        if (strcmp (options [i] [0], field) == 0)
            return options [i] [1];
    return NULL;
}

//  Set a member; takes the value, NULL if the user's text was not UTF-8
static void
s_set (json_t *request, const char *key, json_t *value)
{
    if (!value) {
        const char *option = s_option_of (key);
        cli_report ("%s%s is not valid UTF-8", option? "--": "the argument ", option? option: key);
        cli_message_end (EX_USAGE);
        exit (EX_USAGE);
    }
    json_object_set_new (request, key, value);
}

void
cli_request_list (json_t *request, const char *key, const cli_list_t *list)
{
    if (list->count == 0)
        return;
    json_t *array = json_array ();
    for (size_t i = 0; i < list->count; i++) {
        json_t *text = json_string (list->items [i]);
        if (!text) {
            json_decref (array);
            array = NULL;
            break;
        }
        json_array_append_new (array, text);
    }
    s_set (request, key, array);
}

void
cli_request_text (json_t *request, const char *key, const char *text)
{
    if (text)
        s_set (request, key, json_string (text));
}

void
cli_request_id (json_t *request, const char *key, const char *argument)
{
    if (argument)
        s_set (request, key, cli_id_read (argument));
}

/*  -- failures --------------------------------------------------------------- */

static int
s_status_of (int code)
{
    switch (code) {
        case STELE_ENOT_FOUND:
            return CLI_NO;
        case STELE_EBAD_REQUEST:
        case STELE_EINVALID_FIELD:
        case STELE_EMISSING_FIELD:
            return EX_USAGE;
        case STELE_EMALFORMED:
        case STELE_ETOO_LARGE:
            return EX_DATAERR;
        case STELE_ETIMEOUT:
            return EX_UNAVAILABLE;
        case STELE_EUNAVAILABLE:
        case STELE_ENOT_WRITER:
            return EX_TEMPFAIL;
        case STELE_EUNKNOWN_OP:
        case STELE_EPROTOCOL:
            return EX_PROTOCOL;
        case STELE_EUNAUTHORIZED:
            return EX_NOPERM;
        case STELE_EFULL:
        case STELE_EIO:
            return EX_IOERR;
        default:
            return EX_SOFTWARE;
    }
}

static void
s_no_answer (cli_t *self, int timeout_ms)
{
    char why [200];
    self->status = EX_UNAVAILABLE;
    switch (cli_reach (self->requests, self->key, REACH_MS, why, sizeof why)) {
        case CLI_REACH_PERMISSION:
            cli_report ("%s: %s. Use the user of the broker, or a member of its group", self->requests, why);
            self->status = EX_NOPERM;
            break;
        case CLI_REACH_KEY:
            cli_report ("%s: %s. Ask its operator for a key file (made with 'stele key new NAME'), and name it with --key FILE, "
                "or STELE_KEY", self->requests, why);
            self->status = EX_NOPERM;
            break;
        case CLI_REACH_ACCEPTS:
            cli_report ("no answer from %s within %s ms: %s. 'stele health' and the log of the broker may give the reason; "
                "--timeout MS waits longer", self->requests, cli_format_count (timeout_ms).text, why);
            break;
        default:
            cli_report ("no answer from %s within %s ms: %s. Is a broker running there? "
                "Start one with 'steled', or give its endpoint: --requests ENDPOINT, or STELE_REQUESTS",
                self->requests, cli_format_count (timeout_ms).text, why);
    }
}

static void
s_report_refusal (const char *message, const char *field)
{
    size_t size = field? strlen (field): 0;
    const char *option = field? s_option_of (field): NULL;
    if (option && strncmp (message, field, size) == 0 && message [size] == ' ')
        cli_report ("--%s%s", option, message + size);
    else
        cli_report ("%s", message);
}

static void
s_refused (cli_t *self, const json_t *answer)
{
    const json_t *error = json_object_get (answer, "error");
    const char *name = json_string_value (json_object_get (error, "code"));
    const char *message = json_string_value (json_object_get (error, "message"));
    int code = stele_error_code (name? name: "internal");
    if (message && *message)
        s_report_refusal (message, json_string_value (json_object_get (error, "field")));
    else
        cli_report ("%s: %s", name? name: "internal", stele_error_text (code));
    cli_message_code (name? name: "internal");
    self->status = s_status_of (code);
}

/*  -- requests --------------------------------------------------------------- */

void
cli_use_key (const cli_t *self, stele_client_t *client)
{
    int code = self->key? stele_client_set_key (client, self->key): 0;
    if (code == 0)
        return;
    cli_report ("%s", stele_client_error (client));
    int status = code == STELE_EIO? EX_NOINPUT: code == STELE_EUNAUTHORIZED? EX_NOPERM: EX_DATAERR;
    cli_message_end (status);
    exit (status);
}

static stele_client_t *
s_client (cli_t *self)
{
    if (!self->client) {
        self->client = stele_client_new (NULL);
        stele_client_set_requests_endpoint (self->client, self->requests);
        stele_client_set_feed_endpoint (self->client, self->feed);
        cli_use_key (self, self->client);
    }
    return self->client;
}

static json_t *
s_parse (cli_t *self)
{
    json_error_t error;
    json_t *answer = json_loads (self->text, JSON_ALLOW_NUL, &error);
    if (!json_is_object (answer)) {
        cli_report ("the answer from %s is not that of a broker", self->requests);
        self->status = EX_PROTOCOL;
        json_decref (answer);
        return NULL;
    }
    return answer;
}

//  In mode redis the ledger is not written: an answer from it may be incomplete
static void
s_report_mode (cli_t *self, const json_t *request, const json_t *answer)
{
    const char *mode = json_string_value (json_object_get (answer, "mode"));
    const char *op = json_string_value (json_object_get (request, "op"));
    if (self->mode_reported || !mode || strcmp (mode, "redis") != 0 || !op
    ||  strcmp (op, "mode") == 0 || strcmp (op, "info") == 0 || strcmp (op, "task.status") == 0)
        return;
    self->mode_reported = true;
    cli_warn ("the broker is in mode redis: events acked since it was set are only in Redis, and not in this answer; "
        "'stele mode dual' writes them to the ledger");
}

//  Does nothing listen there, not even after the time that a broker takes to start? libzmq itself does not report that.
static bool
s_is_absent (const cli_t *self)
{
    char why [200];
    int64_t until_ms = stele_clock_steady_ms () + START_MS;
    while (cli_reach (self->requests, "", REACH_MS, why, sizeof why) == CLI_REACH_NOBODY) {
        if (stele_clock_steady_ms () >= until_ms)
            return true;
        poll (NULL, 0, AGAIN_MS);
    }
    return false;
}

//  Was a request answered? Else report why not.
static bool
s_is_sent (cli_t *self, int rc, int timeout_ms)
{
    if (rc == STELE_ETIMEOUT)
        s_no_answer (self, timeout_ms);
    else
    if (rc) {
        const char *why = stele_client_error (s_client (self));
        cli_report ("%s", *why? why: stele_error_text (rc));
        self->status = s_status_of (rc);
    }
    return rc == 0;
}

//  The answer in self->text, unless it is a refusal. 'none': "not found" is not printed
static json_t *
s_judge (cli_t *self, const json_t *request, bool none)
{
    json_t *answer = s_parse (self);
    s_report_mode (self, request, answer);
    if (answer && !json_is_true (json_object_get (answer, "ok"))) {
        const json_t *error = json_object_get (answer, "error");
        const char *code = json_string_value (json_object_get (error, "code"));
        if (none && code && strcmp (code, "not_found") == 0)
            self->status = CLI_NO;
        else
            s_refused (self, answer);
        json_decref (answer);
        return NULL;
    }
    return answer;
}

static json_t *
s_ask (cli_t *self, const json_t *request, int timeout_ms, bool none)
{
    if (!self->client && self->timeout_ms == 0 && s_is_absent (self)) {
        s_no_answer (self, START_MS);
        return NULL;
    }
    char *text = json_dumps (request, JSON_COMPACT);
    assert (text);
    free (self->text);
    self->text = NULL;
    int rc = stele_client_request_json (s_client (self), text, timeout_ms, &self->text);
    free (text);
    return s_is_sent (self, rc, timeout_ms)? s_judge (self, request, none): NULL;
}

json_t *
cli_ask (cli_t *self, json_t *request)
{
    json_t *answer = s_ask (self, request, cli_timeout (self, CLI_TIMEOUT_MS), false);
    json_decref (request);
    return answer;
}

json_t *
cli_ask_or_none (cli_t *self, json_t *request)
{
    json_t *answer = s_ask (self, request, cli_timeout (self, CLI_TIMEOUT_MS), true);
    json_decref (request);
    return answer;
}

bool
cli_ask_packed (cli_t *self, json_t *request, stele_map_t *answer)
{
    char *text = json_dumps (request, JSON_COMPACT);
    stele_pack_t *pack = stele_pack_new ();
    assert (text && pack);
    int timeout_ms = cli_timeout (self, CLI_TIMEOUT_MS), rc = stele_json_parse_pack (text, strlen (text), pack, NULL);
    free (text);
    void *data = NULL;
    bool ok = false;
    if (rc == 0)
        rc = stele_client_request (s_client (self), stele_pack_data (pack), stele_pack_size (pack), timeout_ms, &data, &answer->size);
    stele_pack_destroy (&pack);
    answer->data = data;
    if (s_is_sent (self, rc, timeout_ms) && !(stele_map_bool (answer, "ok", &ok) && ok)) {
        free (self->text);
        self->text = stele_json_print (answer->data, answer->size, true);
        json_decref (s_judge (self, request, false));
        free (data);
    }
    json_decref (request);
    return ok;
}

json_t *
cli_try (cli_t *self, json_t *request, int timeout_ms, int *code)
{
    char *text = json_dumps (request, JSON_COMPACT);
    assert (text);
    json_decref (request);
    free (self->text);
    self->text = NULL;
    *code = stele_client_request_json (s_client (self), text, timeout_ms, &self->text);
    free (text);
    json_t *answer = *code? NULL: json_loads (self->text, JSON_ALLOW_NUL, NULL);
    if (json_is_true (json_object_get (answer, "ok")))
        return answer;
    const char *why = stele_client_error (self->client);
    if (*code == 0) {
        const json_t *error = json_object_get (answer, "error");
        const char *name = json_string_value (json_object_get (error, "code"));
        *code = name? stele_error_code (name): STELE_EPROTOCOL;
        why = json_string_value (json_object_get (error, "message"));
    }
    snprintf (self->why, sizeof self->why, "%s", why && *why? why: stele_error_text (*code));
    json_decref (answer);
    return NULL;
}

int
cli_report_failure (cli_t *self, int code, int timeout_ms)
{
    if (code == STELE_ETIMEOUT) {
        s_no_answer (self, timeout_ms);
        return self->status;
    }
    cli_report ("%s", self->why);
    self->status = s_status_of (code);
    return self->status;
}

json_t *
cli_ask_trouble (cli_t *self)
{
    int code;
    json_t *stats = cli_try (self, cli_request ("stats"), cli_timeout (self, TROUBLE_MS), &code);
    json_t *ingest = json_incref (json_object_get (stats, "ingest"));
    json_decref (stats);
    return ingest;
}

int
cli_redis_status (cli_t *self)
{
    int code, status = self->status;
    if (status != EX_TEMPFAIL)
        return status;
    json_t *stats = cli_try (self, cli_request ("stats"), cli_timeout (self, TROUBLE_MS), &code);
    const char *state = json_string_value (json_object_get (json_object_get (stats, "redis"), "state"));
    if (state && strcmp (state, "off") == 0)
        status = EX_CONFIG;
    json_decref (stats);
    return status;
}

void
cli_report_holding (const json_t *ingest)
{
    const char *trouble = json_string_value (json_object_get (ingest, "trouble"));
    if (json_is_true (json_object_get (ingest, "holding")))
        cli_warn ("acks are held back, because the ledger cannot be written: %s. 'stele health' has more",
            trouble? trouble: "unknown reason");
}

json_t *
cli_ask_long (cli_t *self, json_t *request, int timeout_ms)
{
    //  Only the answer to the request itself may warn about mode redis
    bool reported = self->mode_reported;
    self->mode_reported = true;
    json_t *answer = cli_ask (self, cli_request ("ping"));
    self->mode_reported = reported;
    if (answer) {
        json_decref (answer);
        answer = s_ask (self, request, cli_timeout (self, timeout_ms), false);
    }
    json_decref (request);
    return answer;
}

void
cli_print_answer (const cli_t *self)
{
    puts (self->text);
    cli_flush_stdout ();
}

int
cli_ask_and_print (cli_t *self, json_t *request, cli_print_fn *print, void *arg)
{
    json_t *answer = cli_ask (self, request);
    if (!answer)
        return self->status;
    if (self->json)
        cli_print_answer (self);
    else
        print (self, answer, arg);
    json_decref (answer);
    return EX_OK;
}
