/*  follow_changes - print every change of a task's state as it is committed

        ./follow_changes [AFTER [COUNT]]

    AFTER is the position to start after: 0 for the whole ledger, -1 (the default)
    for new events only. COUNT is the number of changes to print before it ends.
    The broker's addresses come from STELE_FEED and STELE_REQUESTS: events that were
    committed before, or lost by the feed, the client fetches by a request.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <czmq.h>
#include <stele.h>

#define WAIT_MS 500                     // Between checks for Ctrl-C

//  Print a text without control characters, since any producer may have written it
static void
s_put (const char *text)
{
    for (; text && *text; text++)
        putchar ((unsigned char) *text < 32 || *text == 127? '?': *text);
}

static void
s_print (const stele_event_t *event)
{
    time_t seconds = (time_t) (stele_event_integer (event, "time", 0) / 1000000);
    char clock [32];
    strftime (clock, sizeof clock, "%Y-%m-%d %H:%M:%S", gmtime (&seconds));
    const char *error = stele_event_string (event, "error_message", NULL);
    printf ("%6" PRId64 "  %s  %-10s ", stele_event_position (event), clock, stele_event_string (event, "state", NULL));
    s_put (stele_event_string (event, "task_id", NULL));
    s_put (error? ": ": "");
    s_put (error);
    putchar ('\n');
    fflush (stdout);
}

int
main (int argc, char **argv)
{
    int64_t after = argc > 1? strtoll (argv [1], NULL, 10): -1;
    int64_t count = argc > 2? strtoll (argv [2], NULL, 10): INT64_MAX;

    stele_client_t *client = stele_client_new (NULL);   // Publishes nothing

    int rc = stele_client_follow (client, "task.state_changed/", after);
    while (rc == 0 && count > 0 && !zsys_interrupted) {
        stele_event_t *event;
        rc = stele_client_next (client, WAIT_MS, &event);
        if (rc == 0) {
            s_print (event);
            stele_event_destroy (&event);
            count--;
        }
        else
        if (rc == STELE_ETIMEOUT)
            rc = 0;                     // Nothing new: keep waiting
    }
    if (rc)
        fprintf (stderr, "follow_changes: %s: %s\n", stele_error_name (rc),
            stele_client_error (client));
    stele_client_destroy (&client);
    return rc? EXIT_FAILURE: EXIT_SUCCESS;
}
