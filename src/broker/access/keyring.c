/*  keyring - read the keys of a folder

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "broker/access/keyring.h"

stele_keyring_t *
stele_keyring_load (const char *folder, stele_refusal_t *refusal)
{
    stele_refuse (refusal, STELE_EINVALID_FIELD, "keys", "keys: cannot read '%s' yet", folder);
    return NULL;
}

void
stele_keyring_destroy (stele_keyring_t **self_p)
{
    *self_p = NULL;
}

const stele_identity_t *
stele_keyring_by_name (const stele_keyring_t *self, const char *name)
{
    (void) self;
    (void) name;
    return NULL;
}

const stele_identity_t *
stele_keyring_by_key (const stele_keyring_t *self, const uint8_t *key)
{
    (void) self;
    (void) key;
    return NULL;
}
