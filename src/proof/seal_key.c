/*  seal_key - a key of Ed25519 with a name, in the text forms of C2SP signed-note

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file.h"
#include "base/memory.h"
#include "proof/seal_key.h"
#include "wire/base64.h"

#define SECRET_START "PRIVATE+KEY+"
#define ALGORITHM 1                 // Ed25519
#define RAW_BYTES 32
#define HASH_BYTES 4
#define HASH_DIGITS (2 * HASH_BYTES)
#define RAW_TEXT STELE_BASE64_SIZE (1 + RAW_BYTES)

struct stele_seal_key {
    char name [STELE_SEAL_NAME_MAX + 1];
    unsigned char hash [HASH_BYTES];
    EVP_PKEY *pair;
    bool secret;
};

bool
stele_seal_key_name_is_valid (const char *name)
{
    static const char characters [] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/";
    size_t size = strlen (name);
    return size > 0 && size <= STELE_SEAL_NAME_MAX && strspn (name, characters) == size;
}

static void
s_raw_public (const stele_seal_key_t *self, unsigned char raw [1 + RAW_BYTES])
{
    size_t size = RAW_BYTES;
    raw [0] = ALGORITHM;
    int done = EVP_PKEY_get_raw_public_key (self->pair, raw + 1, &size);
    assert (done == 1 && size == RAW_BYTES);
}

//  Takes ownership of the pair
static stele_seal_key_t *
s_new (const char *name, size_t size, EVP_PKEY *pair, bool secret)
{
    stele_seal_key_t *self = STELE_NEW (stele_seal_key_t);
    unsigned char text [STELE_SEAL_NAME_MAX + 2 + RAW_BYTES], sha256 [EVP_MAX_MD_SIZE];
    memcpy (self->name, name, size);
    self->pair = pair;
    self->secret = secret;
    memcpy (text, name, size);
    text [size] = '\n';
    s_raw_public (self, text + size + 1);
    int done = EVP_Digest (text, size + 2 + RAW_BYTES, sha256, NULL, EVP_sha256 (), NULL);
    assert (done == 1);
    memcpy (self->hash, sha256, HASH_BYTES);
    return self;
}

stele_seal_key_t *
stele_seal_key_new (const char *name)
{
    assert (stele_seal_key_name_is_valid (name));
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_id (EVP_PKEY_ED25519, NULL);
    EVP_PKEY *pair = NULL;
    int done = context && EVP_PKEY_keygen_init (context) == 1 && EVP_PKEY_keygen (context, &pair) == 1;
    assert (done);
    EVP_PKEY_CTX_free (context);
    return s_new (name, strlen (name), pair, true);
}

void
stele_seal_key_destroy (stele_seal_key_t **self_p)
{
    stele_seal_key_t *self = *self_p;
    if (!self)
        return;
    EVP_PKEY_free (self->pair);
    free (self);
    *self_p = NULL;
}

const char *
stele_seal_key_name (const stele_seal_key_t *self)
{
    return self->name;
}

bool
stele_seal_key_is_secret (const stele_seal_key_t *self)
{
    return self->secret;
}

//  -- text ----------------------------------------------------------------------------

static void
s_print (const stele_seal_key_t *self, const char *start, const unsigned char raw [1 + RAW_BYTES],
    char text [STELE_SEAL_KEY_TEXT])
{
    char base64 [RAW_TEXT];
    stele_base64_encode (raw, 1 + RAW_BYTES, base64);
    snprintf (text, STELE_SEAL_KEY_TEXT, "%s%s+%02x%02x%02x%02x+%.*s", start, self->name, self->hash [0], self->hash [1],
        self->hash [2], self->hash [3], (int) sizeof base64, base64);
    OPENSSL_cleanse (base64, sizeof base64);
}

void
stele_seal_key_public (const stele_seal_key_t *self, char text [STELE_SEAL_KEY_TEXT])
{
    unsigned char raw [1 + RAW_BYTES];
    s_raw_public (self, raw);
    s_print (self, "", raw, text);
}

void
stele_seal_key_secret (const stele_seal_key_t *self, char text [STELE_SEAL_KEY_TEXT])
{
    unsigned char raw [1 + RAW_BYTES] = { ALGORITHM };
    size_t size = RAW_BYTES;
    int done = EVP_PKEY_get_raw_private_key (self->pair, raw + 1, &size);
    assert (done == 1 && size == RAW_BYTES);
    s_print (self, SECRET_START, raw, text);
    OPENSSL_cleanse (raw, sizeof raw);
}

//  The parts NAME+HASH+BASE64; false: they have another form
static bool
s_split (const char *text, size_t size, char name [STELE_SEAL_NAME_MAX + 1], const char **hash,
    unsigned char raw [1 + RAW_BYTES])
{
    size_t tail = 1 + HASH_DIGITS + 1 + RAW_TEXT;
    if (size <= tail || size - tail > STELE_SEAL_NAME_MAX)
        return false;
    memcpy (name, text, size - tail);
    name [size - tail] = '\0';
    const char *rest = text + size - tail;
    unsigned char bytes [RAW_TEXT];
    *hash = rest + 1;
    bool split = rest [0] == '+' && rest [1 + HASH_DIGITS] == '+' && stele_seal_key_name_is_valid (name)
        && stele_base64_decode (rest + 2 + HASH_DIGITS, RAW_TEXT, bytes) == 1 + RAW_BYTES && bytes [0] == ALGORITHM;
    memcpy (raw, bytes, 1 + RAW_BYTES);
    OPENSSL_cleanse (bytes, sizeof bytes);
    return split;
}

stele_seal_key_t *
stele_seal_key_parse (const char *text, size_t size, stele_refusal_t *refusal)
{
    char name [STELE_SEAL_NAME_MAX + 1], expected [STELE_SEAL_KEY_TEXT];
    unsigned char raw [1 + RAW_BYTES];
    const char *hash;
    while (size && strchr (" \t\r\n", text [size - 1]))
        size--;
    size_t start = strlen (SECRET_START);
    bool secret = size > start && memcmp (text, SECRET_START, start) == 0;
    if (secret) {
        text += start;
        size -= start;
    }
    EVP_PKEY *pair = !s_split (text, size, name, &hash, raw)? NULL:
        secret? EVP_PKEY_new_raw_private_key (EVP_PKEY_ED25519, NULL, raw + 1, RAW_BYTES):
        EVP_PKEY_new_raw_public_key (EVP_PKEY_ED25519, NULL, raw + 1, RAW_BYTES);
    OPENSSL_cleanse (raw, sizeof raw);
    stele_seal_key_t *self = pair? s_new (name, strlen (name), pair, secret): NULL;
    if (self) {
        stele_seal_key_public (self, expected);
        if (strncmp (expected + strlen (name) + 1, hash, HASH_DIGITS) != 0)
            stele_seal_key_destroy (&self);
    }
    if (!self)
        stele_refuse (refusal, STELE_EINVALID_FIELD, "key", "is no key for seals; 'stele key new NAME --sign' makes one, "
            "and its form is NAME+HASH+BASE64");
    return self;
}

stele_seal_key_t *
stele_seal_key_load (const char *path, stele_refusal_t *refusal)
{
    char text [2 * STELE_SEAL_KEY_TEXT];
    struct stat status;
    stele_refusal_t why;
    int fd = stele_file_open (path, O_RDONLY | O_NONBLOCK, 0);
    ssize_t size = fd < 0 || fstat (fd, &status)? -1: read (fd, text, sizeof text);
    int error = errno;
    if (fd >= 0)
        close (fd);
    if (size < 0) {
        stele_refuse (refusal, STELE_EINVALID_FIELD, "key", "cannot read the key '%.300s': %s", path, strerror (error));
        return NULL;
    }
    stele_seal_key_t *self = stele_seal_key_parse (text, (size_t) size, &why);
    OPENSSL_cleanse (text, sizeof text);
    if (!self)
        stele_refuse (refusal, why.code, "key", "'%.300s' %s", path, why.message);
    else
    if (self->secret && (status.st_mode & S_IRWXO)) {
        stele_refuse (refusal, STELE_EINVALID_FIELD, "key", "other users may use the secret key '%.300s', whose mode is %03o: "
            "chmod o-rwx it", path, (unsigned) status.st_mode & 0777);
        stele_seal_key_destroy (&self);
    }
    return self;
}

//  -- signatures ------------------------------------------------------------------------

void
stele_seal_key_sign (const stele_seal_key_t *self, const char *text, size_t size,
    unsigned char signature [STELE_SEAL_SIGNATURE])
{
    EVP_MD_CTX *context = EVP_MD_CTX_new ();
    size_t length = STELE_SEAL_SIGNATURE - HASH_BYTES;
    int done = context && EVP_DigestSignInit (context, NULL, NULL, NULL, self->pair) == 1
        && EVP_DigestSign (context, signature + HASH_BYTES, &length, (const unsigned char *) text, size) == 1;
    assert (done && self->secret);
    EVP_MD_CTX_free (context);
    memcpy (signature, self->hash, HASH_BYTES);
}

bool
stele_seal_key_verify (const stele_seal_key_t *self, const char *text, size_t size,
    const unsigned char signature [STELE_SEAL_SIGNATURE])
{
    if (memcmp (signature, self->hash, HASH_BYTES) != 0)
        return false;
    EVP_MD_CTX *context = EVP_MD_CTX_new ();
    assert (context);
    bool valid = EVP_DigestVerifyInit (context, NULL, NULL, NULL, self->pair) == 1
        && EVP_DigestVerify (context, signature + HASH_BYTES, STELE_SEAL_SIGNATURE - HASH_BYTES,
            (const unsigned char *) text, size) == 1;
    EVP_MD_CTX_free (context);
    return valid;
}
