/*  sender - the actor behind a client that publishes

    Carries between the application's thread, the dialog (dialog.h), which
    knows what to say, and the broker's socket, which it opens again when
    nothing is heard.

    It talks with the application over two inproc pairs: the actor's pipe takes
    commands, and the pair at 'pair' takes events (one frame each, in the order
    of their numbers) and brings notices (notice.h). With a batch open the
    sender leaves events where they are until the batch is full or due, which
    saves being woken for each: so the application says when it handed over a
    full batch.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_SENDER_H_INCLUDED
#define STELE_SENDER_H_INCLUDED

#include <czmq.h>
#include "client/publish/dialog.h"

/*  Commands, besides $TERM: a full batch was handed over; send without
    waiting for a full batch.                                                */
#define STELE_SENDER_BATCH "BATCH"
#define STELE_SENDER_FLUSH "FLUSH"

typedef struct {
    const char *endpoint;           // Of the broker
    const char *pair;               // inproc, bound by the application's side
    stele_dialog_settings_t dialog;
} stele_sender_settings_t;

/*  For zactor_new; args are stele_sender_settings_t, copied before it returns. */
void
    stele_sender (zsock_t *pipe, void *args);

#endif
