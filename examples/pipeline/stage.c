/*  stage - a stage of a pipeline in C: work on each created task, and publish the outcome durably

        ./stage PIPELINE-OUT [COUNT]        ends after COUNT tasks; the broker's address for
                                            events comes from STELE_EVENTS

    One zloop serves both sides: committed events arrive on a PULL socket (the pipeline of the
    broker), outcomes are published with acks, and neither waits for the other.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <czmq.h>
#include <stele.h>

#define TIMEOUT_MS 5000

typedef struct {
    stele_client_t *client;
    int64_t left;                   // Tasks to work on; -1: no end
    int rc;                         // 0, or the code of the failure
} stage_t;

static void
s_on_receipt (const stele_receipt_t *receipt, void *arg)
{
    (void) arg;
    if (receipt->fate == STELE_REFUSED)
        fprintf (stderr, "stage: outcome %" PRId64 " was refused: %s\n", receipt->number, receipt->message);
}

//  Publish a change of state. Returns 0 or a code.
static int
s_publish_state (stage_t *self, const char *task, const char *state)
{
    stele_event_t *event = stele_event_new ("task.state_changed");
    stele_event_set_string (event, "task_id", task);
    stele_event_set_string (event, "state", state);
    int64_t number = stele_client_publish (self->client, &event, TIMEOUT_MS);
    stele_event_destroy (&event);       // NULL already, unless it was not accepted
    return number < 0? (int) number: 0;
}

//  An event of the pipeline. Returns -1 to end the loop.
static int
s_on_event (zloop_t *loop, zsock_t *inlet, void *arg)
{
    (void) loop;
    stage_t *self = (stage_t *) arg;
    zframe_t *frame = zframe_recv (inlet);
    if (!frame)
        return -1;
    stele_event_t *event = stele_event_decode (zframe_data (frame), zframe_size (frame), NULL, 0);
    zframe_destroy (&frame);
    const char *task = event? stele_event_string (event, "task_id", NULL): NULL;
    //  The pipeline carries every event, also those of this program
    if (task && streq (stele_event_type (event), "task.created")) {
        self->rc = s_publish_state (self, task, "running");
        //  ... the work ...
        if (self->rc == 0)
            self->rc = s_publish_state (self, task, "passed");
        if (self->left > 0)
            self->left--;
    }
    stele_event_destroy (&event);
    return self->rc || self->left == 0? -1: 0;
}

//  Acks or refusals have arrived
static int
s_on_acks (zloop_t *loop, zsock_t *socket, void *arg)
{
    (void) loop;
    (void) socket;
    stage_t *self = (stage_t *) arg;
    int64_t unacked = stele_client_poll (self->client);
    if (unacked < 0)
        self->rc = (int) unacked;       // Fenced, for example
    return unacked < 0? -1: 0;
}

int
main (int argc, char **argv)
{
    if (argc < 2) {
        fprintf (stderr, "usage: stage PIPELINE-OUT [COUNT]\n");
        return EXIT_FAILURE;
    }
    stage_t self = { .client = stele_client_new ("stage"), .left = argc > 2? atoll (argv [2]): -1 };
    if (getenv ("STELE_EVENTS"))
        stele_client_set_events_endpoint (self.client, getenv ("STELE_EVENTS"));
    stele_client_on_receipt (self.client, s_on_receipt, NULL);

    zsock_t *inlet = zsock_new (ZMQ_PULL);
    bool connected = zsock_connect (inlet, "%s", argv [1]) == 0;
    if (!connected)
        fprintf (stderr, "stage: cannot connect to %s\n", argv [1]);
    zsock_t *acks = stele_client_socket (self.client);
    zloop_t *loop = zloop_new ();
    if (connected && acks) {
        zloop_reader (loop, inlet, s_on_event, &self);
        zloop_reader (loop, acks, s_on_acks, &self);
        zloop_start (loop);             // Ends by Ctrl-C too
    }
    zloop_destroy (&loop);
    zsock_destroy (&inlet);

    //  Every outcome is durable before this program leaves
    int rc = stele_client_close (self.client, false, TIMEOUT_MS);
    if (self.rc == 0)
        self.rc = rc;
    if (self.rc)
        fprintf (stderr, "stage: %s\n", stele_client_error (self.client));
    stele_client_destroy (&self.client);
    return self.rc || !connected || !acks? EXIT_FAILURE: EXIT_SUCCESS;
}
