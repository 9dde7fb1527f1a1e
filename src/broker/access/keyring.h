/*  keyring - the keys of a folder, as they were when it was read

    The folder (setting keys) has a file NAME.key for each client, in the form of czmq's certificates, and the
    broker's own pair, server.key_secret. Records of revoked keys, NAME.revoked-TIME, only serve to name who is refused.
    A keyring never changes.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_KEYRING_H_INCLUDED
#define STELE_KEYRING_H_INCLUDED

#include "broker/access/identity.h"
#include "model/refusal.h"

typedef struct stele_keyring stele_keyring_t;

/*  Read a folder. NULL with STELE_EINVALID_FIELD and the refusal, which names the file, and the mode that
    a file or the folder must have. Caller owns return value.                */
stele_keyring_t *
    stele_keyring_load (const char *folder, stele_refusal_t *refusal);
void
    stele_keyring_destroy (stele_keyring_t **self_p);

/*  The identity of the client with that public key (Z85), NULL if there is none. Both are owned by the keyring;
    the second has the same name and no role, and is that of a key whose record of revocation is in the folder, too. */
const stele_identity_t *
    stele_keyring_find (const stele_keyring_t *self, const char *public_key);
const stele_identity_t *
    stele_keyring_revoked (const stele_keyring_t *self, const char *public_key);

/*  The broker's own secret key (Z85).                                       */
const char *
    stele_keyring_secret (const stele_keyring_t *self);

size_t
    stele_keyring_size (const stele_keyring_t *self);

/*  Call fn for each key that was added, revoked or changed between two keyrings; 'what' is one of these words. */
typedef void (stele_keyring_fn) (const char *what, const char *name, void *arg);
void
    stele_keyring_compare (const stele_keyring_t *self, const stele_keyring_t *fresh, stele_keyring_fn *fn, void *arg);

/*  May both do the same, until the same time?                               */
bool
    stele_identity_is_same (const stele_identity_t *self, const stele_identity_t *other);

/*  The identity that the text of a key file describes, for tests of the reader: 0, or the code in the refusal. */
int
    stele_keyring_read (const char *path, const char *text, size_t size, stele_refusal_t *refusal);

#endif
