/*  key_folder - the broker's folder of keys, as 'stele key' changes it

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "config.h"
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>
#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "cli/files/key_folder.h"
#include "cli/files/outfile.h"
#include "cli/terminal/message.h"
#include "wire/time.h"

#define SUFFIX ".key"
#define REVOKED ".revoked-"
#define SERVER "server.key_secret"
#define SERVER_PUBLIC "server.pub"

struct cli_key_folder {
    int fd;                         // Everything happens in this folder, whatever the path names later
    char *path;                     // For messages
    char at [40];                   // A path by way of the descriptor
};

//  The path of a file for system calls, and for messages. Caller frees return value
static char *
s_path (const char *folder, const char *name, const char *suffix)
{
    char *path;
    if (asprintf (&path, "%s/%s%s", folder, name, suffix) < 0)
        abort ();
    return path;
}

//  The path by which the user knows the file
static char *
s_shown (const cli_key_folder_t *self, const char *path)
{
    return s_path (self->path, path + strlen (self->at) + 1, "");
}

static int
s_failed (const char *what, const char *path, int error, int status)
{
    char reason [400];
    stele_file_reason (path, error, reason, sizeof reason);
    cli_report ("%s '%s': %s", what, path, reason);
    return error == EACCES || error == EPERM? EX_NOPERM: status;
}

static int
s_failed_in (const cli_key_folder_t *self, const char *what, const char *path, int error, int status)
{
    char *shown = s_shown (self, path);
    status = s_failed (what, shown, error, status);
    free (shown);
    return status;
}

//  The message of a refusal that names the path of a file. Caller frees return value
static char *
s_message (const cli_key_folder_t *self, const stele_refusal_t *refusal)
{
    const char *found = strstr (refusal->message, self->at);
    char *text;
    if (!found)
        return stele_memory_copy (refusal->message, strlen (refusal->message));
    if (asprintf (&text, "%.*s%s%s", (int) (found - refusal->message), refusal->message, self->path, found + strlen (self->at)) < 0)
        abort ();
    return text;
}

//  The broker may run as another user than root, who runs this: what is made belongs to the owner of the folder that it
//  is in. By descriptors, and before others can see a file: that owner could put a link in place of a path.
//  Returns 0, or -1 with errno
static int
s_give_away (int fd, int folder)
{
    struct stat status;
    return geteuid () != 0 || fstat (folder, &status) != 0? 0: fchown (fd, status.st_uid, status.st_gid);
}

//  Nothing that was there before is given away
static bool
s_is_empty (int fd)
{
    int copy = openat (fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = copy < 0? NULL: fdopendir (copy);
    int count = 0;
    while (directory && readdir (directory))
        count++;
    if (directory)
        closedir (directory);
    return directory && count <= 2;
}

//  Make the folder, if it does not exist. Returns its descriptor; -1 with errno
static int
s_make (const char *path)
{
    char *copy = stele_memory_copy (path, strlen (path));
    for (size_t size = strlen (copy); size > 1 && copy [size - 1] == '/'; size--)
        copy [size - 1] = 0;
    char *parent = stele_file_folder (copy), *slash = strrchr (copy, '/');
    int folder = stele_file_open (parent, O_RDONLY | O_DIRECTORY, 0), fd = -1;
    const char *name = slash? slash + 1: copy;
    if (folder >= 0 && mkdirat (folder, name, 0700) == 0) {
        fd = openat (folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd >= 0 && !s_is_empty (fd)) {
            close (fd);
            fd = -1;
            errno = EEXIST;
        }
        else
        if (fd >= 0 && (s_give_away (fd, folder) || fsync (folder))) {
            close (fd);
            fd = -1;
        }
    }
    else
    if (folder < 0 || errno == EEXIST)
        fd = stele_file_open (path, O_RDONLY | O_DIRECTORY, 0);
    int error = errno;
    if (folder >= 0)
        close (folder);
    free (parent);
    free (copy);
    errno = error;
    return fd;
}

cli_key_folder_t *
cli_key_folder_open (const char *path, bool create, int *code)
{
    struct stat status;
    int fd = create? s_make (path): stele_file_open (path, O_RDONLY | O_DIRECTORY, 0);
    *code = EX_OK;
    if (fd < 0)
        *code = s_failed ("cannot use the folder of keys", path, errno, create && errno != ENOTDIR? EX_CANTCREAT: EX_NOINPUT);
    else
    if (fstat (fd, &status) != 0)
        *code = s_failed ("cannot use the folder of keys", path, errno, EX_NOINPUT);
    else
    if (status.st_mode & (S_IWGRP | S_IWOTH)) {
        cli_report ("others may write the folder of keys '%s' (mode %03o), and so let themselves in: chmod go-w it. The broker "
            "refuses it as it is", path, (unsigned) status.st_mode & 0777);
        *code = EX_CONFIG;
    }
    if (*code) {
        if (fd >= 0)
            close (fd);
        return NULL;
    }
    cli_key_folder_t *self = STELE_NEW (cli_key_folder_t);
    self->fd = fd;
    self->path = stele_memory_copy (path, strlen (path));
    snprintf (self->at, sizeof self->at, "/proc/self/fd/%d", fd);
    return self;
}

void
cli_key_folder_close (cli_key_folder_t **self_p)
{
    cli_key_folder_t *self = *self_p;
    if (!self)
        return;
    close (self->fd);
    free (self->path);
    free (self);
    *self_p = NULL;
}

const char *
cli_key_folder_path (const cli_key_folder_t *self)
{
    return self->path;
}

//  -- writing ---------------------------------------------------------------------------

static void
s_print_list (FILE *file, const char *name, const cli_list_t *list)
{
    if (!list || list->count == 0)
        return;
    fprintf (file, "    %s = \"", name);
    for (size_t i = 0; i < list->count; i++)
        fprintf (file, "%s%s", i? " ": "", list->items [i]);
    fputs ("\"\n", file);
}

static void
s_print_text (FILE *file, const char *name, const char *text)
{
    if (text && *text)
        fprintf (file, "    %s = \"%s\"\n", name, text);
}

static void
s_print_key (FILE *stream, const char *comment, const cli_key_t *key, const char *server_key, bool secret)
{
    fprintf (stream, "#  %s\n\nmetadata\n", comment);
    s_print_text (stream, "name", key->name);
    s_print_list (stream, "roles", key->roles);
    s_print_list (stream, "producers", key->producers);
    s_print_list (stream, "topics", key->topics);
    s_print_list (stream, "users", key->users);
    s_print_text (stream, "not-after", key->not_after);
    s_print_text (stream, "server-key", server_key);
    fputs ("curve\n", stream);
    s_print_text (stream, "public-key", key->public_key);
    if (secret)
        s_print_text (stream, "secret-key", key->secret_key);
}

//  'folder': in which the path is, and whose owner the file gets; NULL: it is a file of the user who runs this
static int
s_put (const cli_key_folder_t *folder, const char *path, mode_t mode, const char *comment, const cli_key_t *key, const char *server_key)
{
    //  The file has this mode from its creation on
    mode_t mask = umask (0777 & ~mode);
    cli_outfile_t *file = cli_outfile_open (path, false);
    umask (mask);
    char *shown = folder? s_shown (folder, path): stele_memory_copy (path, strlen (path));
    int status = file? EX_OK: s_failed ("cannot create", shown, errno, EX_CANTCREAT);
    FILE *stream = file? cli_outfile_stream (file): NULL;
    struct stat made;
    //  A device or a pipe is opened as it is: the owner of the folder may have put one there just now
    if (stream && folder && (fstat (fileno (stream), &made) || !S_ISREG (made.st_mode)))
        status = s_failed ("cannot create", shown, EEXIST, EX_CANTCREAT);
    else
    if (stream && folder && s_give_away (fileno (stream), folder->fd))
        status = s_failed ("cannot change the owner of", shown, errno, EX_CANTCREAT);
    if (status == EX_OK) {
        s_print_key (stream, comment, key, server_key, mode == 0600);
        if (cli_outfile_finish (file))
            status = s_failed ("cannot write", shown, errno, EX_CANTCREAT);
    }
    cli_outfile_close (&file);
    free (shown);
    return status;
}

//  Read one key of a file. Returns the exit status
static int
s_read_key (const cli_key_folder_t *self, const char *path, const char *name, char key [STELE_KEY_TEXT])
{
    stele_refusal_t refusal;
    stele_key_file_t *file = stele_key_file_load (path, &refusal);
    const char *text = file? stele_key_file_key (file, name, &refusal): NULL;
    if (text)
        memcpy (key, text, STELE_KEY_TEXT);
    else {
        char *message = s_message (self, &refusal);
        cli_report ("%s", message);
        free (message);
    }
    stele_key_file_destroy (&file);
    return text? EX_OK: refusal.code == STELE_EUNAUTHORIZED? EX_CONFIG: EX_DATAERR;
}

int
cli_key_folder_server (const cli_key_folder_t *self, char server_key [STELE_KEY_TEXT], bool *made)
{
    cli_key_t server = { .name = "server" };
    char *secret = s_path (self->at, SERVER, ""), *public = s_path (self->at, SERVER_PUBLIC, "");
    int status = EX_OK;
    *made = access (secret, F_OK) != 0 && access (public, F_OK) != 0;
    if (*made) {
        int rc = zmq_curve_keypair (server.public_key, server.secret_key);
        assert (rc == 0);
        status = s_put (self, secret, 0600, "The broker's own pair: keep it here, and secret", &server, NULL);
        if (status == EX_OK)
            status = s_put (self, public, 0644, "The public key of the broker, for its clients", &server, NULL);
        explicit_bzero (server.secret_key, sizeof server.secret_key);
    }
    if (status == EX_OK)
        status = s_read_key (self, access (public, F_OK) == 0? public: secret, "public-key", server_key);
    free (secret);
    free (public);
    return status;
}

//  The name of another key of the folder with the same public key; NULL: none. Caller owns return value.
static char *
s_same_key (const cli_key_folder_t *self, const char *public_key)
{
    int status;
    char *name = NULL;
    json_t *keys = cli_key_folder_list (self, NULL, false, &status), *row;
    size_t i;
    json_array_foreach (keys, i, row) {
        const char *other = json_string_value (json_object_get (row, "public_key"));
        if (!name && other && strcmp (other, public_key) == 0)
            name = strdup (json_string_value (json_object_get (row, "name")));
    }
    json_decref (keys);
    return name;
}

int
cli_key_folder_add (const cli_key_folder_t *self, const cli_key_t *key)
{
    char *same = s_same_key (self, key->public_key);
    if (same) {
        cli_report ("the key '%s' has this public key already: revoke it first, or use another pair", same);
        free (same);
        return EX_CANTCREAT;
    }
    char *path = s_path (self->at, key->name, SUFFIX);
    int status = EX_OK;
    if (access (path, F_OK) == 0) {
        cli_report ("there is a key '%s' already: 'stele key show %s' shows it, 'stele key revoke %s' removes it", key->name,
            key->name, key->name);
        status = EX_CANTCREAT;
    }
    else
        status = s_put (self, path, 0644, "The public key of a client of the broker", key, NULL);
    free (path);
    return status;
}

void
cli_key_folder_remove (const cli_key_folder_t *self, const char *name)
{
    char *path = s_path (self->at, name, SUFFIX);
    unlink (path);
    free (path);
}

int
cli_key_write_secret (const char *path, const cli_key_t *key, const char *server_key)
{
    cli_key_t client = { .name = key->name };       // Without what only the broker needs
    memcpy (client.public_key, key->public_key, STELE_KEY_TEXT);
    memcpy (client.secret_key, key->secret_key, STELE_KEY_TEXT);
    int status = s_put (NULL, path, 0600, "A key of a client of Stele: keep it secret", &client, server_key);
    explicit_bzero (client.secret_key, sizeof client.secret_key);
    return status;
}

//  -- revoking ---------------------------------------------------------------------------

int
cli_key_folder_revoke (const cli_key_folder_t *self, const char *name)
{
    char when [32], suffix [64];
    time_t now = time (NULL);
    struct tm parts;
    strftime (when, sizeof when, "%Y%m%dT%H%M%SZ", gmtime_r (&now, &parts));
    snprintf (suffix, sizeof suffix, REVOKED "%s", when);
    char *from = s_path (self->at, name, SUFFIX), *to = s_path (self->at, name, suffix);
    int status = EX_OK;
    //  Not rename: of two revocations of one name in a second, the record of the first remains
    if (link (from, to) || unlink (from) || stele_file_sync_folder (from))
        status = s_failed_in (self, "cannot revoke", from, errno, EX_IOERR);
    free (from);
    free (to);
    return status;
}

//  -- reading ----------------------------------------------------------------------------

//  A value of words as an array; NULL: there is none
static void
s_set_words (json_t *row, const char *key, const stele_key_file_t *file, const char *name)
{
    const char *text = stele_key_file_get (file, name);
    if (!text || !*text)
        return;
    json_t *words = json_array ();
    while (*(text += strspn (text, " \t"))) {
        size_t size = strcspn (text, " \t");
        json_array_append_new (words, json_stringn (text, size));
        text += size;
    }
    json_object_set_new (row, key, words);
}

static void
s_set_key (json_t *row, const stele_key_file_t *file, bool revoked)
{
    int64_t until_us;
    const char *not_after = stele_key_file_get (file, "not-after");
    s_set_words (row, "roles", file, "roles");
    s_set_words (row, "producers", file, "producers");
    s_set_words (row, "topics", file, "topics");
    s_set_words (row, "users", file, "users");
    if (not_after) {
        json_object_set_new (row, "not_after", json_string (not_after));
        //  The broker refuses a key whose end it cannot read
        bool readable = stele_time_parse (not_after, strlen (not_after), &until_us) == 0;
        if (!revoked && (!readable || until_us <= stele_clock_us ()))
            json_object_set_new (row, "state", json_string (readable? "expired": "invalid"));
    }
    json_object_set_new (row, "public_key", json_string (stele_key_file_get (file, "public-key")));
}

static json_t *
s_row (const cli_key_folder_t *self, const char *file_name, const char *suffix)
{
    stele_refusal_t refusal;
    bool revoked = strcmp (suffix, SUFFIX) != 0;
    char *path = s_path (self->at, file_name, "");
    json_t *row = json_pack ("{ss# ss}", "name", file_name, (int) (suffix - file_name), "state", revoked? "revoked": "valid");
    assert (row);
    stele_key_file_t *file = stele_key_file_load (path, &refusal);
    if (file && stele_key_file_key (file, "public-key", &refusal))
        s_set_key (row, file, revoked);
    else {
        json_object_set_new (row, "state", json_string ("invalid"));
        char *message = s_message (self, &refusal);
        json_object_set_new (row, "error", json_string (message));
        free (message);
    }
    char *shown = s_shown (self, path);
    json_object_set_new (row, "file", json_string (shown));
    free (shown);
    stele_key_file_destroy (&file);
    free (path);
    return row;
}

//  The end of a file's name that follows the name of the key; NULL: it is no key
static const char *
s_suffix (const char *file_name, bool revoked)
{
    size_t size = strlen (file_name);
    if (size > strlen (SUFFIX) && strcmp (file_name + size - strlen (SUFFIX), SUFFIX) == 0)
        return file_name + size - strlen (SUFFIX);
    const char *found = NULL;
    for (const char *at = file_name; revoked && (at = strstr (at, REVOKED)); at++)
        found = at;
    return found == file_name? NULL: found;
}

json_t *
cli_key_folder_list (const cli_key_folder_t *self, const char *only, bool revoked, int *status)
{
    struct dirent **entries;
    int count = scandir (self->at, &entries, NULL, alphasort);
    if (count < 0) {
        *status = s_failed ("cannot read the folder of keys", self->path, errno, EX_NOINPUT);
        return NULL;
    }
    json_t *keys = json_array ();
    for (int i = 0; i < count; i++) {
        const char *name = entries [i]->d_name, *suffix = s_suffix (name, revoked);
        if (suffix && (!only || (strlen (only) == (size_t) (suffix - name) && memcmp (only, name, strlen (only)) == 0)))
            json_array_append_new (keys, s_row (self, name, suffix));
        free (entries [i]);
    }
    free (entries);
    *status = EX_OK;
    return keys;
}
