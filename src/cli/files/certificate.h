/*  certificate - the certificate of an HTTPS server and its private key, read from two files of PEM

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLI_CERTIFICATE_H_INCLUDED
#define STELE_CLI_CERTIFICATE_H_INCLUDED

#include <stdint.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include "model/refusal.h"

typedef struct {
    X509 *leaf;
    STACK_OF (X509) *chain;         // What follows the leaf in its file
    EVP_PKEY *key;
    int64_t not_after_us;           // Of the leaf: wall clock
} cli_certificate_t;

/*  Read a certificate, with its chain after it, and the private key, and check that they belong together, are valid now, and that
    only the owner and the group of its file may read the key. Returns 0, or a code with the refusal. Caller owns the members
    (cli_certificate_clear).                                                 */
int
    cli_certificate_load (cli_certificate_t *self, const char *certificate_path, const char *key_path,
        stele_refusal_t *refusal);
void
    cli_certificate_clear (cli_certificate_t *self);

#endif
