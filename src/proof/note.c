/*  note - a checkpoint of the tree over a ledger, as a C2SP signed note (tlog-checkpoint)

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef _GNU_SOURCE
#define _GNU_SOURCE                 // asprintf
#endif

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/file.h"
#include "fault/fault.h"
#include "proof/note.h"
#include "wire/base64.h"

#define DASH "\xe2\x80\x94 "        // U+2014 and a space begin a line with a signature
#define ROOT_TEXT STELE_BASE64_SIZE (STELE_HASH_BYTES)
#define SIGNATURE_TEXT STELE_BASE64_SIZE (STELE_SEAL_SIGNATURE)

void
stele_note_write (stele_note_t *self, const char *ledger_id, int64_t size, const stele_hash_t *root,
    const stele_seal_key_t *key)
{
    char text [SIGNATURE_TEXT];
    unsigned char signature [STELE_SEAL_SIGNATURE];
    memset (self, 0, sizeof *self);
    snprintf (self->ledger_id, sizeof self->ledger_id, "%s", ledger_id);
    self->size = size;
    self->root = *root;
    stele_base64_encode (root->bytes, STELE_HASH_BYTES, text);
    self->body_size = (size_t) snprintf (self->text, sizeof self->text, STELE_NOTE_FORMAT "%s\n%" PRId64 "\n%.*s\n",
        self->ledger_id, size, (int) ROOT_TEXT, text);
    self->text_size = self->body_size + (size_t) snprintf (self->text + self->body_size,
        sizeof self->text - self->body_size, "\n");
    if (!key)
        return;
    stele_seal_key_sign (key, self->text, self->body_size, signature);
    stele_base64_encode (signature, STELE_SEAL_SIGNATURE, text);
    self->text_size += (size_t) snprintf (self->text + self->text_size, sizeof self->text - self->text_size, DASH "%s %.*s\n",
        stele_seal_key_name (key), (int) SIGNATURE_TEXT, text);
}

//  -- read ------------------------------------------------------------------------------

//  The next line, without its end; NULL: there is none
static const char *
s_line (const char **text, const char *end, size_t *size)
{
    const char *line = *text, *stop = memchr (line, '\n', (size_t) (end - line));
    if (!stop)
        return NULL;
    *size = (size_t) (stop - line);
    *text = stop + 1;
    return line;
}

static bool
s_parse_size (const char *line, size_t size, int64_t *value)
{
    *value = 0;
    if (size == 0 || size > 18 || (line [0] == '0' && size > 1))
        return false;
    for (size_t i = 0; i < size; i++) {
        if (line [i] < '0' || line [i] > '9')
            return false;
        *value = *value * 10 + (line [i] - '0');
    }
    return true;
}

//  Lines with other text between the root and the empty line are allowed: they are signed, and have no meaning here
static bool
s_parse (stele_note_t *self)
{
    const char *at = self->text, *end = at + self->text_size, *line;
    unsigned char root [ROOT_TEXT];
    size_t size, start = strlen (STELE_NOTE_FORMAT);
    line = s_line (&at, end, &size);
    if (!line || size <= start || size - start >= sizeof self->ledger_id || memcmp (line, STELE_NOTE_FORMAT, start) != 0)
        return false;
    snprintf (self->ledger_id, sizeof self->ledger_id, "%.*s", (int) (size - start), line + start);
    line = s_line (&at, end, &size);
    if (!line || !s_parse_size (line, size, &self->size))
        return false;
    line = s_line (&at, end, &size);
    if (!line || size != ROOT_TEXT || stele_base64_decode (line, size, root) != STELE_HASH_BYTES)
        return false;
    memcpy (self->root.bytes, root, STELE_HASH_BYTES);
    do
        self->body_size = (size_t) (at - self->text);
    while ((line = s_line (&at, end, &size)) && size > 0);
    return line != NULL;
}

int
stele_note_parse (stele_note_t *self, const char *text, size_t size, stele_refusal_t *refusal)
{
    memset (self, 0, sizeof *self);
    if (size < sizeof self->text) {
        memcpy (self->text, text, size);
        self->text_size = size;
    }
    return self->text_size && s_parse (self)? 0:
        stele_refuse (refusal, STELE_ELEDGER, "note", "is no note of the history of a ledger, as doc/PROOF.md describes it");
}

int
stele_note_load (stele_note_t *self, const char *path, stele_refusal_t *refusal)
{
    char text [STELE_NOTE_TEXT + 1];
    stele_refusal_t why;
    int fd = stele_file_open (path, O_RDONLY | O_NONBLOCK, 0);
    ssize_t size = fd < 0? -1: read (fd, text, sizeof text);
    int error = errno;
    if (fd >= 0)
        close (fd);
    if (size < 0)
        return stele_refuse (refusal, error == ENOENT? STELE_ENOT_FOUND: STELE_EIO, "note", "cannot read '%.300s': %s", path,
            strerror (error));
    int code = stele_note_parse (self, text, (size_t) size, &why);
    return code? stele_refuse (refusal, code, "note", "'%.300s' %s", path, why.message): 0;
}

//  -- signatures ------------------------------------------------------------------------

bool
stele_note_is_signed (const stele_note_t *self)
{
    return self->text_size > self->body_size + 1;
}

bool
stele_note_verify (const stele_note_t *self, const stele_seal_key_t *key)
{
    const char *at = self->text + self->body_size + 1, *end = self->text + self->text_size, *line;
    unsigned char signature [SIGNATURE_TEXT];
    size_t size, dash = strlen (DASH), name = strlen (stele_seal_key_name (key));
    while (at < end && (line = s_line (&at, end, &size)))
        if (size == dash + name + 1 + SIGNATURE_TEXT && memcmp (line, DASH, dash) == 0
        &&  memcmp (line + dash, stele_seal_key_name (key), name) == 0 && line [dash + name] == ' '
        &&  stele_base64_decode (line + size - SIGNATURE_TEXT, SIGNATURE_TEXT, signature) == STELE_SEAL_SIGNATURE
        &&  stele_seal_key_verify (key, self->text, self->body_size, signature))
            return true;
    return false;
}

//  -- write -----------------------------------------------------------------------------

static int
s_write (const char *path, const char *text, size_t size)
{
    int fd = stele_file_open (path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (fd < 0)
        return errno;
    ssize_t written = write (fd, text, size);
    int error = written < 0? errno: written < (ssize_t) size? ENOSPC: fsync (fd)? errno: 0;
    return close (fd) && !error? errno: error;
}

int
stele_note_save (const stele_note_t *self, const char *path, stele_refusal_t *refusal)
{
    char *part;
    if (asprintf (&part, "%s.part", path) < 0)
        abort ();
    int error = s_write (part, self->text, self->text_size);
    STELE_FAULT (seal_note_written);
    if (!error && (rename (part, path) || stele_file_sync_folder (path)))
        error = errno;
    STELE_FAULT (seal_note_renamed);
    if (error)
        unlink (part);
    free (part);
    return error? stele_refuse (refusal, error == ENOSPC || error == EDQUOT? STELE_EFULL: STELE_EIO, "note",
        "cannot write '%.300s': %s", path, strerror (error)): 0;
}
