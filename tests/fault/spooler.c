/*  spooler - a producer with a spool, to be killed: publishes metrics and records which calls returned

        spooler ENDPOINT SPOOL PRODUCER FILE SEED

    The values are 1, 2, 3 ...; FILE gets a line "try V" before the call that publishes V and
    those before it, and "done V" after it. It begins after the last value that FILE has,
    and continues until it is killed.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "stele.h"

#define GROUP_MAX 20

static long
s_last_value (const char *path)
{
    FILE *file = fopen (path, "r");
    char word [8];
    long value, last = 0;
    while (file && fscanf (file, "%7s %ld", word, &value) == 2)
        last = value > last? value: last;
    if (file)
        fclose (file);
    return last;
}

static void
s_note (int handle, const char *word, long value)
{
    char line [40];
    int size = snprintf (line, sizeof line, "%s %ld\n", word, value);
    if (write (handle, line, (size_t) size) != size)
        exit (74);
}

static stele_event_t *
s_metric (const char *producer, long value)
{
    char json [300], error [200];
    snprintf (json, sizeof json, "{\"type\":\"task.metric_recorded\",\"task_id\":\"task-%s\","
        "\"name\":\"n\",\"value\":%ld}", producer, value);
    stele_event_t *event = stele_event_from_json (json, strlen (json), error, sizeof error);
    if (!event)
        exit (70);
    return event;
}

int
main (int argc, char **argv)
{
    if (argc != 6)
        return 64;
    unsigned int seed = (unsigned int) atoi (argv [5]);
    long value = s_last_value (argv [4]);
    int handle = open (argv [4], O_WRONLY | O_CREAT | O_APPEND, 0644);
    stele_client_t *client = stele_client_new (argv [3]);
    stele_client_set_events_endpoint (client, argv [1]);
    stele_client_set_spool (client, argv [2]);
    while (true) {
        stele_event_t *events [GROUP_MAX];
        size_t count = 1 + (size_t) rand_r (&seed) % GROUP_MAX;
        for (size_t i = 0; i < count; i++)
            events [i] = s_metric (argv [3], value + 1 + (long) i);
        s_note (handle, "try", value + (long) count);
        int64_t number = stele_client_publish_all (client, events, count, 0);
        if (number < 0) {
            fprintf (stderr, "spooler: %s\n", stele_client_error (client));
            return 1;
        }
        value += (long) count;
        s_note (handle, "done", value);
        if (rand_r (&seed) % 50 == 0)
            stele_client_flush (client, 20);
    }
}
