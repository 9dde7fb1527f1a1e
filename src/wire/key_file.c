/*  key_file - read a key file: the form of czmq's certificates

    Not with zconfig of czmq, which prints what it dislikes to stdout, and reads a file of any size.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>
#include "base/file.h"
#include "base/memory.h"
#include "wire/key_file.h"

#define KEY_FILE_BYTES 65536
#define KEY_FILE_VALUES   32        // A file of a key has a dozen at most

typedef struct {
    char *name, *value;
} s_value_t;

struct stele_key_file {
    char *path;
    s_value_t values [KEY_FILE_VALUES];
    size_t count;
};

static void
s_wipe (char **text_p)
{
    if (*text_p)
        explicit_bzero (*text_p, strlen (*text_p));
    free (*text_p);
    *text_p = NULL;
}

void
stele_key_file_destroy (stele_key_file_t **self_p)
{
    stele_key_file_t *self = *self_p;
    if (!self)
        return;
    for (size_t i = 0; i < self->count; i++) {
        s_wipe (&self->values [i].value);
        free (self->values [i].name);
    }
    free (self->path);
    free (self);
    *self_p = NULL;
}

const char *
stele_key_file_get (const stele_key_file_t *self, const char *name)
{
    for (size_t i = 0; i < self->count; i++)
        if (strcmp (self->values [i].name, name) == 0)
            return self->values [i].value;
    return NULL;
}

const char *
stele_key_file_name (const stele_key_file_t *self, size_t index)
{
    return index < self->count? self->values [index].name: NULL;
}

bool
stele_key_is_valid (const char *text)
{
    uint8_t key [32];
    char again [STELE_KEY_TEXT];
    bool valid = strlen (text) == STELE_KEY_TEXT - 1 && zmq_z85_decode (key, text)
        && zmq_z85_encode (again, key, sizeof key) && strcmp (again, text) == 0;
    explicit_bzero (key, sizeof key);
    explicit_bzero (again, sizeof again);
    return valid;
}

const char *
stele_key_file_key (const stele_key_file_t *self, const char *name, stele_refusal_t *refusal)
{
    const char *text = stele_key_file_get (self, name);
    if (text && stele_key_is_valid (text))
        return text;
    //  The text of a key may be a secret
    stele_refuse (refusal, STELE_EINVALID_FIELD, name, text? "the key file '%.200s' has a %s that is not a CURVE key: "
        "40 characters of Z85": "the key file '%.200s' has no %s", self->path, name);
    return NULL;
}

//  -- parsing ------------------------------------------------------------------

static bool
s_is_space (char character)
{
    return character == ' ' || character == '\t' || character == '\r';
}

static void
s_trim (const char **text, size_t *size)
{
    while (*size && s_is_space (**text)) {
        (*text)++;
        (*size)--;
    }
    while (*size && s_is_space ((*text) [*size - 1]))
        (*size)--;
}

//  The value in quotes, or up to a comment. False: the quotes do not end, or something other than a comment follows
static bool
s_unquote (const char **value, size_t *size)
{
    const char *end;
    s_trim (value, size);
    if (*size && (**value == '"' || **value == '\'')) {
        end = memchr (*value + 1, **value, *size - 1);
        if (!end)
            return false;
        (*value)++;
        const char *rest = end + 1;
        size_t left = *size - (size_t) (rest - *value) - 1;
        *size = (size_t) (end - *value);
        s_trim (&rest, &left);
        return left == 0 || *rest == '#';
    }
    if (*size && (end = memchr (*value, '#', *size))) {
        *size = (size_t) (end - *value);
        s_trim (value, size);
    }
    return true;
}

//  A line: empty, a comment, the name of a section, or name = value. False: none of these
static bool
s_take_line (stele_key_file_t *self, const char *line, size_t size)
{
    if (memchr (line, 0, size))
        return false;
    s_trim (&line, &size);
    if (size == 0 || *line == '#')
        return true;
    const char *equals = memchr (line, '=', size);
    if (!equals)
        return (size == 8 && memcmp (line, "metadata", 8) == 0) || (size == 5 && memcmp (line, "curve", 5) == 0);
    size_t name_size = (size_t) (equals - line);
    const char *value = equals + 1;
    size_t value_size = size - name_size - 1;
    s_trim (&line, &name_size);
    if (name_size == 0 || !s_unquote (&value, &value_size) || self->count == KEY_FILE_VALUES)
        return false;
    s_value_t added = { stele_memory_copy (line, name_size), stele_memory_copy (value, value_size) };
    bool twice = stele_key_file_get (self, added.name) != NULL;
    self->values [self->count++] = added;
    return !twice;
}

stele_key_file_t *
stele_key_file_parse (const char *path, const char *text, size_t size, stele_refusal_t *refusal)
{
    stele_key_file_t *self = STELE_NEW (stele_key_file_t);
    self->path = stele_memory_copy (path, strlen (path));
    for (int number = 1; size; number++) {
        const char *newline = memchr (text, '\n', size);
        size_t line_size = newline? (size_t) (newline - text): size;
        if (!s_take_line (self, text, line_size)) {
            stele_refuse (refusal, STELE_EINVALID_FIELD, "key", "'%.200s' is not a key file: line %d is neither "
                "metadata, curve, nor a new name = \"value\"", path, number);
            stele_key_file_destroy (&self);
            return NULL;
        }
        size -= line_size + (newline != NULL);
        text += line_size + (newline != NULL);
    }
    return self;
}

//  -- the file -----------------------------------------------------------------

static void
s_refuse_call (const char *path, int error, stele_refusal_t *refusal)
{
    char reason [400];
    stele_file_reason (path, error, reason, sizeof reason);
    stele_refuse (refusal, STELE_EIO, "key", "cannot read the key file '%.200s': %.300s", path, reason);
}

//  Returns the number of bytes, or -1 with a refusal
static ssize_t
s_read (int fd, const char *path, char *text, struct stat *status, stele_refusal_t *refusal)
{
    if (fstat (fd, status)) {
        s_refuse_call (path, errno, refusal);
        return -1;
    }
    if (!S_ISREG (status->st_mode) || status->st_size > KEY_FILE_BYTES) {
        stele_refuse (refusal, STELE_EINVALID_FIELD, "key", "'%.200s' is not a key file: it is %s", path,
            S_ISREG (status->st_mode)? "larger than 64 KiB": "not a regular file");
        return -1;
    }
    ssize_t got, size = 0;
    while ((got = read (fd, text + size, (size_t) (KEY_FILE_BYTES - size))) > 0)
        size += got;
    if (got == 0)
        return size;
    s_refuse_call (path, errno, refusal);
    return -1;
}

stele_key_file_t *
stele_key_file_load (const char *path, stele_refusal_t *refusal)
{
    struct stat status;
    //  Without O_NONBLOCK, a pipe would block
    int fd = stele_file_open (path, O_RDONLY | O_NONBLOCK, 0);
    if (fd < 0) {
        s_refuse_call (path, errno, refusal);
        return NULL;
    }
    char *text = stele_memory_new (KEY_FILE_BYTES);
    ssize_t size = s_read (fd, path, text, &status, refusal);
    close (fd);
    stele_key_file_t *self = size < 0? NULL: stele_key_file_parse (path, text, (size_t) size, refusal);
    explicit_bzero (text, KEY_FILE_BYTES);
    free (text);
    if (self && stele_key_file_get (self, "secret-key") && (status.st_mode & (S_IWGRP | S_IRWXO))) {
        stele_refuse (refusal, STELE_EUNAUTHORIZED, "key", "the key file '%.200s' has mode %03o, with which other users may "
            "read or change a secret key: chmod 600 it", path, (unsigned) status.st_mode & 0777);
        stele_key_file_destroy (&self);
    }
    return self;
}
