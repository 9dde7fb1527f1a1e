/*  keyring - the keys of a folder, as they were when it was read

    The folder (setting keys) has one file NAME.key for each client, in the form of czmq's certificates,
    and the broker's own pair, server.key_secret. A keyring never changes.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_KEYRING_H_INCLUDED
#define STELE_KEYRING_H_INCLUDED

#include "broker/access/identity.h"
#include "model/refusal.h"

typedef struct stele_keyring stele_keyring_t;

/*  Read a folder. NULL with the refusal, which names the file, and the mode that a file or the folder must
    have. Caller owns return value.                                          */
stele_keyring_t *
    stele_keyring_load (const char *folder, stele_refusal_t *refusal);
void
    stele_keyring_destroy (stele_keyring_t **self_p);

/*  The identity of the key with that name, or with that public key of 32 bytes; NULL: none. */
const stele_identity_t *
    stele_keyring_by_name (const stele_keyring_t *self, const char *name);
const stele_identity_t *
    stele_keyring_by_key (const stele_keyring_t *self, const uint8_t *key);

#endif
