/*  secret - the secrets that sign webhooks, and files of headers

    A file of secrets has one per line, in the form of Standard Webhooks: "whsec_" and the base64 of 24 to 64 bytes. With
    several, a webhook has one signature for each, so that a receiver can change its secret without a gap.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_RELAY_SECRET_H_INCLUDED
#define STELE_RELAY_SECRET_H_INCLUDED

#include <stdint.h>
#include <stdio.h>
#include <curl/curl.h>
#include "model/refusal.h"

#define RELAY_SECRETS_MAX 4
#define RELAY_SECRET_BYTES 64

typedef struct {
    unsigned char keys [RELAY_SECRETS_MAX] [RELAY_SECRET_BYTES];
    size_t sizes [RELAY_SECRETS_MAX];
    size_t count;
} relay_secrets_t;

/*  "v1," and 44 characters for each secret, separated by spaces             */
#define RELAY_SIGNATURE_SIZE (RELAY_SECRETS_MAX * 48)

/*  Read the file. Returns 0, or a code with a refusal, which names the file and the line, never what it holds: STELE_EIO,
    STELE_EINVALID_FIELD, STELE_EUNAUTHORIZED (other users may read or change it). */
int
    relay_secrets_load (relay_secrets_t *self, const char *path, stele_refusal_t *refusal);

/*  Print the signatures of id.timestamp.body, HMAC-SHA256 with each secret.  */
void
    relay_secrets_sign (const relay_secrets_t *self, const char *id, int64_t timestamp_s, const char *body, size_t size,
        char text [RELAY_SIGNATURE_SIZE]);

/*  Wipe them.                                                               */
void
    relay_secrets_clear (relay_secrets_t *self);

/*  Print a new random secret and a newline.                                 */
void
    relay_secret_make (FILE *file);

/*  Read a file of lines "Name: value". Returns as above. Caller owns *headers, and frees it with curl_slist_free_all. */
int
    relay_headers_load (struct curl_slist **headers, const char *path, stele_refusal_t *refusal);

#endif
