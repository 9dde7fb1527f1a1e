/*  handshake - the outcome of attempts to connect, with a key or without

    What libzmq 4.3.4 reports to a client:

      the broker does not accept the key   FAILED_AUTH; no further attempt
      broker with keys, client without     FAILED_PROTOCOL, mechanism mismatch; no further attempt. If the broker closes
      broker without keys, client with     first, FAILED_NO_DETAIL; libzmq tries again
      the broker has another key           FAILED_NO_DETAIL: it cannot read the hello, and closes. libzmq tries again

    NO_DETAIL is also that of a broker that stops in that moment, or of a tunnel to one that is away. So several in a
    row count, and only if none has succeeded before.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <errno.h>
#include <string.h>
#include <zmq.h>
#include "client/connection/handshake.h"

#define HANDSHAKE_CLOSED_MAX 4      // Within 0.6 s

static void
s_refuse_unknown_key (stele_refusal_t *refusal, const char *endpoint, const stele_key_t *key)
{
    const char *name = stele_key_name (key);
    stele_refuse (refusal, STELE_EUNAUTHORIZED, "key", "the broker at %.120s does not accept the key %.64s%s(%.160s): it is "
        "unknown there, revoked or expired, or lacks the role that this endpoint needs. Ask its operator: 'stele key list' "
        "shows the keys, 'stele key new' or 'stele key add' makes one, 'stele key reload' lets it in", endpoint, name, *name? " ": "",
        stele_key_path (key));
}

static void
s_refuse_mechanism (stele_refusal_t *refusal, const char *endpoint, const stele_key_t *key)
{
    if (key)
        stele_refuse (refusal, STELE_EUNAUTHORIZED, "key", "the broker at %.160s uses no keys, but this client has one "
            "(%.160s), and sends nothing in clear. Connect without it: no --key, STELE_KEY unset; or have the operator "
            "set 'keys' of the broker", endpoint, stele_key_path (key));
    else
        stele_refuse (refusal, STELE_EUNAUTHORIZED, "key", "the broker at %.160s needs a key, and this client has none. Ask "
            "its operator for a key file (made with 'stele key new NAME'), and name it with --key FILE, STELE_KEY or "
            "stele_client_set_key", endpoint);
}

static void
s_refuse_server (stele_refusal_t *refusal, const char *endpoint, const stele_key_t *key)
{
    stele_refuse (refusal, STELE_EUNAUTHORIZED, "key", "the broker at %.160s ends every handshake: its key is not the server-key "
        "in %.160s (another broker, or its pair was made again), or it uses no keys. Compare with the file server.pub in "
        "its folder of keys, or ask its operator for a new key file", endpoint, stele_key_path (key));
}

void
stele_handshake_restart (stele_handshake_t *self)
{
    self->closed = 0;
    self->refusal.code = 0;
}

bool
stele_handshake_event (stele_handshake_t *self, uint16_t event, uint32_t value, const char *endpoint,
    const stele_key_t *key)
{
    switch (event) {
        case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
            memset (self, 0, sizeof *self);
            self->succeeded = true;
            return true;
        case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
            if (key)
                s_refuse_unknown_key (&self->refusal, endpoint, key);
            else
                s_refuse_mechanism (&self->refusal, endpoint, NULL);
            break;
        case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
            if (value == ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH)
                s_refuse_mechanism (&self->refusal, endpoint, key);
            else
            if (value == ZMQ_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC && key)
                s_refuse_server (&self->refusal, endpoint, key);
            break;
        case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
            //  Silence (ETIMEDOUT) is not the end of a connection
            if (!self->succeeded && value != ETIMEDOUT && ++self->closed >= HANDSHAKE_CLOSED_MAX && key)
                s_refuse_server (&self->refusal, endpoint, key);
            break;
        default:
            break;
    }
    return false;
}
