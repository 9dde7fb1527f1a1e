/*  token - stele token: make, list and revoke the tokens of HTTP clients

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <ctype.h>
#include <czmq.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include "base/clock.h"
#include "base/file.h"
#include "cli/files/token_file.h"
#include "cli/shared/time_option.h"
#include "cli/shared/cli.h"
#include "cli/view/cell.h"
#include "cli/view/value.h"
#include "wire/time.h"

typedef struct {
    const char *tokens, *not_after;
    cli_list_t roles, users;
    bool all;
} args_t;

static const cli_option_t s_options [] = {
    { "tokens", 0, "FILE", "the file of tokens (default: STELE_TOKENS, or the setting 'tokens' in " STELE_CONFIG_FILE ")",
        CLI_TEXT, offsetof (args_t, tokens), 0, NULL },
    { "role", 0, "ROLE", "what the token may do: " CLI_TOKEN_ROLES "; several: with commas, or repeat the option",
        CLI_LIST, offsetof (args_t, roles), 0, NULL },
    { "users", 0, "IDS", "see and publish only what belongs to these users", CLI_LIST, offsetof (args_t, users), 0, NULL },
    { "not-after", 0, "TIME", "the token is valid until TIME: RFC 3339, a date, or a time from now such as +12h or +90d",
        CLI_CALL, offsetof (args_t, not_after), 0, cli_take_time },
    { "all", 'a', NULL, "also list revoked tokens", CLI_FLAG, offsetof (args_t, all), 0, NULL },
    CLI_OPTIONS_END
};

//  -- the file --------------------------------------------------------------------------

//  The file of --tokens, of the environment, or of the configuration of the broker. Caller owns return value; NULL, with
//  a report: none is known
static char *
s_path (const args_t *args)
{
    const char *path = args->tokens? args->tokens: getenv ("STELE_TOKENS");
    zconfig_t *config = path && *path? NULL: zconfig_load (STELE_CONFIG_FILE);
    if (config)
        path = zconfig_get (config, "tokens", NULL);
    char *copy = path && *path? strdup (path): NULL;
    zconfig_destroy (&config);
    if (!copy)
        cli_usage_error ("token", "no file of tokens: give --tokens FILE, or STELE_TOKENS; the setting 'tokens' of the broker "
            "names it");
    return copy;
}

static int
s_failed (const stele_refusal_t *refusal)
{
    cli_report ("%s", refusal->message);
    return refusal->code == STELE_EIO? EX_NOINPUT: refusal->code == STELE_EUNAUTHORIZED? EX_CONFIG: EX_DATAERR;
}

//  Two runs at a time would lose the change of one: lock the folder until the end of this one
static int
s_lock (const char *path)
{
    char *folder = stele_file_folder (path);
    int fd = open (folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = fd < 0? -1: flock (fd, LOCK_EX);
    if (rc)
        cli_report ("cannot use the folder '%s' of the file of tokens: %s", folder, strerror (errno));
    free (folder);
    return rc? EX_NOINPUT: EX_OK;
}

static int
s_load (cli_tokens_t *tokens, const char *path, bool missing_is_fine)
{
    stele_refusal_t refusal;
    if (missing_is_fine && access (path, F_OK) != 0 && errno == ENOENT)
        return EX_OK;
    return cli_tokens_load (tokens, path, &refusal)? s_failed (&refusal): EX_OK;
}

static int
s_save (const cli_tokens_t *tokens, const char *path)
{
    stele_refusal_t refusal;
    if (cli_tokens_save (tokens, path, &refusal) == 0)
        return EX_OK;
    cli_report ("%s", refusal.message);
    return EX_CANTCREAT;
}

static const char *
s_state (const cli_token_t *token)
{
    return token->revoked_us? "revoked": token->not_after_us && token->not_after_us <= stele_clock_us ()? "expired": "valid";
}

//  The token with that name or id that is not revoked; NULL: there is none
static cli_token_t *
s_find (const cli_tokens_t *tokens, const char *name)
{
    for (size_t i = 0; i < tokens->count; i++)
        if (!tokens->items [i].revoked_us
        &&  (strcmp (tokens->items [i].name, name) == 0 || strcmp (tokens->items [i].id, name) == 0))
            return &tokens->items [i];
    return NULL;
}

static json_t *
s_words (const cli_list_t *list)
{
    json_t *words = json_array ();
    for (size_t i = 0; i < list->count; i++)
        json_array_append_new (words, json_string (list->items [i]));
    return words;
}

static json_t *
s_record (const cli_token_t *token)
{
    char time [40];
    json_t *record = json_pack ("{ss, ss, ss, so}", "id", token->id, "name", token->name, "state", s_state (token), "roles",
        s_words (&token->roles));
    if (token->users.count)
        json_object_set_new (record, "users", s_words (&token->users));
    if (token->not_after_us) {
        stele_time_print (token->not_after_us, time, sizeof time);
        json_object_set_new (record, "not_after", json_string (time));
    }
    return record;
}

static void
s_print_json (json_t *value)
{
    json_dumpf (value, stdout, JSON_COMPACT);
    putchar ('\n');
    json_decref (value);
}

//  -- new ---------------------------------------------------------------------------------

static int
s_check_new (const args_t *args, const char *name)
{
    static const char characters [] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-@";
    if (!isalnum ((unsigned char) *name) || strspn (name, characters) != strlen (name) || strlen (name) > CLI_TOKEN_NAME)
        return cli_usage_error ("token", "'%s' is not the name of a token; use 1 to %d letters, digits, and . _ - @ after the first",
            name, CLI_TOKEN_NAME);
    if (args->roles.count == 0)
        return cli_usage_error ("token", "missing option: --role ROLE, what the token may do: " CLI_TOKEN_ROLES);
    for (size_t i = 0; i < args->roles.count; i++)
        if (!cli_token_is_role (args->roles.items [i]))
            return cli_usage_error ("token", "--role: '%s' is not a role of tokens; use " CLI_TOKEN_ROLES, args->roles.items [i]);
    if (args->users.count > CLI_TOKEN_USERS)
        return cli_usage_error ("token", "--users: more than %d users", CLI_TOKEN_USERS);
    return EX_OK;
}

static int
s_new (const cli_t *self, args_t *args, const char *path, const char *name)
{
    char text [CLI_TOKEN_TEXT];
    cli_tokens_t tokens = { 0 };
    int64_t not_after_us = 0;
    int status = s_check_new (args, name);
    if (status == EX_OK && args->not_after && cli_time_read (args->not_after, &not_after_us) == 0
    &&  not_after_us <= stele_clock_us ())
        status = cli_usage_error ("token", "--not-after: '%s' is in the past", args->not_after);
    if (status == EX_OK)
        status = s_lock (path);
    if (status == EX_OK)
        status = s_load (&tokens, path, true);
    if (status == EX_OK && s_find (&tokens, name)) {
        cli_report ("there is a token '%s' in '%s': use another name, or revoke it first", name, path);
        status = EX_CANTCREAT;
    }
    if (status == EX_OK) {
        cli_token_t *token = cli_tokens_add (&tokens);
        snprintf (token->name, sizeof token->name, "%s", name);
        token->roles = args->roles;
        token->users = args->users;
        args->roles = args->users = (cli_list_t) { 0 };
        token->not_after_us = not_after_us;
        cli_token_make (token, text);
        status = s_save (&tokens, path);
        if (status == EX_OK && self->json) {
            json_t *record = s_record (token);
            json_object_set_new (record, "token", json_string (text));
            s_print_json (record);
        }
        else
        if (status == EX_OK) {
            printf ("%s\n", text);
            cli_warn ("this is the only time that the token is shown; HTTP clients send it as 'Authorization: Bearer TOKEN'");
        }
        explicit_bzero (text, sizeof text);
    }
    cli_tokens_clear (&tokens);
    return status;
}

//  -- list, revoke ----------------------------------------------------------------------------

static const cli_column_t s_columns [] = {
    { "NAME", 0, 0 },
    { "ID", 0, 0 },
    { "STATE", 0, 0 },
    { "ROLES", CLI_CUT, 10 },
    { "USERS", CLI_CUT | CLI_OPTIONAL, 10 },
    { "NOT AFTER", CLI_OPTIONAL, 0 },
    CLI_COLUMNS_END
};

static void
s_print_table (const cli_t *self, const json_t *records)
{
    cli_table_t *table = cli_table_new (s_columns, &self->style);
    for (size_t i = 0; i < json_array_size (records); i++) {
        json_t *row = json_array_get (records, i);
        cli_value_join (row, "roles");
        cli_value_join (row, "users");
        cli_cell (table, row, "name");
        cli_cell (table, row, "id");
        cli_table_colour (table, strcmp (cli_value_string (row, "state"), "valid")? CLI_RED: CLI_PLAIN,
            cli_value_string (row, "state"));
        cli_cell (table, row, "roles");
        cli_cell (table, row, "users");
        cli_cell (table, row, "not_after");
    }
    cli_table_flush (table, stdout);
    cli_table_destroy (&table);
}

static int
s_list (const cli_t *self, const args_t *args, const char *path)
{
    cli_tokens_t tokens = { 0 };
    int status = s_load (&tokens, path, false);
    json_t *records = json_array ();
    for (size_t i = 0; i < tokens.count && status == EX_OK; i++)
        if (args->all || !tokens.items [i].revoked_us)
            json_array_append_new (records, s_record (&tokens.items [i]));
    if (status == EX_OK && self->json)
        s_print_json (json_pack ("{sO}", "tokens", records));
    else
    if (status == EX_OK && json_array_size (records))
        s_print_table (self, records);
    else
    if (status == EX_OK)
        cli_warn ("no tokens in '%s'; 'stele token new NAME --role ROLE' makes one", path);
    json_decref (records);
    cli_tokens_clear (&tokens);
    return status;
}

static int
s_revoke (const cli_t *self, const char *path, const char *name)
{
    cli_tokens_t tokens = { 0 };
    int status = s_lock (path);
    if (status == EX_OK)
        status = s_load (&tokens, path, false);
    cli_token_t *token = status? NULL: s_find (&tokens, name);
    if (token) {
        token->revoked_us = stele_clock_us ();
        status = s_save (&tokens, path);
        if (status == EX_OK && self->json)
            s_print_json (s_record (token));
        else
        if (status == EX_OK)
            printf ("%s (%s) is revoked; stele-http refuses it within two seconds\n", token->name, token->id);
    }
    else
    if (status == EX_OK) {
        cli_report ("there is no token '%s' in '%s'", name, path);
        status = CLI_NO;
    }
    cli_tokens_clear (&tokens);
    return status;
}

//  -- the command ---------------------------------------------------------------------------

static int
s_run (cli_t *self, void *arguments, const cli_operands_t *operands)
{
    const char *action = operands->items [0], *name = operands->count > 1? operands->items [1]: NULL;
    bool is_new = strcmp (action, "new") == 0, is_list = strcmp (action, "list") == 0;
    if (!is_new && !is_list && strcmp (action, "revoke") != 0)
        return cli_usage_error ("token", "'%s' is not an action; use new, list or revoke", action);
    if (!is_list && !name)
        return cli_usage_error ("token", "missing argument: stele token %s NAME", action);
    if (is_list && name)
        return cli_usage_error ("token", "unexpected argument '%s'", name);
    char *path = s_path (arguments);
    if (!path)
        return EX_USAGE;
    int status = is_new? s_new (self, arguments, path, name): is_list? s_list (self, arguments, path):
        s_revoke (self, path, name);
    free (path);
    return status;
}

const cli_command_t cli_cmd_token = {
    .name = "token",
    .summary = "make, list and revoke tokens of HTTP clients",
    .usage = {
        .usage = "stele token new [OPTION]... NAME\nstele token list [OPTION]...\nstele token revoke [OPTION]... NAME|ID",
        .about =
            "Manage the tokens with which HTTP clients use stele-http. It works in the file of tokens, without the broker; a running "
            "stele-http reads a changed file within two seconds.\n"
            "\n"
            "new: make a token and print it, once: the file has only its hash. The first one makes the file.\n"
            "list: the tokens, with their state. revoke: end one. Its line stays in the file, for the record.",
        .after =
            "Roles: publish records events; query reads records and follows the live stream (includes metrics); metrics reads "
            "statistics; operate repairs (includes query); admin changes the mode, and includes all others. A role counts only as far "
            "as the key of stele-http has it, too.\n"
            "\n"
            "Exit status: 1 there is no such token, 65 the file is not valid, 66 there is no file, 73 the name is in use or the file "
            "cannot be written, 78 others may read the file.",
        .examples =
            "  stele token new grafana --role metrics --tokens /etc/stele/tokens\n"
            "  stele token new alice --role query --users alice --not-after +90d\n"
            "  curl -H \"Authorization: Bearer $TOKEN\" http://127.0.0.1:5580/v1/tasks\n"
            "  stele token revoke alice"
    },
    .options = s_options,
    .args_size = sizeof (args_t),
    .operands_min = 1,
    .operands_max = 2,
    .run = s_run
};
