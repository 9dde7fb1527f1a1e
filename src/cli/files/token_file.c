/*  token_file - the tokens of HTTP clients, and the file that has them

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "config.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include "base/file.h"
#include "base/memory.h"
#include "cli/files/token_file.h"
#include "wire/time.h"

#define PREFIX "stele_"
#define PREFIX_SIZE 6
#define SECRET_SIZE 52
#define CHECK_SIZE 7
#define BYTES_MAX (4 << 20)         // Of a file

static const char s_digits [] = "abcdefghijklmnopqrstuvwxyz234567";

//  -- the text of a token -----------------------------------------------------------------------

//  Five bits for each character; the last one may have fewer
static void
s_print_bits (const unsigned char *bytes, size_t size, char *text, size_t characters)
{
    for (size_t i = 0; i < characters; i++) {
        unsigned value = 0;
        for (size_t bit = i * 5; bit < i * 5 + 5; bit++)
            value = value << 1 | (bit < size * 8? bytes [bit / 8] >> (7 - bit % 8) & 1u: 0);
        text [i] = s_digits [value];
    }
}

static void
s_print_check (const char *text, size_t size, char check [CHECK_SIZE])
{
    uint32_t sum = (uint32_t) crc32 (0, (const Bytef *) text, (uInt) size);
    unsigned char bytes [4] = { (unsigned char) (sum >> 24), (unsigned char) (sum >> 16), (unsigned char) (sum >> 8),
        (unsigned char) sum };
    s_print_bits (bytes, sizeof bytes, check, CHECK_SIZE);
}

static void
s_hash (const char *text, size_t size, unsigned char hash [CLI_TOKEN_HASH])
{
    unsigned int hash_size = 0;
    int rc = EVP_Digest (text, size, hash, &hash_size, EVP_sha256 (), NULL);
    assert (rc == 1 && hash_size == CLI_TOKEN_HASH);
}

void
cli_token_make (cli_token_t *self, char text [CLI_TOKEN_TEXT])
{
    unsigned char random [5 + 32];
    ssize_t got = getrandom (random, sizeof random, 0);
    assert (got == sizeof random);  // Up to 256 bytes are never cut
    char *end = text + PREFIX_SIZE;
    memcpy (text, PREFIX, PREFIX_SIZE);
    s_print_bits (random, 5, end, CLI_TOKEN_ID - 1);
    memcpy (self->id, end, CLI_TOKEN_ID - 1);
    end += CLI_TOKEN_ID - 1;
    *end++ = '_';
    s_print_bits (random + 5, 32, end, SECRET_SIZE);
    end += SECRET_SIZE;
    s_print_check (text, (size_t) (end - text), end);
    end [CHECK_SIZE] = 0;
    s_hash (text, CLI_TOKEN_TEXT - 1, self->hash);
    explicit_bzero (random, sizeof random);
}

bool
cli_token_read (const char *text, size_t size, char id [CLI_TOKEN_ID], unsigned char hash [CLI_TOKEN_HASH], const char **why)
{
    char check [CHECK_SIZE];
    bool fine = size == CLI_TOKEN_TEXT - 1 && memcmp (text, PREFIX, PREFIX_SIZE) == 0
        && text [PREFIX_SIZE + CLI_TOKEN_ID - 1] == '_';
    for (size_t i = PREFIX_SIZE; i < size && fine; i++)
        fine = i == PREFIX_SIZE + CLI_TOKEN_ID - 1 || (text [i] && strchr (s_digits, text [i]));
    if (!fine) {
        *why = "it does not have the form stele_ID_SECRET of a token";
        return false;
    }
    s_print_check (text, size - CHECK_SIZE, check);
    if (memcmp (check, text + size - CHECK_SIZE, CHECK_SIZE) != 0) {
        *why = "its checksum is wrong: it was cut or mistyped";
        return false;
    }
    memcpy (id, text + PREFIX_SIZE, CLI_TOKEN_ID - 1);
    id [CLI_TOKEN_ID - 1] = 0;
    s_hash (text, size, hash);
    return true;
}

bool
cli_token_hash_is (const unsigned char *hash, const unsigned char *other)
{
    return CRYPTO_memcmp (hash, other, CLI_TOKEN_HASH) == 0;
}

bool
cli_token_is_role (const char *word)
{
    static const char *const roles [] = { "publish", "query", "operate", "admin", "metrics" };
    for (size_t i = 0; i < sizeof roles / sizeof roles [0]; i++)
        if (strcmp (word, roles [i]) == 0)
            return true;
    return false;
}

//  -- a line ------------------------------------------------------------------------------------

static bool
s_read_hash (const char *hex, unsigned char hash [CLI_TOKEN_HASH])
{
    if (!hex || strlen (hex) != CLI_TOKEN_HASH * 2 || strspn (hex, "0123456789abcdef") != CLI_TOKEN_HASH * 2)
        return false;
    for (size_t i = 0; i < CLI_TOKEN_HASH; i++) {
        const char byte [3] = { hex [2 * i], hex [2 * i + 1], 0 };
        hash [i] = (unsigned char) strtoul (byte, NULL, 16);
    }
    return true;
}

static bool
s_read_words (const json_t *words, size_t max, cli_list_t *list)
{
    if (words && !json_is_array (words))
        return false;
    for (size_t i = 0; i < json_array_size (words); i++) {
        const char *word = json_string_value (json_array_get (words, i));
        if (!word || !*word)
            return false;
        cli_list_append (list, word, strlen (word));
    }
    return list->count <= max;
}

static bool
s_read_time (const json_t *value, int64_t *time_us)
{
    const char *text = json_string_value (value);
    return !value || (text && stele_time_parse (text, strlen (text), time_us) == 0);
}

//  NULL, or what is wrong with the line. An unknown key may be a restriction that is not known here: it is refused.
static const char *
s_read_token (cli_token_t *self, const json_t *line)
{
    static const char *const keys [] = { "id", "hash", "name", "roles", "users", "not_after", "revoked" };
    size_t known = 0;
    for (size_t i = 0; i < sizeof keys / sizeof keys [0]; i++)
        known += json_object_get (line, keys [i]) != NULL;
    const char *id = json_string_value (json_object_get (line, "id"));
    const char *name = json_string_value (json_object_get (line, "name"));
    if (!json_is_object (line) || known != json_object_size (line))
        return "is not an object of id, hash, name, roles, users, not_after and revoked";
    if (!id || strlen (id) != CLI_TOKEN_ID - 1 || strspn (id, s_digits) != CLI_TOKEN_ID - 1)
        return "has no valid id";
    if (!name || !*name || strlen (name) > CLI_TOKEN_NAME)
        return "has no valid name";
    strcpy (self->id, id);
    strcpy (self->name, name);
    if (!s_read_hash (json_string_value (json_object_get (line, "hash")), self->hash))
        return "has no valid hash";
    if (!s_read_words (json_object_get (line, "roles"), 8, &self->roles))
        return "has no valid roles";
    for (size_t i = 0; i < self->roles.count; i++)
        if (!cli_token_is_role (self->roles.items [i]))
            return "has a role other than " CLI_TOKEN_ROLES;
    if (!s_read_words (json_object_get (line, "users"), CLI_TOKEN_USERS, &self->users)
    ||  (json_object_get (line, "users") && self->users.count == 0))
        return "has no valid users";
    if (!s_read_time (json_object_get (line, "not_after"), &self->not_after_us)
    ||  !s_read_time (json_object_get (line, "revoked"), &self->revoked_us))
        return "has a time that is not RFC 3339";
    return NULL;
}

static json_t *
s_print_words (const cli_list_t *list)
{
    json_t *words = json_array ();
    for (size_t i = 0; i < list->count; i++)
        json_array_append_new (words, json_string (list->items [i]));
    return words;
}

static void
s_print_time (json_t *line, const char *key, int64_t time_us)
{
    char text [40];
    if (!time_us)
        return;
    stele_time_print (time_us, text, sizeof text);
    json_object_set_new (line, key, json_string (text));
}

static json_t *
s_print_token (const cli_token_t *self)
{
    char hex [CLI_TOKEN_HASH * 2 + 1];
    for (size_t i = 0; i < CLI_TOKEN_HASH; i++)
        snprintf (hex + 2 * i, 3, "%02x", self->hash [i]);
    json_t *line = json_pack ("{ss, ss, ss, so}", "id", self->id, "hash", hex, "name", self->name, "roles",
        s_print_words (&self->roles));
    if (self->users.count)
        json_object_set_new (line, "users", s_print_words (&self->users));
    s_print_time (line, "not_after", self->not_after_us);
    s_print_time (line, "revoked", self->revoked_us);
    return line;
}

//  -- the file ---------------------------------------------------------------------------------------

cli_token_t *
cli_tokens_add (cli_tokens_t *self)
{
    self->items = stele_array_must_grow (self->items, &self->room, self->count + 1, sizeof *self->items);
    cli_token_t *token = &self->items [self->count++];
    *token = (cli_token_t) { 0 };
    return token;
}

void
cli_tokens_clear (cli_tokens_t *self)
{
    for (size_t i = 0; i < self->count; i++) {
        cli_list_clear (&self->items [i].roles);
        cli_list_clear (&self->items [i].users);
    }
    free (self->items);
    *self = (cli_tokens_t) { 0 };
}

static int
s_read_lines (cli_tokens_t *self, FILE *file, const char *path, stele_refusal_t *refusal)
{
    char *text = NULL;
    size_t room = 0;
    ssize_t size;
    int code = 0;
    for (int number = 1; code == 0 && (size = getline (&text, &room, file)) >= 0; number++) {
        if (*text == '\n' || *text == '#')
            continue;
        json_t *line = json_loadb (text, (size_t) size, JSON_REJECT_DUPLICATES, NULL);
        const char *why = line? s_read_token (cli_tokens_add (self), line): "is not JSON";
        for (size_t i = 0; !why && i + 1 < self->count; i++)
            if (strcmp (self->items [i].id, self->items [self->count - 1].id) == 0)
                why = "has the id of another line";
        if (why)
            code = stele_refuse (refusal, STELE_EINVALID_FIELD, "tokens", "line %d of the file of tokens '%.200s' %s", number,
                path, why);
        json_decref (line);
    }
    if (code == 0 && ferror (file))
        code = stele_refuse (refusal, STELE_EIO, "tokens", "cannot read '%.200s': %s", path, strerror (errno));
    free (text);
    return code;
}

int
cli_tokens_load (cli_tokens_t *self, const char *path, stele_refusal_t *refusal)
{
    struct stat status;
    //  Without waiting for the other end of a pipe
    int fd = open (path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    FILE *file = fd < 0? NULL: fdopen (fd, "r");
    if (!file || fstat (fileno (file), &status) != 0) {
        stele_refuse (refusal, STELE_EIO, "tokens", "cannot read the file of tokens '%.200s': %s%s", path, strerror (errno),
            errno == ENOENT? "; 'stele token new NAME --role ROLE --tokens FILE' makes it": "");
        if (file)
            fclose (file);
        return refusal->code;
    }
    int code = 0;
    if (status.st_mode & 077)
        code = stele_refuse (refusal, STELE_EUNAUTHORIZED, "tokens", "others may read or change the file of tokens '%.200s' (mode %03o): "
            "chmod 600 it", path, (unsigned) status.st_mode & 0777);
    else
    if (!S_ISREG (status.st_mode) || status.st_size > BYTES_MAX)
        code = stele_refuse (refusal, STELE_EINVALID_FIELD, "tokens", "'%.200s' is no file of tokens: it is not a regular file, or has "
            "more than %d bytes", path, BYTES_MAX);
    else
        code = s_read_lines (self, file, path, refusal);
    fclose (file);
    return code;
}

//  The server may run as another user than root, who runs this: the file belongs to whom it belonged, or to the owner of
//  its folder
static int
s_give_away (int fd, const char *path)
{
    struct stat status;
    char *folder = stele_file_folder (path);
    int rc = geteuid () == 0 && (stat (path, &status) == 0 || stat (folder, &status) == 0)?
        fchown (fd, status.st_uid, status.st_gid): 0;
    free (folder);
    return rc;
}

int
cli_tokens_save (const cli_tokens_t *self, const char *path, stele_refusal_t *refusal)
{
    size_t room = strlen (path) + 12;
    char *made = stele_memory_new (room);
    snprintf (made, room, "%s.XXXXXX", path);
    int fd = mkostemp (made, O_CLOEXEC);    // Mode 0600
    FILE *file = fd < 0? NULL: fdopen (fd, "w");
    bool fine = file && s_give_away (fd, path) == 0;
    for (size_t i = 0; i < self->count && fine; i++) {
        json_t *line = s_print_token (&self->items [i]);
        fine = json_dumpf (line, file, JSON_COMPACT) == 0 && putc ('\n', file) != EOF;
        json_decref (line);
    }
    fine = fine && fflush (file) == 0 && fsync (fd) == 0 && rename (made, path) == 0;
    int error = errno;
    if (file)
        fclose (file);
    else
    if (fd >= 0)
        close (fd);
    if (fine)
        stele_file_sync_folder (path);
    else
    if (fd >= 0)
        unlink (made);
    free (made);
    return fine? 0: stele_refuse (refusal, STELE_EIO, "tokens", "cannot write the file of tokens '%.200s': %s", path,
        strerror (error));
}
