/*  key - the key of a client: its CURVE pair, and the public key of the broker

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_KEY_H_INCLUDED
#define STELE_KEY_H_INCLUDED

#include "model/refusal.h"

typedef struct stele_key stele_key_t;

/*  Read a file that 'stele key new' made: public-key, secret-key, server-key, and a name. A key does not
    change, and several threads may use it. Caller owns return value. NULL with a refusal: STELE_EIO,
    STELE_EINVALID_FIELD or STELE_EUNAUTHORIZED (wire/key_file.h).           */
stele_key_t *
    stele_key_load (const char *path, stele_refusal_t *refusal);

/*  Wipes the secret key.                                                    */
void
    stele_key_destroy (stele_key_t **self_p);

/*  The path of its file, and its name ("" if the file has none). Owned by the key. */
const char *
    stele_key_path (const stele_key_t *self);
const char *
    stele_key_name (const stele_key_t *self);

/*  Does a connection to that endpoint use a key? Only tcp does: an ipc socket is protected by its mode. */
bool
    stele_key_counts_at (const char *endpoint);

/*  Set the key for connections of a libzmq socket that are made after this call. */
void
    stele_key_apply (const stele_key_t *self, void *socket);

#endif
