/*  certificate - the certificate of an HTTPS server and its private key, read from two files of PEM

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <sys/stat.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include "base/clock.h"
#include "cli/files/certificate.h"
#include "wire/time.h"

//  No prompt on the terminal for a password
static int
s_no_password (char *text, int size, int for_writing, void *arg)
{
    (void) text;
    (void) size;
    (void) for_writing;
    *(int *) arg = 1;
    return -1;
}

static const char *
s_reason (void)
{
    const char *reason = ERR_reason_error_string (ERR_peek_last_error ());
    return reason? reason: "unknown reason";
}

static FILE *
s_open (const char *what, const char *path, struct stat *status, stele_refusal_t *refusal)
{
    //  Without waiting for the other end of a pipe
    int fd = open (path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    FILE *file = fd < 0? NULL: fdopen (fd, "r");
    if (!file || fstat (fileno (file), status) != 0 || !S_ISREG (status->st_mode)) {
        stele_refuse (refusal, STELE_EINVALID_FIELD, NULL, "cannot read the %s '%.200s': %s", what, path,
            file && !S_ISREG (status->st_mode)? "it is not a file": strerror (errno));
        if (file)
            fclose (file);
        return NULL;
    }
    return file;
}

static int
s_load_chain (cli_certificate_t *self, const char *path, stele_refusal_t *refusal)
{
    struct stat status;
    int no_password = 0;
    FILE *file = s_open ("certificate", path, &status, refusal);
    if (!file)
        return refusal->code;
    self->leaf = PEM_read_X509 (file, NULL, s_no_password, &no_password);
    self->chain = sk_X509_new_null ();
    X509 *next = NULL;
    while (self->leaf && self->chain && (next = PEM_read_X509 (file, NULL, s_no_password, &no_password)))
        sk_X509_push (self->chain, next);
    unsigned long error = ERR_peek_last_error ();
    fclose (file);
    //  The end of the file is an error for OpenSSL
    if (self->leaf && self->chain && ERR_GET_LIB (error) == ERR_LIB_PEM && ERR_GET_REASON (error) == PEM_R_NO_START_LINE)
        return 0;
    return stele_refuse (refusal, STELE_EINVALID_FIELD, NULL, "'%.200s' is not a certificate in PEM, with its chain after it: %s",
        path, s_reason ());
}

static int
s_load_key (cli_certificate_t *self, const char *path, stele_refusal_t *refusal)
{
    struct stat status;
    int no_password = 0;
    FILE *file = s_open ("private key", path, &status, refusal);
    if (!file)
        return refusal->code;
    if (status.st_mode & 027)
        stele_refuse (refusal, STELE_EUNAUTHORIZED, NULL, "others may read or change the private key '%.200s' (mode %03o): chmod "
            "600 it, or 640 for a group that may read it", path, (unsigned) status.st_mode & 0777);
    else
    if (!(self->key = PEM_read_PrivateKey (file, NULL, s_no_password, &no_password)))
        stele_refuse (refusal, STELE_EINVALID_FIELD, NULL, "'%.200s' is not a private key in PEM: %s", path,
            no_password? "it is encrypted: decrypt it with 'openssl pkey -in FILE -out NEW', and keep it from others": s_reason ());
    fclose (file);
    return self->key? 0: refusal->code;
}

static int64_t
s_time_us (const ASN1_TIME *time)
{
    struct tm parts;
    return ASN1_TIME_to_tm (time, &parts)? (int64_t) timegm (&parts) * 1000000: INT64_MAX;
}

//  Of the leaf only: a chain may end with a certificate that clients do not look at any more
static int
s_check_time (cli_certificate_t *self, const char *path, stele_refusal_t *refusal)
{
    char text [32];
    int64_t from_us = s_time_us (X509_get0_notBefore (self->leaf)), now_us = stele_clock_us ();
    self->not_after_us = s_time_us (X509_get0_notAfter (self->leaf));
    if (from_us <= now_us && now_us < self->not_after_us)
        return 0;
    stele_time_print (from_us > now_us? from_us: self->not_after_us, text, sizeof text);
    return stele_refuse (refusal, STELE_EINVALID_FIELD, NULL, from_us > now_us?
        "the certificate '%.200s' is not valid before %s: check the clock": "the certificate '%.200s' expired at %s: renew it",
        path, text);
}

int
cli_certificate_load (cli_certificate_t *self, const char *certificate_path, const char *key_path, stele_refusal_t *refusal)
{
    *self = (cli_certificate_t) { 0 };
    ERR_clear_error ();
    int code = s_load_chain (self, certificate_path, refusal);
    if (code == 0)
        code = s_load_key (self, key_path, refusal);
    if (code == 0 && X509_check_private_key (self->leaf, self->key) != 1)
        code = stele_refuse (refusal, STELE_EINVALID_FIELD, NULL, "the private key '%.160s' is not that of the first certificate in "
            "'%.160s'", key_path, certificate_path);
    if (code == 0)
        code = s_check_time (self, certificate_path, refusal);
    ERR_clear_error ();
    if (code)
        cli_certificate_clear (self);
    return code;
}

void
cli_certificate_clear (cli_certificate_t *self)
{
    X509_free (self->leaf);
    sk_X509_pop_free (self->chain, X509_free);
    EVP_PKEY_free (self->key);
    *self = (cli_certificate_t) { 0 };
}
