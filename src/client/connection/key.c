/*  key - the key of a client: its CURVE pair, and the public key of the broker

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>
#include "base/memory.h"
#include "client/connection/key.h"
#include "wire/key_file.h"

struct stele_key {
    char *path;
    stele_key_file_t *file;
    const char *public_key, *secret_key, *server_key;   // Of the file
};

//  The public key follows from the secret one: a file with another has been edited
static bool
s_is_pair (const stele_key_t *self, stele_refusal_t *refusal)
{
    char public_key [STELE_KEY_TEXT];
    if (zmq_curve_public (public_key, self->secret_key) == 0 && strcmp (public_key, self->public_key) == 0)
        return true;
    stele_refuse (refusal, STELE_EINVALID_FIELD, "key", "the public-key in the key file '%.200s' is not that of its "
        "secret-key: copy the file again", self->path);
    return false;
}

static bool
s_take_keys (stele_key_t *self, stele_refusal_t *refusal)
{
    self->public_key = stele_key_file_key (self->file, "public-key", refusal);
    if (!self->public_key)
        return false;
    if (!stele_key_file_get (self->file, "secret-key")) {
        stele_refuse (refusal, STELE_EINVALID_FIELD, "key", "the key file '%.200s' has no secret-key: it is the broker's "
            "part of a key; a client uses NAME.key_secret", self->path);
        return false;
    }
    self->secret_key = stele_key_file_key (self->file, "secret-key", refusal);
    if (!self->secret_key || !s_is_pair (self, refusal))
        return false;
    if (!stele_key_file_get (self->file, "server-key")) {
        stele_refuse (refusal, STELE_EINVALID_FIELD, "key", "the key file '%.200s' has no server-key, the public key of the "
            "broker: add server-key = \"...\" under metadata, from the file server.pub in the broker's folder of keys",
            self->path);
        return false;
    }
    self->server_key = stele_key_file_key (self->file, "server-key", refusal);
    return self->server_key != NULL;
}

stele_key_t *
stele_key_load (const char *path, stele_refusal_t *refusal)
{
    if (!zmq_has ("curve")) {
        stele_refuse (refusal, STELE_EINVALID_FIELD, "key", "this libzmq was built without CURVE: keys cannot be used");
        return NULL;
    }
    stele_key_t *self = STELE_NEW (stele_key_t);
    self->path = stele_memory_copy (path, strlen (path));
    self->file = stele_key_file_load (path, refusal);
    if (!self->file || !s_take_keys (self, refusal))
        stele_key_destroy (&self);
    return self;
}

void
stele_key_destroy (stele_key_t **self_p)
{
    stele_key_t *self = *self_p;
    if (!self)
        return;
    stele_key_file_destroy (&self->file);
    free (self->path);
    free (self);
    *self_p = NULL;
}

const char *
stele_key_path (const stele_key_t *self)
{
    return self->path;
}

const char *
stele_key_name (const stele_key_t *self)
{
    const char *name = stele_key_file_get (self->file, "name");
    return name? name: "";
}

bool
stele_key_counts_at (const char *endpoint)
{
    return strncmp (endpoint, "tcp:", 4) == 0;
}

void
stele_key_apply (const stele_key_t *self, void *socket)
{
    int rc = zmq_setsockopt (socket, ZMQ_CURVE_SERVERKEY, self->server_key, STELE_KEY_TEXT);
    assert (rc == 0);
    rc = zmq_setsockopt (socket, ZMQ_CURVE_PUBLICKEY, self->public_key, STELE_KEY_TEXT);
    assert (rc == 0);
    rc = zmq_setsockopt (socket, ZMQ_CURVE_SECRETKEY, self->secret_key, STELE_KEY_TEXT);
    assert (rc == 0);
}
