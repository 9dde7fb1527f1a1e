/*  greeting - what this server has to know of a broker: its ledger, its limits, and whether it takes requests for others

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_HTTP_GREETING_H_INCLUDED
#define STELE_HTTP_GREETING_H_INCLUDED

#include "http/server.h"

/*  Ask a broker to which a connection was made, perhaps another one than before; 'arg' is an http_server_t. The answers
    set its ledger, message_bytes and no_gateway.                            */
void
    http_greeting_send (void *arg);

/*  Call often: where the broker takes no requests for others, ask again, since its key may have got the role meanwhile. */
void
    http_greeting_tick (http_server_t *self);

#endif
