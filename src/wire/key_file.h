/*  key_file - read a key file: the form of czmq's certificates

        metadata
            name = "alice"
        curve
            public-key = "40 characters"
            secret-key = "40 characters"

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_KEY_FILE_H_INCLUDED
#define STELE_KEY_FILE_H_INCLUDED

#include <stddef.h>
#include <sys/types.h>
#include "model/refusal.h"

/*  A CURVE key as text (Z85), with its NUL.                                 */
#define STELE_KEY_TEXT 41

typedef struct stele_key_file stele_key_file_t;

/*  Read the file at 'path'. NULL with a refusal that names it: STELE_EIO (it cannot be read),
    STELE_EINVALID_FIELD (it is not a key file, has more than 64 KiB, or a name twice), or
    STELE_EUNAUTHORIZED (it holds a secret key, and other users may read or change it).
    Caller owns return value.                                                */
stele_key_file_t *
    stele_key_file_load (const char *path, stele_refusal_t *refusal);

/*  Parse the text of a file. NULL with a refusal, as above.                 */
stele_key_file_t *
    stele_key_file_parse (const char *path, const char *text, size_t size, stele_refusal_t *refusal);

/*  Wipes the keys.                                                          */
void
    stele_key_file_destroy (stele_key_file_t **self_p);

/*  The value of a name, whatever its section; NULL if there is none. Owned by the file. */
const char *
    stele_key_file_get (const stele_key_file_t *self, const char *name);

/*  The name with that number, 0, 1, 2 ...; NULL after the last one. Owned by the file. */
const char *
    stele_key_file_name (const stele_key_file_t *self, size_t index);

/*  The CURVE key with that name; NULL with a refusal if there is none, or it is not one. */
const char *
    stele_key_file_key (const stele_key_file_t *self, const char *name, stele_refusal_t *refusal);

/*  Is that a CURVE key as text?                                             */
bool
    stele_key_is_valid (const char *text);

#endif
