/*  keyring - read the keys of a folder

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#define _GNU_SOURCE                 // asprintf
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uthash.h>
#include "base/file.h"
#include "base/memory.h"
#include "broker/access/keyring.h"
#include "wire/key_file.h"
#include "wire/quote.h"
#include "wire/scan.h"
#include "wire/time.h"

#define SERVER "server.key_secret"
#define REVOKED ".revoked-"

typedef struct {
    stele_identity_t identity;
    stele_identity_t revoked;
    char public_key [STELE_KEY_TEXT];
    char *name, *users, *producers, *topics;    // What the identity points into
    UT_hash_handle hh;              // By public key
} s_key_t;

struct stele_keyring {
    s_key_t *keys;
    s_key_t *revoked;               // Records of revoked keys, for the log and the audit trail
    char secret_key [STELE_KEY_TEXT];
    char server_key [STELE_KEY_TEXT];   // The public one
};

static void
s_destroy_key (s_key_t **key_p)
{
    s_key_t *key = *key_p;
    free ((void *) key->identity.users);
    free ((void *) key->identity.producers);
    free ((void *) key->identity.topics);
    free (key->name);
    free (key->users);
    free (key->producers);
    free (key->topics);
    free (key);
    *key_p = NULL;
}

static void
s_destroy_keys (s_key_t **keys)
{
    s_key_t *key, *next;
    HASH_ITER (hh, *keys, key, next) {
        HASH_DELETE (hh, *keys, key);
        s_destroy_key (&key);
    }
}

void
stele_keyring_destroy (stele_keyring_t **self_p)
{
    stele_keyring_t *self = *self_p;
    if (!self)
        return;
    s_destroy_keys (&self->keys);
    s_destroy_keys (&self->revoked);
    explicit_bzero (self->secret_key, sizeof self->secret_key);
    free (self);
    *self_p = NULL;
}

//  -- one key --------------------------------------------------------------------

//  Every name that a file may have: a misspelt restriction must not become none
static int
s_check_names (const stele_key_file_t *file, const char *path, stele_refusal_t *refusal)
{
    static const char *const known [] = {
        "name", "roles", "producers", "topics", "users", "not-after", "server-key", "public-key", NULL
    };
    const char *name;
    for (size_t i = 0; (name = stele_key_file_name (file, i)); i++) {
        int k = 0;
        while (known [k] && strcmp (known [k], name) != 0)
            k++;
        if (!known [k] && strcmp (name, "secret-key") == 0)
            return stele_refuse (refusal, STELE_EINVALID_FIELD, "keys", "keys: '%.200s' has the secret key of a client: remove "
                "the line secret-key, which only the client needs", path);
        if (!known [k])
            return stele_refuse (refusal, STELE_EINVALID_FIELD, "keys", "keys: '%.200s' has '%.60s', which a key does not "
                "have: it takes name, roles, producers, topics, users and not-after", path, name);
    }
    return 0;
}

//  Split the words of a value, which is copied to *text. Returns their number.
static size_t
s_split (const stele_key_file_t *file, const char *name, char **text, const stele_span_t **words)
{
    const char *value = stele_key_file_get (file, name);
    if (!value)
        return 0;
    size_t size = strlen (value), count = 0;
    *text = stele_memory_copy (value, size);
    stele_span_t *list = stele_memory_new ((size / 2 + 1) * sizeof *list);
    for (char *word = *text; *(word += strspn (word, " \t")); word += list [count++].size)
        list [count] = (stele_span_t) { word, strcspn (word, " \t") };
    *words = list;
    return count;
}

static int
s_read_roles (const stele_key_file_t *file, const char *path, unsigned *roles, stele_refusal_t *refusal)
{
    const char *word = stele_key_file_get (file, "roles");
    *roles = STELE_ROLE_BIT (ANY);
    for (word = word? word: ""; *(word += strspn (word, " \t")); word += strcspn (word, " \t")) {
        size_t size = strcspn (word, " \t");
        int role = stele_role_of (word, size);
        if (role < 0)
            return stele_refuse (refusal, STELE_EINVALID_FIELD, "keys", "keys: '%.200s': there is no role '%.*s': there are publish, "
                "query, feed, operate, admin, gateway and metrics", path, size > 60? 60: (int) size, word);
        *roles |= stele_role_bits ((stele_role_t) role);
    }
    return 0;
}

//  One restriction: 'what' of at most 'size_max' bytes each. A name without a value would allow all.
static int
s_read_words (const stele_key_file_t *file, const char *path, const char *what, size_t size_max, char **text,
    const stele_span_t **words, size_t *count, stele_refusal_t *refusal)
{
    *count = s_split (file, what, text, words);
    if (*text && *count == 0)
        return stele_refuse (refusal, STELE_EINVALID_FIELD, "keys", "keys: '%.200s': %s is empty: name some, or remove the line "
            "to allow all", path, what);
    for (size_t i = 0; i < *count; i++)
        if ((*words) [i].size > size_max || !stele_utf8_valid ((*words) [i].text, (*words) [i].size)) {
            char quote [STELE_QUOTE_SIZE];
            return stele_refuse (refusal, STELE_EINVALID_FIELD, "keys", "keys: '%.200s': %s has '%s', but each is UTF-8 of "
                "at most %zu bytes", path, what, stele_quote (quote, (*words) [i].text, (*words) [i].size), size_max);
        }
    return 0;
}

static int
s_read_restrictions (s_key_t *key, const stele_key_file_t *file, const char *path, stele_refusal_t *refusal)
{
    stele_identity_t *identity = &key->identity;
    if (s_read_words (file, path, "users", STELE_LIMIT_ID, &key->users, &identity->users, &identity->user_count, refusal)
    ||  s_read_words (file, path, "producers", STELE_LIMIT_ID, &key->producers, &identity->producers,
            &identity->producer_count, refusal)
    ||  s_read_words (file, path, "topics", STELE_LIMIT_TOPIC, &key->topics, &identity->topics, &identity->topic_count,
            refusal))
        return refusal->code;
    const char *time = stele_key_file_get (file, "not-after");
    if (time && (stele_time_parse (time, strlen (time), &identity->not_after_us) || identity->not_after_us <= 0))
        return stele_refuse (refusal, STELE_EINVALID_FIELD, "keys", "keys: '%.200s': not-after takes a time such as "
            "2027-01-01T00:00:00Z, not '%.60s'", path, time);
    return 0;
}

//  NULL with the refusal. Takes ownership of 'name'.
static s_key_t *
s_key_new (const stele_key_file_t *file, char *name, const char *path, stele_refusal_t *refusal)
{
    s_key_t *key = STELE_NEW (s_key_t);
    key->name = name;
    key->identity.name = key->revoked.name = name;
    const char *given = stele_key_file_get (file, "name");
    int code = s_check_names (file, path, refusal);
    if (code == 0 && given && strcmp (given, name) != 0)
        code = stele_refuse (refusal, STELE_EINVALID_FIELD, "keys", "keys: '%.200s' has the name '%.60s': give the file the name "
            "of the key", path, given);
    if (code == 0 && !stele_utf8_valid (name, strlen (name)))
        code = stele_refuse (refusal, STELE_EINVALID_FIELD, "keys", "keys: '%.200s': the name of a key is UTF-8: rename the file",
            path);
    if (code == 0 && (strcmp (name, "local") == 0 || strcmp (name, "server") == 0 || strlen (name) > STELE_LIMIT_ID))
        code = stele_refuse (refusal, STELE_EINVALID_FIELD, "keys", "keys: '%.200s': a key cannot be called local or server, and "
            "its name has at most %d bytes", path, STELE_LIMIT_ID);
    if (code == 0)
        code = s_read_roles (file, path, &key->identity.roles, refusal);
    if (code == 0)
        code = s_read_restrictions (key, file, path, refusal);
    const char *public_key = code == 0? stele_key_file_key (file, "public-key", refusal): NULL;
    if (public_key)
        memcpy (key->public_key, public_key, STELE_KEY_TEXT);
    else
        s_destroy_key (&key);
    return key;
}

int
stele_keyring_read (const char *path, const char *text, size_t size, stele_refusal_t *refusal)
{
    stele_key_file_t *file = stele_key_file_parse (path, text, size, refusal);
    s_key_t *key = file? s_key_new (file, stele_memory_copy (path, strlen (path)), path, refusal): NULL;
    stele_key_file_destroy (&file);
    if (!key)
        return refusal->code;
    s_destroy_key (&key);
    return 0;
}

//  -- the folder -----------------------------------------------------------------

//  Whoever may change the folder or a key in it can let anybody in
static int
s_check_place (const char *path, bool is_folder, stele_refusal_t *refusal)
{
    struct stat status;
    char reason [400];
    if (stat (path, &status)) {
        stele_file_reason (path, errno, reason, sizeof reason);
        return stele_refuse (refusal, STELE_EINVALID_FIELD, "keys", "keys: cannot read '%.200s': %.300s", path, reason);
    }
    if (is_folder && !S_ISDIR (status.st_mode))
        return stele_refuse (refusal, STELE_EINVALID_FIELD, "keys", "keys: '%.200s' is not a directory: make one with 'stele key "
            "new NAME --keys DIRECTORY'", path);
    if (status.st_mode & (S_IWGRP | S_IWOTH))
        return stele_refuse (refusal, STELE_EINVALID_FIELD, "keys", "keys: '%.200s' has mode %03o, with which other users could let "
            "themselves in: chmod go-w it", path, (unsigned) status.st_mode & 0777);
    if (status.st_uid != 0 && status.st_uid != geteuid ())
        return stele_refuse (refusal, STELE_EINVALID_FIELD, "keys", "keys: '%.200s' belongs to user %u, who could let anybody in: "
            "it must belong to root or to the user of the broker, %u", path, (unsigned) status.st_uid, (unsigned) geteuid ());
    return 0;
}

static int
s_load_server (stele_keyring_t *self, const char *folder, stele_refusal_t *refusal)
{
    char *path;
    if (asprintf (&path, "%s/" SERVER, folder) < 0)
        abort ();
    int code = s_check_place (path, false, refusal);
    stele_key_file_t *file = code == 0? stele_key_file_load (path, refusal): NULL;
    const char *public_key = file? stele_key_file_key (file, "public-key", refusal): NULL;
    const char *secret_key = public_key? stele_key_file_key (file, "secret-key", refusal): NULL;
    if (secret_key) {
        memcpy (self->server_key, public_key, STELE_KEY_TEXT);
        memcpy (self->secret_key, secret_key, STELE_KEY_TEXT);
    }
    stele_key_file_destroy (&file);
    free (path);
    return secret_key? 0: refusal->code;
}

static int
s_load_one (stele_keyring_t *self, const char *folder, const char *file_name, stele_refusal_t *refusal)
{
    char *path;
    if (asprintf (&path, "%s/%s", folder, file_name) < 0)
        abort ();
    int code = s_check_place (path, false, refusal);
    stele_key_file_t *file = code == 0? stele_key_file_load (path, refusal): NULL;
    s_key_t *other = NULL, *key = file?
        s_key_new (file, stele_memory_copy (file_name, strlen (file_name) - strlen (".key")), path, refusal): NULL;
    code = key? 0: refusal->code;
    if (key)
        HASH_FIND_STR (self->keys, key->public_key, other);
    if (other || (key && strcmp (key->public_key, self->server_key) == 0)) {
        code = stele_refuse (refusal, STELE_EINVALID_FIELD, "keys", "keys: '%.200s' has the public key of '%.60s': every client "
            "has its own", path, other? other->name: SERVER);
        s_destroy_key (&key);
    }
    else
    if (key)
        HASH_ADD_STR (self->keys, public_key, key);
    stele_key_file_destroy (&file);
    free (path);
    return code;
}

//  A record of 'stele key revoke'. It lets nobody in, so one that cannot be read is no error.
static void
s_load_revoked (stele_keyring_t *self, const char *folder, const char *file_name, size_t name_size)
{
    char *path;
    if (asprintf (&path, "%s/%s", folder, file_name) < 0)
        abort ();
    stele_refusal_t ignored;
    stele_key_file_t *file = stele_key_file_load (path, &ignored);
    s_key_t *other = NULL, *key = file? s_key_new (file, stele_memory_copy (file_name, name_size), path, &ignored): NULL;
    if (key)
        HASH_FIND_STR (self->revoked, key->public_key, other);
    if (other)
        s_destroy_key (&key);
    else
    if (key)
        HASH_ADD_STR (self->revoked, public_key, key);
    stele_key_file_destroy (&file);
    free (path);
}

//  The bytes of the name of the key of a revoked one; 0: it is none
static size_t
s_revoked_name (const char *name)
{
    const char *found = NULL;
    for (const char *at = name; (at = strstr (at, REVOKED)); at++)
        found = at;
    return found && *name != '.'? (size_t) (found - name): 0;
}

static bool
s_is_key (const char *name)
{
    size_t size = strlen (name);
    return *name != '.' && size > 4 && strcmp (name + size - 4, ".key") == 0;
}

stele_keyring_t *
stele_keyring_load (const char *folder, stele_refusal_t *refusal)
{
    stele_keyring_t *self = STELE_NEW (stele_keyring_t);
    int code = s_check_place (folder, true, refusal);
    if (code == 0)
        code = s_load_server (self, folder, refusal);
    DIR *directory = code == 0? opendir (folder): NULL;
    if (code == 0 && !directory)
        code = stele_refuse (refusal, STELE_EINVALID_FIELD, "keys", "keys: cannot read '%.200s': %s", folder, strerror (errno));
    struct dirent *entry;
    while (code == 0 && (errno = 0, entry = readdir (directory)))
        if (s_is_key (entry->d_name))
            code = s_load_one (self, folder, entry->d_name, refusal);
        else
        if (s_revoked_name (entry->d_name))
            s_load_revoked (self, folder, entry->d_name, s_revoked_name (entry->d_name));
    //  A folder that was read in part would revoke the keys that are missing
    if (code == 0 && errno)
        code = stele_refuse (refusal, STELE_EINVALID_FIELD, "keys", "keys: cannot read '%.200s': %s", folder, strerror (errno));
    if (directory)
        closedir (directory);
    if (code)
        stele_keyring_destroy (&self);
    return self;
}

//  -- look up and compare -----------------------------------------------------------

const stele_identity_t *
stele_keyring_find (const stele_keyring_t *self, const char *public_key)
{
    s_key_t *key;
    HASH_FIND_STR (self->keys, public_key, key);
    return key? &key->identity: NULL;
}

const stele_identity_t *
stele_keyring_revoked (const stele_keyring_t *self, const char *public_key)
{
    s_key_t *key;
    HASH_FIND_STR (self->keys, public_key, key);
    if (!key)
        HASH_FIND_STR (self->revoked, public_key, key);
    return key? &key->revoked: NULL;
}

const char *
stele_keyring_secret (const stele_keyring_t *self)
{
    return self->secret_key;
}

size_t
stele_keyring_size (const stele_keyring_t *self)
{
    return HASH_COUNT (self->keys);
}

static bool
s_are_same (const stele_span_t *list, size_t count, const stele_span_t *other, size_t other_count)
{
    bool same = count == other_count;
    for (size_t i = 0; same && i < count; i++)
        same = list [i].size == other [i].size && memcmp (list [i].text, other [i].text, list [i].size) == 0;
    return same;
}

bool
stele_identity_is_same (const stele_identity_t *self, const stele_identity_t *other)
{
    return self == other || (self->roles == other->roles && self->not_after_us == other->not_after_us
        && s_are_same (self->users, self->user_count, other->users, other->user_count)
        && s_are_same (self->producers, self->producer_count, other->producers, other->producer_count)
        && s_are_same (self->topics, self->topic_count, other->topics, other->topic_count));
}

static const s_key_t *
s_named (const stele_keyring_t *self, const char *name)
{
    const s_key_t *key = self->keys;
    while (key && strcmp (key->name, name) != 0)
        key = key->hh.next;
    return key;
}

void
stele_keyring_compare (const stele_keyring_t *self, const stele_keyring_t *fresh, stele_keyring_fn *fn, void *arg)
{
    for (const s_key_t *key = fresh->keys; key; key = key->hh.next) {
        const s_key_t *was = s_named (self, key->name);
        if (!was)
            fn ("added", key->name, arg);
        else
        if (strcmp (was->public_key, key->public_key) != 0 || !stele_identity_is_same (&was->identity, &key->identity))
            fn ("changed", key->name, arg);
    }
    for (const s_key_t *key = self->keys; key; key = key->hh.next)
        if (!s_named (fresh, key->name))
            fn ("revoked", key->name, arg);
}
