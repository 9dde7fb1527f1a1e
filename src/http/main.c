/*  main - stele-http: options, signals, and the actor stele_http

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <unistd.h>
#include "base/clock.h"
#include "broker/common/actor.h"
#include "broker/common/log.h"
#include "cli/files/descriptors.h"
#include "cli/terminal/options.h"
#include "http/http.h"
#include "stele_library.h"

typedef struct {
    const char *listen, *requests, *feed, *key, *tokens, *cert, *cert_key, *mode, *log, *log_level;
    int64_t rate;
    int64_t parent;                 // Process id: end with it
    bool version, help;
    cli_list_t hosts;
} s_args_t;

static const cli_option_t s_options [] = {
    { "listen", 'l', "ADDRESS", "Serve HTTP at ADDRESS:PORT, [ADDRESS]:PORT or unix:PATH (default: " STELE_HTTP_LISTEN "). "
        "Addresses that other machines can reach need --cert and --tokens.", CLI_TEXT, offsetof (s_args_t, listen), 0, NULL },
    { "socket-mode", 0, "MODE", "Mode of a unix socket: 0600, 0660 or 0666 (default: 0600).", CLI_TEXT, offsetof (s_args_t, mode), 0,
        NULL },
    { "cert", 0, "FILE", "Serve HTTPS with the certificate in FILE (PEM, with its chain after it).", CLI_TEXT,
        offsetof (s_args_t, cert), 0, NULL },
    { "cert-key", 0, "FILE", "The private key of the certificate (PEM). Only its owner and its group may be able to read it.", CLI_TEXT,
        offsetof (s_args_t, cert_key), 0, NULL },
    { "host", 0, "NAME", "Also serve requests that are addressed to NAME, for example by a proxy. May be repeated, or a list with "
        "commas. Without it: localhost, loopback addresses and the names of the certificate.", CLI_LIST, offsetof (s_args_t, hosts), 0, NULL },
    { "requests", 0, "ENDPOINT", "The broker's endpoint of requests, or those of nodes that share a log, separated by commas (default: "
        "STELE_REQUESTS, or " STELE_DEFAULT_REQUESTS ").",
        CLI_TEXT, offsetof (s_args_t, requests), 0, NULL },
    { "feed", 0, "ENDPOINT", "The broker's endpoint of the feed, or several (default: STELE_FEED, or " STELE_DEFAULT_FEED ").",
        CLI_TEXT, offsetof (s_args_t, feed), 0, NULL },
    { "key", 0, "FILE", "Key to connect to the broker with over tcp, as made by 'stele key new' (default: STELE_KEY, or none). It "
        "needs the roles feed, query, metrics, those of its clients, and with tokens gateway.", CLI_TEXT,
        offsetof (s_args_t, key), 0, NULL },
    { "tokens", 0, "FILE", "Serve only requests with a token of FILE, as made by 'stele token new' (default: STELE_TOKENS, or "
        "none: everybody who can connect). Read again when it changes.", CLI_TEXT, offsetof (s_args_t, tokens), 0, NULL },
    { "rate", 0, "N", "With tokens, answer at most N requests per second of each token, and of each address without one; after a "
        "pause, five times as many at once (default: 20).", CLI_NUMBER, offsetof (s_args_t, rate), 1, NULL },
    { "log", 0, "text|json", "Log as text or as JSON Lines (default: text).", CLI_TEXT, offsetof (s_args_t, log), 0, NULL },
    { "log-level", 0, "LEVEL", "Log messages of this level and of those before it: error, warning, info, debug (default: "
        "info).", CLI_TEXT, offsetof (s_args_t, log_level), 0, NULL },
    { "parent", 0, "PID", "Stop when the process PID ends, which must be the parent of this one. steled --http uses it.",
        CLI_NUMBER, offsetof (s_args_t, parent), 1, NULL },
    { "version", 'V', NULL, "Print the version and exit.", CLI_FLAG, offsetof (s_args_t, version), 0, NULL },
    { "help", 'h', NULL, "Show this help and exit.", CLI_FLAG, offsetof (s_args_t, help), 0, NULL },
    CLI_OPTIONS_END
};

static const cli_usage_t s_usage = {
    "stele-http [OPTION]...",
    "The HTTP server of Stele: JSON, a live stream of events, metrics and health. It is a client of a broker, and may be "
    "restarted, or run several times, while the broker runs. SIGTERM or SIGINT stops it; SIGHUP reads the tokens and the certificate "
    "again.",
    "'steled --http ADDRESS' runs it together with a broker. /openapi.json and doc/HTTP.md describe what it answers.",
    "  stele-http\n"
    "  stele-http --tokens /etc/stele/tokens\n"
    "  stele-http --listen 0.0.0.0:443 --cert chain.pem --cert-key key.pem --tokens /etc/stele/tokens\n"
    "  stele-http --listen unix:/run/stele/http --host stele.example.org\n"
    "  curl http://127.0.0.1:5580/v1/tasks?states=running\n"
};

static const char *
s_choose (const char *given, const char *variable, const char *otherwise)
{
    const char *set = variable? getenv (variable): NULL;
    return given? given: set && *set? set: otherwise;
}

//  Is the parent gone already, before its end would be signalled?
static bool
s_bind_to_parent (int64_t parent)
{
    if (parent == 0)
        return true;
    prctl (PR_SET_PDEATHSIG, SIGTERM);
    return getppid () == (pid_t) parent;
}

//  NULL and "" leave the default
static void
s_set (zactor_t *http, const char *name, const char *value)
{
    if (value && *value)
        zstr_sendx (http, "SET", name, value, NULL);
}

//  Exit status: EX_OK when it is ready
static int
s_start (zactor_t *http, const s_args_t *args)
{
    zstr_sendx (http, "SET", "listen", s_choose (args->listen, NULL, STELE_HTTP_LISTEN), NULL);
    zstr_sendx (http, "SET", "requests", s_choose (args->requests, "STELE_REQUESTS", STELE_DEFAULT_REQUESTS), NULL);
    zstr_sendx (http, "SET", "feed", s_choose (args->feed, "STELE_FEED", STELE_DEFAULT_FEED), NULL);
    s_set (http, "key", s_choose (args->key, "STELE_KEY", ""));
    s_set (http, "tokens", s_choose (args->tokens, "STELE_TOKENS", ""));
    s_set (http, "cert", args->cert);
    s_set (http, "cert-key", args->cert_key);
    s_set (http, "mode", args->mode);
    char rate [24];
    snprintf (rate, sizeof rate, "%" PRId64, args->rate);
    s_set (http, "rate", rate);
    for (size_t i = 0; i < args->hosts.count; i++)
        zstr_sendx (http, "SET", "host", args->hosts.items [i], NULL);
    zstr_sendx (http, "START", NULL);
    char *status = NULL, *text = NULL;
    zstr_recvx (http, &status, &text, NULL);
    bool ready = status && streq (status, "READY");
    if (ready)
        stele_log_info ("ready", "ready: %s, for the broker at %s", text,
            s_choose (args->requests, "STELE_REQUESTS", STELE_DEFAULT_REQUESTS));
    else
        stele_log_error ("cannot_start", "cannot start: %s", text? text: "interrupted");
    zstr_free (&status);
    zstr_free (&text);
    return ready? EX_OK: EX_CONFIG;
}

static int
s_run (const s_args_t *args)
{
    sigset_t set;
    sigemptyset (&set);
    sigaddset (&set, SIGTERM);
    sigaddset (&set, SIGINT);
    sigaddset (&set, SIGHUP);
    //  Before the first thread starts, so that every thread inherits the mask
    pthread_sigmask (SIG_BLOCK, &set, NULL);
    int signals = signalfd (-1, &set, SFD_CLOEXEC);
    if (!s_bind_to_parent (args->parent))
        return EX_OK;
    zsys_handler_set (NULL);
    zsys_init ();
    stele_log_set_program ("stele-http");
    stele_log_configure (s_choose (args->log, NULL, "text"), s_choose (args->log_level, NULL, "info"));
    cli_descriptors_raise ();
    zactor_t *http = stele_actor_new (stele_http, NULL);
    if (!http) {
        stele_log_error ("cannot_start", "cannot start a thread: %s", strerror (errno));
        return EX_OSERR;
    }
    int status = s_start (http, args);
    struct signalfd_siginfo info;
    while (status == EX_OK && read (signals, &info, sizeof info) == sizeof info && info.ssi_signo == SIGHUP)
        zstr_send (http, "RELOAD");
    if (status == EX_OK)
        stele_log_info ("stopping", "%s: stopping", info.ssi_signo == SIGINT? "SIGINT": "SIGTERM");
    zactor_destroy (&http);
    close (signals);
    return status;
}

static bool
s_is_word (const char *word, const char *words)
{
    size_t size = word? strlen (word): 0;
    while (size && *words) {
        if (strcspn (words, "|") == size && strncmp (words, word, size) == 0)
            return true;
        words += strcspn (words, "|");
        words += *words == '|';
    }
    return !word;
}

int
main (int argc, char **argv)
{
    s_args_t args = { .rate = STELE_HTTP_RATE };
    const cli_group_t groups [] = { { "Options", s_options, &args }, CLI_GROUPS_END };
    cli_operands_t operands = { 0 };
    char error [256];
    int status = EX_USAGE;
    cli_descriptors_open ();
    signal (SIGPIPE, SIG_IGN);
    if (cli_options_parse (groups, argc - 1, argv + 1, false, &operands, error, sizeof error) < 0)
        fprintf (stderr, "stele-http: %s\nTry 'stele-http --help'.\n", error);
    else
    if (operands.count > 0)
        fprintf (stderr, "stele-http: unexpected argument '%s'\nTry 'stele-http --help'.\n", operands.items [0]);
    else
    if (!s_is_word (args.mode, "0600|0660|0666"))
        fprintf (stderr, "stele-http: --socket-mode takes 0600, 0660 or 0666\n");
    else
    if (!s_is_word (args.log, "text|json") || !s_is_word (args.log_level, "error|warning|info|debug"))
        fprintf (stderr, "stele-http: --log takes text or json, --log-level error, warning, info or debug\n");
    else
    if (args.help || args.version) {
        if (args.help)
            cli_options_help (stdout, &s_usage, groups);
        else
            puts ("stele-http " STELE_VERSION);
        status = EX_OK;
    }
    else
        status = s_run (&args);
    cli_operands_clear (&operands);
    cli_list_clear (&args.hosts);
    return status;
}
