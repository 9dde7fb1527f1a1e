/*  embed_broker - the whole broker inside a program, reached over inproc://

        ./embed_broker [LEDGER]         default: ./embedded.db

    No other process and no port: a pipeline keeps its record in a file of its own.
    To let other programs connect to it, set a tcp:// or ipc:// endpoint instead of
    inproc://.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdio.h>
#include <stdlib.h>
#include <czmq.h>
#include <stele.h>

#define TIMEOUT_MS 5000
#define EVENTS "inproc://embedded-events"
#define REQUESTS "inproc://embedded-requests"

/*  Start the broker and print its answer. NULL if it cannot start.          */
static zactor_t *
s_start_broker (const char *ledger)
{
    zactor_t *broker = zactor_new (stele_broker, NULL);
    zstr_sendx (broker, "SET", "ledger", ledger, NULL);
    zstr_sendx (broker, "SET", "redis", "none", NULL);
    zstr_sendx (broker, "SET", "events", EVENTS, NULL);
    zstr_sendx (broker, "SET", "requests", REQUESTS, NULL);
    zstr_sendx (broker, "SET", "feed", "inproc://embedded-feed", NULL);
    zstr_sendx (broker, "START", NULL);

    char *status = NULL, *detail = NULL;
    zstr_recvx (broker, &status, &detail, NULL);
    bool ready = status && streq (status, "READY");
    printf ("broker: %s\n", detail? detail: "no answer");
    zstr_free (&status);
    zstr_free (&detail);
    if (!ready)
        zactor_destroy (&broker);
    return broker;
}

/*  The work of this program: a task in three events. Returns 0 or STELE_E...  */
static int
s_work (stele_client_t *client)
{
    static const char *const lines [] = {
        ("{\"type\":\"task.created\",\"task_id\":\"embedded\",\"title\":\"Embedded\","
            "\"description\":\"A task of the program itself\",\"role\":\"step\"}"),
        "{\"type\":\"task.state_changed\",\"task_id\":\"embedded\",\"state\":\"running\"}",
        "{\"type\":\"task.state_changed\",\"task_id\":\"embedded\",\"state\":\"passed\"}"
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines [0]; i++) {
        char error [256];
        stele_event_t *event = stele_event_from_json (lines [i], strlen (lines [i]), error,
            sizeof error);
        if (!event) {
            fprintf (stderr, "embed_broker: %s\n", error);
            return STELE_EMALFORMED;
        }
        int64_t number = stele_client_publish (client, &event, TIMEOUT_MS);
        stele_event_destroy (&event);
        if (number < 0)
            return (int) number;
    }
    return stele_client_flush (client, TIMEOUT_MS);
}

int
main (int argc, char **argv)
{
    zactor_t *broker = s_start_broker (argc > 1? argv [1]: "embedded.db");
    if (!broker)
        return EXIT_FAILURE;

    stele_client_t *client = stele_client_new ("embed_broker");
    stele_client_set_events_endpoint (client, EVENTS);
    stele_client_set_requests_endpoint (client, REQUESTS);

    int rc = s_work (client);
    char *answer = NULL;
    if (rc == 0)
        rc = stele_client_request_json (client,
            "{\"op\":\"task.history\",\"task_id\":\"embedded\"}", TIMEOUT_MS, &answer);
    if (rc == 0)
        printf ("%s\n", answer);
    else
        fprintf (stderr, "embed_broker: %s: %s\n", stele_error_name (rc), stele_client_error (client));
    free (answer);

    //  Before the broker, to which it sends goodbye
    stele_client_close (client, false, TIMEOUT_MS);
    stele_client_destroy (&client);
    zactor_destroy (&broker);           // Commits received events, then stops
    return rc? EXIT_FAILURE: EXIT_SUCCESS;
}
