/*  key - stele key: make, list and revoke the keys with which clients connect

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <ctype.h>
#include <czmq.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/clock.h"
#include "broker/access/keyring.h"
#include "cli/files/key_folder.h"
#include "cli/files/seal_key_file.h"
#include "cli/shared/ask.h"
#include "cli/shared/time_option.h"
#include "cli/terminal/text.h"
#include "cli/view/cell.h"
#include "cli/view/page.h"
#include "cli/view/value.h"
#include "model/field.h"

#define ROLES "publish, query, feed, operate, admin, gateway or metrics"

typedef struct {
    const char *keys, *out, *not_after;
    cli_list_t roles, producers, topics, users;
    bool all, sign;
} args_t;

static const cli_option_t s_options [] = {
    { "keys", 0, "DIR", "the broker's folder of keys (default: STELE_KEYS, or the setting 'keys' in " STELE_CONFIG_FILE ")",
        CLI_TEXT, offsetof (args_t, keys), 0, NULL },
    { "role", 0, "ROLE", "what the key may do: " ROLES "; several: with commas, or repeat the option",
        CLI_LIST, offsetof (args_t, roles), 0, NULL },
    { "producers", 0, "NAMES", "publish only as these producers; * is any text (build-*)",
        CLI_LIST, offsetof (args_t, producers), 0, NULL },
    { "topics", 0, "TOPICS", "follow only topics of the feed that begin with one of these (task.); "
        "the role query reads all events nevertheless",
        CLI_LIST, offsetof (args_t, topics), 0, NULL },
    { "users", 0, "IDS", "see and publish only what belongs to these users", CLI_LIST, offsetof (args_t, users), 0, NULL },
    { "not-after", 0, "TIME", "the key is valid until TIME: RFC 3339, a date, or a time from now such as +12h or +90d",
        CLI_CALL, offsetof (args_t, not_after), 0, cli_take_time },
    { "out", 0, "FILE", "where 'new' writes the client's file; - is stdout (default: NAME.key_secret in this folder, with --sign NAME.seal_secret)",
        CLI_TEXT, offsetof (args_t, out), 0, NULL },
    { "sign", 0, NULL, "new: make a key for seals instead, with which the broker signs the history of its ledger",
        CLI_FLAG, offsetof (args_t, sign), 0, NULL },
    { "all", 'a', NULL, "also list revoked keys", CLI_FLAG, offsetof (args_t, all), 0, NULL },
    CLI_OPTIONS_END
};

//  -- arguments ------------------------------------------------------------------------

static int
s_check_name (const char *name)
{
    static const char characters [] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    if (!isalnum ((unsigned char) *name) || strspn (name, characters) != strlen (name) || strlen (name) > CLI_KEY_NAME_MAX)
        return cli_usage_error ("key", "'%s' is not the name of a key; use 1 to %d letters, digits, and . _ - after the first",
            name, CLI_KEY_NAME_MAX);
    if (strcmp (name, "server") == 0 || strcmp (name, "local") == 0)
        return cli_usage_error ("key", "the name '%s' is reserved: use another one", name);
    return EX_OK;
}

static int
s_check_roles (const cli_list_t *roles)
{
    for (size_t i = 0; i < roles->count; i++)
        if (stele_role_of (roles->items [i], strlen (roles->items [i])) < 0)
            return cli_usage_error ("key", "--role: '%s' is not a role; use " ROLES, roles->items [i]);
    return EX_OK;
}

//  A word of a key file is in quotes, between spaces, and the broker bounds its size
static int
s_check_words (const char *option, const cli_list_t *words, size_t size_max)
{
    for (size_t i = 0; i < words->count; i++) {
        if (strlen (words->items [i]) > size_max || !cli_text_is_utf8 (words->items [i], strlen (words->items [i])))
            return cli_usage_error ("key", "--%s: '%.60s' is not UTF-8 of at most %zu bytes", option, words->items [i], size_max);
        for (const char *character = words->items [i]; *character; character++)
            if (strchr (" \"'", *character) || iscntrl ((unsigned char) *character))
                return cli_usage_error ("key", "--%s: '%s' has a space, a quote or a control character, which a key file "
                    "cannot hold", option, words->items [i]);
    }
    return EX_OK;
}

//  --not-after as RFC 3339, to the second
static int
s_check_end (const char *option, char *text, size_t size)
{
    int64_t time_us;
    if (!option)
        return EX_OK;
    int rc = cli_time_read (option, &time_us);
    assert (rc == 0);
    if (time_us <= stele_clock_us ())
        return cli_usage_error ("key", "--not-after: '%s' is in the past", option);
    time_t seconds = (time_t) (time_us / 1000000);
    struct tm parts;
    strftime (text, size, "%Y-%m-%dT%H:%M:%SZ", gmtime_r (&seconds, &parts));
    return EX_OK;
}

//  The folder of --keys, of the environment, or of the configuration of the broker. Caller owns return value; NULL, with
//  a report: none is known
static char *
s_folder (const args_t *args)
{
    const char *folder = args->keys? args->keys: getenv ("STELE_KEYS");
    zconfig_t *config = folder && *folder? NULL: zconfig_load (STELE_CONFIG_FILE);
    if (config)
        folder = zconfig_get (config, "keys", NULL);
    char *copy = folder && *folder? strdup (folder): NULL;
    zconfig_destroy (&config);
    if (!copy)
        cli_usage_error ("key", "no folder of keys: give --keys DIR, or STELE_KEYS; the setting 'keys' of the broker names it");
    return copy;
}

//  -- new, add --------------------------------------------------------------------------

static void
s_print_made (const cli_t *self, const char *folder, const cli_key_t *key, const char *secret, FILE *file)
{
    if (self->json) {
        json_t *made = json_pack ("{ss ss so ss*}", "name", key->name, "public_key", key->public_key,
            "file", json_sprintf ("%s/%s.key", folder, key->name), "secret", secret);
        json_dumpf (made, file, JSON_COMPACT);
        fputc ('\n', file);
        json_decref (made);
        return;
    }
    fprintf (file, "%s/%s.key is for the broker, which reads it after 'stele key reload', and when it starts\n", folder,
        key->name);
    if (!secret)
        return;
    fprintf (file, "%s is for the client: copy it there, with mode 600, and delete it here\n", secret);
    fprintf (file, "there: stele --key %s.key_secret, or STELE_KEY=/path/to/%s.key_secret\n", key->name, key->name);
}

static int
s_read_key (cli_key_t *key, const args_t *args, char *not_after, size_t size)
{
    int status = s_check_roles (&args->roles);
    if (status == EX_OK)
        status = s_check_words ("producers", &args->producers, STELE_LIMIT_ID);
    if (status == EX_OK)
        status = s_check_words ("topics", &args->topics, STELE_LIMIT_TOPIC);
    if (status == EX_OK)
        status = s_check_words ("users", &args->users, STELE_LIMIT_ID);
    if (status == EX_OK)
        status = s_check_end (args->not_after, not_after, size);
    if (status == EX_OK && args->roles.count == 0)
        status = cli_usage_error ("key", "missing option: --role ROLE, what the key may do: " ROLES);
    key->roles = &args->roles;
    key->producers = &args->producers;
    key->topics = &args->topics;
    key->users = &args->users;
    key->not_after = not_after;
    return status;
}

//  The first key also makes the pair of the broker
static int
s_server_key (const cli_key_folder_t *folder, char server_key [STELE_KEY_TEXT])
{
    bool made = false;
    int status = cli_key_folder_server (folder, server_key, &made);
    if (status == EX_OK && made)
        cli_warn ("made the broker's own pair in '%s': set 'keys' of steled to this folder, and restart it",
            cli_key_folder_path (folder));
    return status;
}

static int
s_new (cli_t *self, const args_t *args, const cli_key_folder_t *folder, cli_key_t *key)
{
    char server_key [STELE_KEY_TEXT], path [NAME_MAX + 1];
    snprintf (path, sizeof path, "%s.key_secret", key->name);
    const char *out = args->out? args->out: path;
    bool to_stdout = strcmp (out, "-") == 0;
    int status = s_server_key (folder, server_key);
    if (status)
        return status;
    int rc = zmq_curve_keypair (key->public_key, key->secret_key);
    assert (rc == 0);
    //  The broker's part first: without it, the client's is of no use
    status = cli_key_folder_add (folder, key);
    if (status == EX_OK && (status = cli_key_write_secret (out, key, server_key)))
        cli_key_folder_remove (folder, key->name);
    explicit_bzero (key->secret_key, sizeof key->secret_key);
    if (status == EX_OK)
        s_print_made (self, cli_key_folder_path (folder), key, out, to_stdout? stderr: stdout);
    return status;
}

//  The public key of an argument: the key itself, or a file that has it
static int
s_read_public (const char *argument, cli_key_t *key)
{
    if (stele_key_is_valid (argument)) {
        memcpy (key->public_key, argument, STELE_KEY_TEXT);
        return EX_OK;
    }
    stele_refusal_t refusal;
    stele_key_file_t *file = stele_key_file_load (argument, &refusal);
    const char *text = file? stele_key_file_key (file, "public-key", &refusal): NULL;
    if (text)
        memcpy (key->public_key, text, STELE_KEY_TEXT);
    else
        cli_report ("%s; a public key is 40 characters, or a file that has it", refusal.message);
    stele_key_file_destroy (&file);
    return text? EX_OK: refusal.code == STELE_EIO? EX_NOINPUT: EX_DATAERR;
}

static int
s_add (cli_t *self, const cli_key_folder_t *folder, cli_key_t *key, const char *argument)
{
    char server_key [STELE_KEY_TEXT];
    int status = s_read_public (argument, key);
    if (status == EX_OK)
        status = s_server_key (folder, server_key);
    if (status == EX_OK)
        status = cli_key_folder_add (folder, key);
    if (status)
        return status;
    s_print_made (self, cli_key_folder_path (folder), key, NULL, stdout);
    if (!self->json)
        printf ("the client's own key file needs, under metadata, this line:\n    server-key = \"%s\"\n", server_key);
    return EX_OK;
}

//  -- list, show ------------------------------------------------------------------------

//  The broker refuses the whole folder for one key that it cannot use: find that key
static void
s_check_keys (json_t *keys)
{
    for (size_t i = 0; i < json_array_size (keys); i++) {
        json_t *row = json_array_get (keys, i);
        const char *state = cli_value_string (row, "state"), *path = cli_value_string (row, "file");
        struct stat status;
        stele_refusal_t refusal;
        zchunk_t *text = strcmp (state, "valid") == 0 || strcmp (state, "expired") == 0? zchunk_slurp (path, 0): NULL;
        if (!text)
            continue;
        int code = stele_keyring_read (cli_value_string (row, "name"), (const char *) zchunk_data (text), zchunk_size (text),
            &refusal);
        if (code == 0 && stat (path, &status) == 0 && (status.st_mode & (S_IWGRP | S_IWOTH)))
            code = stele_refuse (&refusal, STELE_EINVALID_FIELD, "keys", "'%s' has mode %03o, with which other users could let "
                "themselves in: chmod go-w it", path, (unsigned) status.st_mode & 0777);
        if (code) {
            json_object_set_new (row, "state", json_string ("invalid"));
            json_object_set_new (row, "error", json_string (refusal.message));
        }
        zchunk_destroy (&text);
    }
}

static const cli_column_t s_columns [] = {
    { "NAME", 0, 0 },
    { "STATE", 0, 0 },
    { "ROLES", CLI_CUT, 10 },
    { "PRODUCERS", CLI_CUT | CLI_OPTIONAL, 10 },
    { "TOPICS", CLI_CUT | CLI_OPTIONAL, 10 },
    { "USERS", CLI_CUT | CLI_OPTIONAL, 10 },
    { "NOT AFTER", CLI_OPTIONAL, 0 },
    CLI_COLUMNS_END
};

//  Lists of words as they are in the file
static void
s_join (json_t *row)
{
    static const char *const lists [] = { "roles", "producers", "topics", "users" };
    for (size_t i = 0; i < sizeof lists / sizeof lists [0]; i++)
        cli_value_join (row, lists [i]);
}

static void
s_print_table (const cli_t *self, const json_t *keys)
{
    cli_table_t *table = cli_table_new (s_columns, &self->style);
    for (size_t i = 0; i < json_array_size (keys); i++) {
        json_t *row = json_array_get (keys, i);
        s_join (row);
        cli_cell (table, row, "name");
        cli_table_colour (table, strcmp (cli_value_string (row, "state"), "valid")? CLI_RED: CLI_PLAIN,
            cli_value_string (row, "state"));
        cli_cell (table, row, "roles");
        cli_cell (table, row, "producers");
        cli_cell (table, row, "topics");
        cli_cell (table, row, "users");
        cli_cell (table, row, "not_after");
        if (json_object_get (row, "error"))
            cli_table_note (table, CLI_PLAIN, cli_value_string (row, "error"), strlen (cli_value_string (row, "error")));
    }
    cli_table_flush (table, stdout);
    cli_table_destroy (&table);
}

static int
s_list (const cli_t *self, const args_t *args, const cli_key_folder_t *folder)
{
    int status;
    json_t *keys = cli_key_folder_list (folder, NULL, args->all, &status);
    if (!keys)
        return status;
    s_check_keys (keys);
    if (self->json) {
        json_t *answer = json_pack ("{sO}", "keys", keys);
        json_dumpf (answer, stdout, JSON_COMPACT);
        putchar ('\n');
        json_decref (answer);
    }
    else
    if (json_array_size (keys))
        s_print_table (self, keys);
    else
        cli_warn ("no keys in '%s'; 'stele key new NAME --role ROLE' makes one", cli_key_folder_path (folder));
    json_decref (keys);
    return EX_OK;
}

//  The keys of that name; NULL, with the exit status in *status: there is none
static json_t *
s_find (const cli_key_folder_t *folder, const char *name, bool revoked, int *status)
{
    json_t *keys = cli_key_folder_list (folder, name, revoked, status);
    if (!keys || json_array_size (keys))
        return keys;
    cli_report ("there is no key '%s' in '%s'", name, cli_key_folder_path (folder));
    *status = CLI_NO;
    json_decref (keys);
    return NULL;
}

//  The valid key, and those that were revoked
static int
s_show (const cli_t *self, const cli_key_folder_t *folder, const char *name)
{
    int status;
    json_t *keys = s_find (folder, name, true, &status);
    s_check_keys (keys);
    for (size_t i = 0; i < json_array_size (keys); i++) {
        json_t *row = json_array_get (keys, i);
        if (self->json) {
            json_dumpf (row, stdout, JSON_COMPACT);
            putchar ('\n');
            continue;
        }
        s_join (row);
        if (i)
            putchar ('\n');
        cli_page_members (self, row);
    }
    json_decref (keys);
    return status;
}

//  -- revoke, reload ----------------------------------------------------------------------

static int
s_revoke (const cli_t *self, const cli_key_folder_t *folder, const char *name)
{
    int status;
    json_t *keys = s_find (folder, name, false, &status);
    json_decref (keys);
    if (keys)
        status = cli_key_folder_revoke (folder, name);
    if (status)
        return status;
    if (self->json)
        printf ("{\"name\":\"%s\",\"state\":\"revoked\"}\n", name);
    else
        printf ("%s is revoked; the broker lets it in until 'stele key reload', or 'systemctl reload steled'\n", name);
    return EX_OK;
}

static void
s_print_reload (cli_t *self, json_t *answer, void *arg)
{
    (void) arg;
    json_object_del (answer, "ok");
    json_object_del (answer, "position");
    cli_page_members (self, answer);
}

//  -- the command ---------------------------------------------------------------------------

static int
s_run_in (cli_t *self, const args_t *args, const char *path, const cli_operands_t *operands)
{
    const char *action = operands->items [0], *name = operands->count > 1? operands->items [1]: NULL;
    bool makes = strcmp (action, "new") == 0 || strcmp (action, "add") == 0;
    char not_after [32] = "";
    cli_key_t key = { .name = name };
    int status = makes? s_read_key (&key, args, not_after, sizeof not_after): EX_OK;
    if (status)
        return status;
    cli_key_folder_t *folder = cli_key_folder_open (path, makes, &status);
    if (!folder)
        return status;
    if (makes)
        status = *action == 'n'? s_new (self, args, folder, &key): s_add (self, folder, &key, operands->items [2]);
    else
    if (strcmp (action, "list") == 0)
        status = s_list (self, args, folder);
    else
        status = strcmp (action, "show") == 0? s_show (self, folder, name): s_revoke (self, folder, name);
    cli_key_folder_close (&folder);
    return status;
}

static int
s_run (cli_t *self, void *arguments, const cli_operands_t *operands)
{
    static const struct { const char *name; size_t operands; const char *missing; } actions [] = {
        { "new", 2, "NAME" }, { "add", 3, "NAME and KEY" }, { "list", 1, "" }, { "show", 2, "NAME" }, { "revoke", 2, "NAME" },
        { "reload", 1, "" }
    };
    size_t i = 0;
    while (i < sizeof actions / sizeof actions [0] && strcmp (actions [i].name, operands->items [0]) != 0)
        i++;
    if (i == sizeof actions / sizeof actions [0])
        return cli_usage_error ("key", "'%s' is not an action; use new, add, list, show, revoke or reload", operands->items [0]);
    if (operands->count < actions [i].operands)
        return cli_usage_error ("key", "missing argument: stele key %s %s", actions [i].name, actions [i].missing);
    if (operands->count > actions [i].operands)
        return cli_usage_error ("key", "unexpected argument '%s'", operands->items [actions [i].operands]);
    if (strcmp (actions [i].name, "reload") == 0)
        return cli_ask_and_print (self, cli_request ("keys.reload"), s_print_reload, NULL);
    const args_t *args = arguments;
    if (args->sign && strcmp (actions [i].name, "new") != 0)
        return cli_usage_error ("key", "--sign is for 'stele key new'");
    if (args->sign)
        return cli_seal_key_make (self, operands->items [1], args->out);
    int status = operands->count > 1? s_check_name (operands->items [1]): EX_OK;
    char *folder = status? NULL: s_folder (arguments);
    if (folder)
        status = s_run_in (self, arguments, folder, operands);
    else
    if (status == EX_OK)
        status = EX_USAGE;
    free (folder);
    return status;
}

const cli_command_t cli_cmd_key = {
    .name = "key",
    .summary = "make, list and revoke keys of clients",
    .usage = {
        .usage = "stele key new [OPTION]... NAME\nstele key add [OPTION]... NAME KEY\nstele key list|reload [OPTION]...\n"
            "stele key show|revoke [OPTION]... NAME",
        .about =
            "Manage the keys with which clients connect to a broker whose setting 'keys' names a folder. All but 'reload' work in "
            "that folder, without the broker.\n"
            "\n"
            "new: make a pair. The public key stays in the folder, the client's file is for the client alone. With --sign, make a "
            "key for the setting 'seal' instead: it needs no folder and no role.\n"
            "add: let in a client that made its own pair; KEY is its public key, or a file that has it.\n"
            "list: the keys, with their state. show: every field of one.\n"
            "revoke: set a key aside, as NAME.revoked-TIME, with which the broker lets nobody in.\n"
            "reload: have the broker read its folder now. What it no longer finds there is refused from then on.",
        .after =
            "Roles: publish records events; query reads records; feed follows the feed (give it query as well, to read what was "
            "missed); operate repairs (includes query); metrics "
            "reads statistics; admin may do everything but gateway, which acts for others (an HTTP gateway).\n"
            "\n"
            "Exit status: 1 there is no such key, 73 the key or the file exists, 77 not allowed, 78 others may write the folder.",
        .examples =
            "  stele key new alice --keys /etc/stele/keys --role publish,query\n"
            "  stele key new ci --role publish --producers 'build-*' --not-after +90d\n"
            "  stele key new ledger.example.org --sign --out /etc/stele/ledger.seal_secret\n"
            "  stele key revoke alice && stele key reload\n"
            "  stele --key ci.key_secret list"
    },
    .options = s_options,
    .args_size = sizeof (args_t),
    .operands_min = 1,
    .operands_max = 3,
    .run = s_run
};
