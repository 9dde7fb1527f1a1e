/*  seal_key - a key of Ed25519 with a name, in the text forms of C2SP signed-note

    The secret key is one line, "PRIVATE+KEY+NAME+HASH+" and base64 of a byte 1 and the seed (32 bytes); the public one is
    "NAME+HASH+" and base64 of a byte 1 and the public key (32 bytes). HASH is 8 hex digits: the first four bytes of the
    SHA-256 of the name, a line feed, a byte 1 and the public key.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_SEAL_KEY_H_INCLUDED
#define STELE_SEAL_KEY_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include "model/refusal.h"

#define STELE_SEAL_NAME_MAX 64
#define STELE_SEAL_KEY_TEXT 192     // Bytes of each form, with its NUL
#define STELE_SEAL_SIGNATURE 68     // The hash, and 64 bytes of Ed25519

typedef struct stele_seal_key stele_seal_key_t;

/*  May a key have this name? 1 to STELE_SEAL_NAME_MAX letters, digits and . _ - / */
bool
    stele_seal_key_name_is_valid (const char *name);

/*  Make a new pair. Caller owns return value.                               */
stele_seal_key_t *
    stele_seal_key_new (const char *name);

/*  Read either form from its text (white space after it is ignored), or from a file. A file with a secret key that others
    than its owner and group may read is refused. Caller owns return value. NULL: a refusal, STELE_EINVALID_FIELD. */
stele_seal_key_t *
    stele_seal_key_parse (const char *text, size_t size, stele_refusal_t *refusal);
stele_seal_key_t *
    stele_seal_key_load (const char *path, stele_refusal_t *refusal);

void
    stele_seal_key_destroy (stele_seal_key_t **self_p);

/*  Its name, owned by the key; and whether it can sign.                     */
const char *
    stele_seal_key_name (const stele_seal_key_t *self);
bool
    stele_seal_key_is_secret (const stele_seal_key_t *self);

/*  The forms as text, without a line feed.                                  */
void
    stele_seal_key_public (const stele_seal_key_t *self, char text [STELE_SEAL_KEY_TEXT]);
void
    stele_seal_key_secret (const stele_seal_key_t *self, char text [STELE_SEAL_KEY_TEXT]);

/*  Sign text with a secret key.                                             */
void
    stele_seal_key_sign (const stele_seal_key_t *self, const char *text, size_t size,
        unsigned char signature [STELE_SEAL_SIGNATURE]);

/*  Is that a signature of the text by this key?                             */
bool
    stele_seal_key_verify (const stele_seal_key_t *self, const char *text, size_t size,
        const unsigned char signature [STELE_SEAL_SIGNATURE]);

#endif
