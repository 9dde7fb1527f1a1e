/*  completion - stele completion: scripts for bash, zsh and fish, and the words that they complete

    The scripts are thin: they call 'stele completion words', which lists every command and
    option, and gets the IDs of tasks from the broker.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdlib.h>
#include <string.h>
#include "cli/shared/ask.h"
#include "cli/shared/id.h"
#include "cli/terminal/text.h"

#define COMPLETION_MS 500           // Time-out of a request: the user is typing

static const char s_bash [] =
    //  readline splits words at : and =, which ids and options have, and replaces the last part only
    "_stele () {\n"
    "    local i part word start line=$COMP_LINE words=()\n"
    "    for ((i = 0; i <= COMP_CWORD; i++)); do\n"
    "        part=${COMP_WORDS[i]}\n"
    "        if ((i == 0)) || [[ $line == [[:space:]]* ]]; then words+=(\"$part\"); else words[-1]+=$part; fi\n"
    "        line=${line#\"${line%%[![:space:]]*}\"}\n"
    "        line=${line#\"$part\"}\n"
    "    done\n"
    "    start=${words[-1]}\n"
    "    [[ $part == [:=]* ]] || start=${start%\"$part\"}\n"
    "    COMPREPLY=()\n"
    "    while IFS= read -r word; do\n"
    "        COMPREPLY+=(\"$(printf %q \"${word#\"$start\"}\")\")\n"
    "    done < <(stele completion words -- \"${words[@]:1}\" 2>/dev/null)\n"
    "    [ ${#COMPREPLY[@]} -gt 0 ] || compopt -o default 2>/dev/null\n"
    "}\n"
    "complete -F _stele stele\n";

static const char s_zsh [] =
    "#compdef stele\n"
    "_stele () {\n"
    "    local -a found\n"
    "    found=(${(f)\"$(stele completion words -- \"${(@Q)words[2,CURRENT-1]}\" \"${(Q)PREFIX}\" 2>/dev/null)\"})\n"
    "    if (( ${#found} )); then compadd -a found; else _files; fi\n"
    "}\n"
    "if [ \"$funcstack[1]\" = _stele ]; then _stele \"$@\"; else compdef _stele stele; fi\n";

static const char s_fish [] =
    "function __stele_words\n"
    "    stele completion words -- (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null\n"
    "end\n"
    //  Files, where there are no words
    "complete -c stele -f -n 'count (__stele_words) >/dev/null' -a '(__stele_words)'\n";

//  -- candidates --------------------------------------------------------------------

//  A candidate is the whole word: also what comes before a value, as in --state=run
static void
s_offer_after (const char *before, const char *candidate, const char *prefix)
{
    if (strncmp (candidate, prefix, strlen (prefix)) == 0)
        printf ("%s%s\n", before, candidate);
}

static void
s_offer (const char *candidate, const char *prefix)
{
    s_offer_after ("", candidate, prefix);
}

static void
s_offer_options (const cli_option_t *options, const char *prefix)
{
    for (; options && options->name; options++) {
        char text [64];
        snprintf (text, sizeof text, "--%s", options->name);
        s_offer (text, prefix);
    }
}

static const cli_command_t *
s_command (const cli_t *self, const char *name)
{
    for (size_t i = 0; self->commands [i]; i++)
        if (strcmp (self->commands [i]->name, name) == 0)
            return self->commands [i];
    return NULL;
}

//  IDs of tasks, latest change first. None, without a message, if there is no broker
static void
s_offer_ids (cli_t *self, const char *prefix)
{
    json_t *request = cli_request ("task.list");
    cli_request_text (request, "order", "updated_desc");
    json_object_set_new (request, "limit", json_integer (1000));
    if (self->timeout_ms == 0)
        self->timeout_ms = COMPLETION_MS;
    self->mode_reported = true;
    json_t *answer = cli_ask (self, request);
    const json_t *tasks = json_object_get (answer, "tasks");
    for (size_t i = 0; i < json_array_size (tasks); i++) {
        char *id = cli_id_argument (json_object_get (json_array_get (tasks, i), "task_id"));
        if (id && id [strcspn (id, "\n\033")] == 0)     // Safe in a shell
            s_offer (id, prefix);
        free (id);
    }
    json_decref (answer);
}

//  Closed sets of words: after an option or its letter, or after the name of the command
#define STATES "queued", "starting", "running", "paused", "completing", "passed", "failed", "error", \
    "cancelled", "timeout"
static const struct {
    const char *command;
    const char *before [2];
    const char *words [12];
} s_closed [] = {
    { "list", { "--state", "-s" }, { STATES } },
    { "export", { "--state", "-s" }, { STATES } },
    { "sessions", { "--state", "-s" }, { "initializing", "starting", "running", "waiting_input", "processing",
        "completed", "error", "terminated" } },
    { "list", { "--order", NULL }, { "created", "updated", "completed" } },
    { "key", { "key", NULL }, { "new", "add", "list", "show", "revoke", "reload" } },
    { "key", { "--role", NULL }, { "publish", "query", "feed", "operate", "admin", "gateway", "metrics" } },
    { "token", { "token", NULL }, { "new", "list", "revoke" } },
    { "token", { "--role", NULL }, { "publish", "query", "operate", "admin", "metrics" } },
    { "mode", { "mode", NULL }, { "dual", "sqlite", "redis" } },
    { "completion", { "completion", NULL }, { "bash", "zsh", "fish" } },
    { "stats", { "--by", "-b" }, { "state", "role", "provider", "model", "hour", "day", "error" } },
    { "outputs", { "--type", NULL }, { "stdout", "stderr", "log", "artifact", "commit", "diagnostic" } },
    { "run", { "--output", NULL }, { "all", "none", "tail:" } },
    { "export", { "--format", "-f" }, { "events", "jsonl", "csv" } },
    { "export", { "--table", NULL }, { "tasks", "task_history", "task_outputs", "task_metrics", "cli_sessions",
        "cli_session_commands", "user_preferences", "rejected_events", "audit_events" } },
    { "audit", { "--operation", NULL }, { "mode", "recover", "task.recover", "task.erase", "consistency.check", "rejected.retry",
        "accept-loss", "access.denied", "key.added", "key.revoked", "key.changed" } }
};

//  Offer the words of a closed set. False: the word is not of one
static bool
s_offer_values (const cli_command_t *command, const char *before, const char *lead, const char *prefix)
{
    for (size_t i = 0; i < sizeof s_closed / sizeof s_closed [0]; i++)
        for (int spelling = 0; spelling < 2 && s_closed [i].before [spelling]; spelling++)
            if (strcmp (command->name, s_closed [i].command) == 0
            &&  strcmp (before, s_closed [i].before [spelling]) == 0) {
                for (const char *const *word = s_closed [i].words; *word; word++)
                    s_offer_after (lead, *word, prefix);
                return true;
            }
    return false;
}

//  The value in --state=run
static void
s_offer_value_of (const cli_command_t *command, const char *word)
{
    char option [64], lead [65];
    const char *value = strchr (word, '=') + 1;
    size_t size = (size_t) (value - word);
    if (!command || size > sizeof option)
        return;
    snprintf (option, sizeof option, "%.*s", (int) (size - 1), word);
    snprintf (lead, sizeof lead, "%.*s", (int) size, word);
    s_offer_values (command, option, lead, value);
}

static bool
s_takes_id (const cli_command_t *command)
{
    return strstr (command->usage.usage, " ID") != NULL;
}

static void
s_complete (cli_t *self, const cli_operands_t *words)
{
    const char *prefix = words->count? words->items [words->count - 1]: "";
    const char *before = words->count > 1? words->items [words->count - 2]: "";
    const cli_command_t *command = NULL;
    for (size_t i = 0; i + 1 < words->count && !command; i++)
        command = s_command (self, words->items [i]);
    if (prefix [0] == '-' && strchr (prefix, '='))
        s_offer_value_of (command, prefix);
    else
    if (prefix [0] == '-') {
        s_offer_options (self->options, prefix);
        s_offer_options (command? command->options: NULL, prefix);
    }
    else
    if (!command)
        for (size_t i = 0; self->commands [i]; i++)
            s_offer (self->commands [i]->name, prefix);
    else
    if (!s_offer_values (command, before, "", prefix) && s_takes_id (command))
        s_offer_ids (self, prefix);
}

static int
s_run (cli_t *self, void *args, const cli_operands_t *operands)
{
    (void) args;
    const char *what = operands->items [0];
    cli_operands_t words = { .items = operands->items + 1, .count = operands->count - 1 };
    if (strcmp (what, "words") == 0) {
        s_complete (self, &words);
        return EX_OK;
    }
    static const struct { const char *shell, *script; } scripts [] = {
        { "bash", s_bash }, { "zsh", s_zsh }, { "fish", s_fish }
    };
    for (size_t i = 0; words.count == 0 && i < sizeof scripts / sizeof scripts [0]; i++)
        if (strcmp (what, scripts [i].shell) == 0) {
            fputs (scripts [i].script, stdout);
            return EX_OK;
        }
    return cli_usage_error ("completion", "'%s' is not a known shell; use bash, zsh or fish", what);
}

const cli_command_t cli_cmd_completion = {
    .name = "completion",
    .summary = "print a shell completion script",
    .usage = {
        .usage = "stele completion bash|zsh|fish",
        .about = "Print a script with which the shell completes commands, options, states and the IDs of tasks "
                 "(of the 1000 that changed last). 'make install' installs it where the shells look for it.",
        .examples =
            "  source <(stele completion bash)              # in ~/.bashrc\n"
            "  source <(stele completion zsh)               # in ~/.zshrc, after compinit"
    },
    .operands_min = 1,
    .operands_max = 1000,
    .run = s_run
};
