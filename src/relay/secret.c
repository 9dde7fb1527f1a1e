/*  secret - the secrets that sign webhooks, and files of headers

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/memory.h"
#include "relay/secret.h"
#include "wire/base64.h"

#define PREFIX "whsec_"
#define PREFIX_SIZE (sizeof PREFIX - 1)
#define BYTES_MIN 24                // Of a secret (Standard Webhooks)
#define BYTES_MADE 32
#define FILE_MAX 16384

//  Read a small file that only its owner and group may read. Caller wipes and frees return value; NULL with a refusal.
static char *
s_read_file (const char *what, const char *path, stele_refusal_t *refusal)
{
    struct stat status;
    char *text = NULL;
    //  Without waiting for the other end of a pipe
    int fd = open (path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || fstat (fd, &status) != 0)
        stele_refuse (refusal, STELE_EIO, what, "cannot read the file of %s '%.200s': %s", what, path, strerror (errno));
    else
    if (status.st_mode & 027)
        stele_refuse (refusal, STELE_EUNAUTHORIZED, what, "others may read or change the file of %s '%.200s' (mode %03o): chmod 640 or "
            "600 it", what, path, (unsigned) status.st_mode & 0777);
    else
    if (!S_ISREG (status.st_mode) || status.st_size >= FILE_MAX)
        stele_refuse (refusal, STELE_EINVALID_FIELD, what, "'%.200s' is not a file of %s: it is not a regular file, or has %d bytes or "
            "more", path, what, FILE_MAX);
    else {
        text = stele_memory_new (FILE_MAX);
        ssize_t size = read (fd, text, FILE_MAX - 1);
        if (size < 0 || strlen (text) != (size_t) size) {
            stele_refuse (refusal, STELE_EINVALID_FIELD, what, "'%.200s' is not a file of %s: it is not text", path, what);
            free (text);
            text = NULL;
        }
    }
    if (fd >= 0)
        close (fd);
    return text;
}

static void
s_wipe (char *text)
{
    explicit_bzero (text, FILE_MAX);
    free (text);
}

static bool
s_take_secret (relay_secrets_t *self, const char *line)
{
    unsigned char bytes [128];
    size_t size = strlen (line);
    if (self->count == RELAY_SECRETS_MAX || strncmp (line, PREFIX, PREFIX_SIZE) != 0 || size - PREFIX_SIZE > sizeof bytes)
        return false;
    ptrdiff_t got = stele_base64_decode (line + PREFIX_SIZE, size - PREFIX_SIZE, bytes);
    bool fine = got >= BYTES_MIN && got <= RELAY_SECRET_BYTES;
    if (fine) {
        memcpy (self->keys [self->count], bytes, (size_t) got);
        self->sizes [self->count++] = (size_t) got;
    }
    explicit_bzero (bytes, sizeof bytes);
    return fine;
}

//  The next line that is neither empty nor a comment, without its end; *number counts all lines. NULL: there is none.
static char *
s_next_line (char **rest_p, int *number)
{
    for (char *line = *rest_p; line; line = *rest_p) {
        *rest_p = strchr (line, '\n');
        if (*rest_p)
            *(*rest_p)++ = 0;
        line [strcspn (line, "\r")] = 0;
        ++*number;
        if (*line && *line != '#')
            return line;
    }
    return NULL;
}

int
relay_secrets_load (relay_secrets_t *self, const char *path, stele_refusal_t *refusal)
{
    char *text = s_read_file ("secrets", path, refusal), *rest = text, *line;
    if (!text)
        return refusal->code;
    int rc = 0, number = 0;
    while (rc == 0 && (line = s_next_line (&rest, &number))) {
        if (!s_take_secret (self, line))
            rc = stele_refuse (refusal, STELE_EINVALID_FIELD, "secret", "'%.200s' line %d is not a secret: write at most %d lines, each "
                "whsec_ and the base64 of %d to %d bytes; 'stele-relay secret' prints one", path, number, RELAY_SECRETS_MAX, BYTES_MIN,
                RELAY_SECRET_BYTES);
    }
    s_wipe (text);
    if (rc == 0 && self->count == 0)
        rc = stele_refuse (refusal, STELE_EINVALID_FIELD, "secret", "'%.200s' has no secret; 'stele-relay secret' prints one", path);
    return rc;
}

void
relay_secrets_sign (const relay_secrets_t *self, const char *id, int64_t timestamp_s, const char *body, size_t size,
    char text [RELAY_SIGNATURE_SIZE])
{
    char head [320];
    int head_size = snprintf (head, sizeof head, "%s.%" PRId64 ".", id, timestamp_s);
    assert (head_size > 0 && (size_t) head_size < sizeof head);
    char *end = text;
    for (size_t i = 0; i < self->count; i++) {
        unsigned char mac [32];
        size_t mac_size = sizeof mac;
        EVP_PKEY *key = EVP_PKEY_new_raw_private_key (EVP_PKEY_HMAC, NULL, self->keys [i], self->sizes [i]);
        EVP_MD_CTX *context = EVP_MD_CTX_new ();
        int rc = key && context && EVP_DigestSignInit (context, NULL, EVP_sha256 (), NULL, key) == 1
            && EVP_DigestSignUpdate (context, head, (size_t) head_size) == 1 && EVP_DigestSignUpdate (context, body, size) == 1
            && EVP_DigestSignFinal (context, mac, &mac_size) == 1;
        assert (rc && mac_size == sizeof mac);
        EVP_MD_CTX_free (context);
        EVP_PKEY_free (key);
        if (i > 0)
            *end++ = ' ';
        memcpy (end, "v1,", 3);
        end += 3 + stele_base64_encode (mac, sizeof mac, end + 3);
    }
    *end = 0;
}

void
relay_secrets_clear (relay_secrets_t *self)
{
    explicit_bzero (self, sizeof *self);
}

void
relay_secret_make (FILE *file)
{
    unsigned char bytes [BYTES_MADE];
    char text [STELE_BASE64_SIZE (BYTES_MADE)];
    ssize_t got = getrandom (bytes, sizeof bytes, 0);
    assert (got == sizeof bytes);   // Up to 256 bytes are never cut
    fprintf (file, PREFIX "%.*s\n", (int) stele_base64_encode (bytes, sizeof bytes, text), text);
    explicit_bzero (bytes, sizeof bytes);
    explicit_bzero (text, sizeof text);
}

//  A name of RFC 9110, a colon, a value without control characters
static bool
s_is_header (const char *line)
{
    size_t name = strspn (line, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~");
    if (name == 0 || line [name] != ':' || !line [name + 1 + strspn (line + name + 1, " \t")])
        return false;
    for (const char *at = line + name; *at; at++)
        if (*(const unsigned char *) at < 32 && *at != '\t')
            return false;
    return true;
}

int
relay_headers_load (struct curl_slist **headers, const char *path, stele_refusal_t *refusal)
{
    char *text = s_read_file ("headers", path, refusal), *rest = text, *line;
    if (!text)
        return refusal->code;
    int rc = 0, number = 0;
    while (rc == 0 && (line = s_next_line (&rest, &number))) {
        if (s_is_header (line))
            *headers = curl_slist_append (*headers, line);
        else
            rc = stele_refuse (refusal, STELE_EINVALID_FIELD, "headers", "'%.200s' line %d is not a header: write Name: value", path,
                number);
    }
    s_wipe (text);
    return rc;
}
