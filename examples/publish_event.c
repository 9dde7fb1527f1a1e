/*  publish_event - publish the life of one task and wait until it is durable

        ./publish_event [TASK]          the broker's address comes from STELE_EVENTS

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <stele.h>

#define TIMEOUT_MS 5000

static void
s_on_receipt (const stele_receipt_t *receipt, void *arg)
{
    (void) arg;
    if (receipt->fate == STELE_ACKED)
        printf ("durable up to event %" PRId64 ", position %" PRId64 "\n",
            receipt->number, receipt->position);
    else
        printf ("refused, event %" PRId64 ": %s (%s)\n",
            receipt->number, receipt->message, stele_error_name (receipt->code));
}

static int64_t
s_publish (stele_client_t *client, stele_event_t *event, const char *task)
{
    stele_event_set_string (event, "task_id", task);
    int64_t number = stele_client_publish (client, &event, TIMEOUT_MS);
    stele_event_destroy (&event);       // NULL already, unless the publish timed out
    return number;
}

int
main (int argc, char **argv)
{
    const char *task = argc > 1? argv [1]: "example";
    //  The producer is the permanent name of this program; one run of it at a time
    stele_client_t *client = stele_client_new ("publish_event");
    stele_client_on_receipt (client, s_on_receipt, NULL);

    stele_event_t *event = stele_event_new ("task.created");
    stele_event_set_string (event, "title", "Say hello");
    stele_event_set_string (event, "description", "Three events and a number");
    stele_event_set_string (event, "role", "example");
    stele_event_set_json (event, "metadata", "{\"made by\":\"publish_event\"}");
    s_publish (client, event, task);

    event = stele_event_new ("task.state_changed");
    stele_event_set_string (event, "state", "running");
    s_publish (client, event, task);

    event = stele_event_new ("task.metric_recorded");
    stele_event_set_string (event, "name", "greetings");
    stele_event_set_integer (event, "value", 1);
    s_publish (client, event, task);

    event = stele_event_new ("task.state_changed");
    stele_event_set_string (event, "state", "passed");
    int64_t last = s_publish (client, event, task);

    //  Nothing above has waited for the disk; this does
    int rc = last < 0? (int) last: stele_client_wait (client, last, TIMEOUT_MS);
    if (rc)
        fprintf (stderr, "publish_event: %s: %s\n", stele_error_name (rc), stele_client_error (client));
    //  A good end: without it, the next run takes this one for dead
    stele_client_close (client, false, TIMEOUT_MS);
    stele_client_destroy (&client);
    return rc? EXIT_FAILURE: EXIT_SUCCESS;
}
