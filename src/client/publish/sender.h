/*  sender - the actor behind a client that publishes

    Moves data between the application's thread, the dialog (dialog.h), which decides what
    to send, and the socket to the broker, which it opens again after a silence: with a list of endpoints at
    the node that a follower named as the writer, or at the next of the list.

    It communicates with the application over two inproc pairs: the actor's pipe takes
    commands; the pair at 'pair' takes events (one frame each, in the order of their
    numbers) and returns notices (notice.h). While a batch is open, the sender does not poll
    for events until the batch is due, which saves a wakeup per event; so the application
    sends a command when it has handed over a full batch.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_SENDER_H_INCLUDED
#define STELE_SENDER_H_INCLUDED

#include <czmq.h>
#include "client/connection/key.h"
#include "client/publish/dialog.h"

/*  Commands besides $TERM, each of 5 bytes. BATCH: a full batch was handed over. FLUSH: send
    waiting events without waiting for a full batch. LEAVE: send goodbye at the end, after $TERM;
    ASIDE: send goodbye with 'keep' then. Without them a run ends as by a crash.  */
#define STELE_SENDER_BATCH "BATCH"
#define STELE_SENDER_FLUSH "FLUSH"
#define STELE_SENDER_LEAVE "LEAVE"
#define STELE_SENDER_ASIDE "ASIDE"

typedef struct {
    const char *endpoint;           // The broker's, or a list (endpoints.h)
    const stele_key_t *key;         // NULL: none; must outlive the sender
    const char *pair;               // inproc, bound by the publisher
    stele_dialog_settings_t dialog;
} stele_sender_settings_t;

/*  Actor function for zactor_new; args is a stele_sender_settings_t, copied before
    zactor_new returns.                                                      */
void
    stele_sender (zsock_t *pipe, void *args);

#endif
