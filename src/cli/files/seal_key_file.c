/*  seal_key_file - the files of a key for seals: NAME.seal_secret for the broker, NAME.seal_key for those who verify

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef _GNU_SOURCE
#define _GNU_SOURCE                 // asprintf
#endif

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <jansson.h>
#include "base/file.h"
#include "cli/files/seal_key_file.h"
#include "proof/seal_key.h"

#define SECRET ".seal_secret"
#define PUBLIC ".seal_key"

static int
s_put (const char *path, mode_t mode, const char *text)
{
    int fd = stele_file_open (path, O_WRONLY | O_CREAT | O_EXCL, mode);
    bool written = fd >= 0 && write (fd, text, strlen (text)) == (ssize_t) strlen (text) && write (fd, "\n", 1) == 1
        && fsync (fd) == 0;
    int error = errno;
    if (fd >= 0 && close (fd) && written)
        error = errno, written = false;
    if (written && stele_file_sync_folder (path) == 0)
        return EX_OK;
    cli_report ("cannot write '%s': %s", path, strerror (error));
    if (fd >= 0)
        unlink (path);
    return fd < 0 && error == EEXIST? EX_CANTCREAT: EX_IOERR;
}

static void
s_print (const cli_t *self, const char *name, const char *secret, const char *public, const char *text)
{
    if (self->json) {
        json_t *made = json_pack ("{ss ss ss ss}", "name", name, "public_key", text, "file", public, "secret", secret);
        json_dumpf (made, stdout, JSON_COMPACT);
        putchar ('\n');
        json_decref (made);
        return;
    }
    printf ("%s is for the broker: seal = %s\n", secret, secret);
    printf ("%s is for those who verify: stele verify --key %s\n%s\n", public, public, text);
}

int
cli_seal_key_make (const cli_t *self, const char *name, const char *out)
{
    char secret [STELE_SEAL_KEY_TEXT], text [STELE_SEAL_KEY_TEXT], *secret_path, *public_path;
    if (!stele_seal_key_name_is_valid (name))
        return cli_usage_error ("key", "'%s' is not the name of a key; use at most %d letters, digits, and . _ - /", name,
            STELE_SEAL_NAME_MAX);
    if (!out && strchr (name, '/'))
        return cli_usage_error ("key", "'%s' cannot be the name of a file: give --out FILE", name);
    size_t size = out? strlen (out): 0, suffix = strlen (SECRET);
    if (size > suffix && strcmp (out + size - suffix, SECRET) == 0)
        size -= suffix;
    if (asprintf (&secret_path, "%s%s", out? out: name, out? "": SECRET) < 0
    ||  asprintf (&public_path, "%.*s" PUBLIC, out? (int) size: (int) strlen (name), out? out: name) < 0)
        abort ();
    stele_seal_key_t *key = stele_seal_key_new (name);
    stele_seal_key_secret (key, secret);
    stele_seal_key_public (key, text);
    stele_seal_key_destroy (&key);
    int status = s_put (secret_path, 0600, secret);
    explicit_bzero (secret, sizeof secret);
    if (status == EX_OK && (status = s_put (public_path, 0644, text)))
        unlink (secret_path);
    if (status == EX_OK)
        s_print (self, name, secret_path, public_path, text);
    free (secret_path);
    free (public_path);
    return status;
}
