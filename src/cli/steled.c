/*  steled - the broker as a daemon: options, signals, log, and the broker actor

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <czmq.h>
#include "base/clock.h"
#include "ledger/process.h"
#include "broker/access/keyring.h"
#include "broker/common/actor.h"
#include "broker/common/log.h"
#include "broker/common/settings.h"
#include "client/connection/key.h"
#include "cli/files/certificate.h"
#include "cli/files/descriptors.h"
#include "cli/files/token_file.h"
#include "cli/http_child.h"
#include "cli/service.h"
#include "cli/terminal/options.h"
#include "fault/fault.h"
#include "stele.h"

#define HTTP_STOP_MS 3000           // Longer than stele-http takes

typedef struct {
    zactor_t *broker;
    cli_http_child_t http;
    const char *config;
    bool verbose, version, help, check_config;
#ifdef STELE_WITH_FAULTS
    bool fault_points;
#endif
    bool stopped;                   // By a signal, before the broker was ready
    cli_list_t settings;            // name, value, name, value, ...
} s_args_t;

//  Settings of the command line, in their order. They are applied after the file, so that they win.
static int
s_keep (const cli_option_t *option, const char *value, void *target, char *error, size_t error_size)
{
    (void) error;
    (void) error_size;
    s_args_t *args = target;
    const char *text = value? value: "yes";
    cli_list_append (&args->settings, option->name, strlen (option->name));
    cli_list_append (&args->settings, text, strlen (text));
    return 0;
}

#define RESCUE_SIGN_MS 5000         // Between two signs of life of a rescue while it stops
#define DEFAULT_TEXT(initial)     " (default: " initial ")"
#define DEFAULT_WORD(initial)     " (default: " initial ")"
#define DEFAULT_COUNT(initial)    " (default: " initial ")"
#define DEFAULT_OPTIONAL(initial) " (default: off)"
#define DEFAULT_FLAG(initial)     ""
#define OPTION(name, member, type, initial, argument, where, help) \
    { name, 0, argument, help DEFAULT_##type (initial), CLI_CALL, 0, 0, s_keep },

#define OPTIONS(title, name, table, row) static const cli_option_t s_##name [] = { table (row) CLI_OPTIONS_END };
STELE_SETTINGS_GROUPS (OPTIONS, OPTION)

static const cli_option_t s_general [] = {
    { "config", 'c', "FILE", "Read settings from FILE (ZPL); options on the command line override it.", CLI_TEXT, offsetof (s_args_t, config), 0, NULL },
    { "check-config", 0, NULL, "Check the file, all settings and the paths that they name, without creating anything, and exit: status 0, or 78 with the reason.", CLI_FLAG, offsetof (s_args_t, check_config), 0, NULL },
    { "verbose", 'v', NULL, "Log every committed batch: the same as --log-level debug.", CLI_FLAG, offsetof (s_args_t, verbose), 0, NULL },
    { "version", 'V', NULL, "Print the version and exit.", CLI_FLAG, offsetof (s_args_t, version), 0, NULL },
    { "help", 'h', NULL, "Show this help and exit.", CLI_FLAG, offsetof (s_args_t, help), 0, NULL },
#ifdef STELE_WITH_FAULTS
    { "fault-points", 0, NULL, "List the places where STELE_FAULT can inject a fault, one per line (with --verbose also their descriptions), and exit.", CLI_FLAG, offsetof (s_args_t, fault_points), 0, NULL },
#endif
    CLI_OPTIONS_END
};

static const cli_usage_t s_usage = {
    "steled [OPTION]...",
    "The Stele broker: it keeps the durable record of tasks. An event is acked once it is on stable"
    " storage; Redis, the feed and the pipeline follow. SIGTERM or SIGINT stops the broker: accepted"
    " events are committed and acked first. A second signal stops it without waiting for followers."
    " SIGHUP reads the file again and applies log and log-level, and reads the keys, the tokens and the"
    " certificate again.",
    "Every setting is also a key of the configuration file, except --accept-loss: see steled.conf(5)."
    " The wire protocol: doc/PROTOCOL.md.",
    "  steled --ledger /var/lib/stele/stele.db\n"
    "  steled --redis none --events ipc:///run/stele/events --requests ipc:///run/stele/requests\n"
    "  steled --config /etc/stele/steled.conf --verbose\n"
};

static void
s_raise_files (void)
{
    struct rlimit limit;
    cli_descriptors_raise ();
    if (getrlimit (RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < SIZE_MAX)
        zsys_set_max_sockets (65536);
}

//  Act on a signal. Returns whether it stops the broker.
static bool
s_take_signal (s_args_t *args, int signals)
{
    struct signalfd_siginfo info;
    if (read (signals, &info, sizeof info) != sizeof info)
        return false;
    if (info.ssi_signo == SIGHUP) {
        stele_log_info ("reload", "SIGHUP: reading the settings again");
        zstr_send (args->broker, "RELOAD");
        cli_http_child_reload (&args->http);
        return false;
    }
    if (info.ssi_signo == SIGCHLD) {
        cli_http_child_check (&args->http);
        return false;
    }
    stele_log_info ("stopping", "%s: stopping; send it again to stop without waiting",
        info.ssi_signo == SIGINT? "SIGINT": "SIGTERM");
    return true;
}

//  The answer of the broker, whose start may take long; a signal may end it early
static zmsg_t *
s_await_start (s_args_t *args, int signals)
{
    zmq_pollitem_t items [] = {
        { zsock_resolve (args->broker), 0, ZMQ_POLLIN, 0 },
        { NULL, signals, ZMQ_POLLIN, 0 }
    };
    while (!args->stopped && zmq_poll (items, 2, -1) >= 0 && !(items [0].revents & ZMQ_POLLIN))
        args->stopped = (items [1].revents & ZMQ_POLLIN) && s_take_signal (args, signals);
    if (args->stopped) {
        zsock_set_sndtimeo (args->broker, 0);       // It may have ended meanwhile
        zstr_send (args->broker, "$TERM");
        zsock_set_sndtimeo (args->broker, -1);
    }
    return zmsg_recv (args->broker);
}

//  Exit status: EX_OK when it is ready, or was stopped.
static int
s_configure (s_args_t *args, int signals)
{
    if (args->config)
        zstr_sendx (args->broker, "CONFIG", args->config, NULL);
    for (size_t i = 0; i + 1 < args->settings.count; i += 2)
        zstr_sendx (args->broker, "SET", args->settings.items [i], args->settings.items [i + 1], NULL);
    if (args->verbose)
        zstr_send (args->broker, "VERBOSE");
    zstr_sendx (args->broker, "START", NULL);

    //  The first answer is that of the first refused setting, or else that of START: then with the options of stele-http
    zmsg_t *answer = s_await_start (args, signals);
    char *status = answer? zmsg_popstr (answer): NULL, *text = answer? zmsg_popstr (answer): NULL, *more;
    int result = EX_CONFIG;
    if (status && streq (status, "READY")) {
        stele_log_info ("ready", "%s", text);
        while ((more = zmsg_popstr (answer)) && args->http.options.count < CLI_HTTP_OPTIONS_MAX) {
            cli_list_append (&args->http.options, more, strlen (more));
            zstr_free (&more);
        }
        result = args->stopped? EX_OK: cli_http_child_start (&args->http);
    }
    else
    if (args->stopped) {
        stele_log_info ("start_ended", "the start ended early: %s", text? text: "stopped");
        result = EX_OK;
    }
    else {
        more = answer? zmsg_popstr (answer): NULL;
        if (more && streq (more, stele_error_name (STELE_EBEHIND)))
            result = EX_DATAERR;
        zstr_free (&more);
        stele_log_error ("cannot_start", "cannot start: %s", text? text: "interrupted");
    }
    zstr_free (&status);
    zstr_free (&text);
    zmsg_destroy (&answer);
    return result;
}

//  A message of the broker: the answer to PING, or its failure. Returns EX_OK after the former.
static int
s_receive (zactor_t *broker)
{
    char *status = NULL, *text = NULL;
    zstr_recvx (broker, &status, &text, NULL);
    bool alive = status && streq (status, "PONG");
    if (alive)
        cli_service_notify ("WATCHDOG=1");
    else
        stele_log_error ("stopping", "stopping: %s", text? text: "the broker ended");
    zstr_free (&status);
    zstr_free (&text);
    return alive? EX_OK: EX_IOERR;
}

//  Wait for a signal that stops the broker, or for the broker to fail. Returns the exit status.
static int
s_wait (s_args_t *args, int signals)
{
    zactor_t *broker = args->broker;
    int interval_ms = cli_service_watchdog_ms ();
    int64_t ping_ms = stele_clock_steady_ms ();
    while (true) {
        int64_t left_ms = ping_ms - stele_clock_steady_ms ();
        if (interval_ms > 0 && left_ms <= 0) {
            zstr_send (broker, "PING");         // The writer answers, and that answer is the sign of life
            ping_ms += interval_ms - left_ms;
            left_ms = interval_ms;
        }
        zmq_pollitem_t items [] = {
            { zsock_resolve (broker), 0, ZMQ_POLLIN, 0 },
            { NULL, signals, ZMQ_POLLIN, 0 }
        };
        int64_t due_ms = cli_http_child_due_ms (&args->http);
        int64_t wait_ms = interval_ms > 0? left_ms: -1;
        int rc = zmq_poll (items, 2, due_ms >= 0 && (wait_ms < 0 || due_ms < wait_ms)? due_ms: wait_ms);
        if (rc > 0 && (items [0].revents & ZMQ_POLLIN)) {
            int status = s_receive (broker);
            if (status)
                return status;
        }
        if (rc > 0 && (items [1].revents & ZMQ_POLLIN) && s_take_signal (args, signals))
            return EX_OK;
    }
}

//  On a second signal during the stop, exit without waiting for followers. Acked events are on
//  stable storage, and followers continue from their cursors at the next start. Not while a removed
//  ledger is saved: only this process still has it.
static void
s_hurry (zsock_t *pipe, void *args)
{
    int signals = *(int *) args;
    struct signalfd_siginfo info;
    bool hurry = false;
    zsock_signal (pipe, 0);
    while (!hurry) {
        zmq_pollitem_t items [] = {
            { zsock_resolve (pipe), 0, ZMQ_POLLIN, 0 },
            { NULL, signals, ZMQ_POLLIN, 0 }
        };
        int rc = zmq_poll (items, 2, RESCUE_SIGN_MS);
        bool rescuing = stele_ledger_rescue_state () == 1;
        if (rescuing)
            cli_service_notify ("EXTEND_TIMEOUT_USEC=60000000\nWATCHDOG=1\nSTATUS=Saving a ledger that was removed");
        if (rc < 0 || (items [0].revents & ZMQ_POLLIN))
            return;
        if (!(items [1].revents & ZMQ_POLLIN))
            continue;
        if (read (signals, &info, sizeof info) != sizeof info)
            return;
        bool stops = info.ssi_signo != SIGHUP && info.ssi_signo != SIGCHLD;
        hurry = stops && !rescuing;
        if (stops && rescuing)
            stele_log_warning ("rescuing", "still saving what the removed ledger held: it stops after that; with kill -9 "
                "the copy stays incomplete (.part), and events are lost");
    }
    stele_log_warning ("stopped", "stopped without waiting; followers catch up at the next start");
    _exit (EX_OK);
}

static int
s_run (s_args_t *args)
{
    sigset_t set;
    sigemptyset (&set);
    sigaddset (&set, SIGTERM);
    sigaddset (&set, SIGINT);
    sigaddset (&set, SIGHUP);
    sigaddset (&set, SIGCHLD);
    //  Before the first thread starts, so that every thread inherits the mask
    pthread_sigmask (SIG_BLOCK, &set, NULL);
    int signals = signalfd (-1, &set, SFD_CLOEXEC);
    zsys_handler_set (NULL);
    zsys_init ();
    zsys_set_logident ("steled");
    zsys_set_logstream (stderr);
    s_raise_files ();

    args->broker = stele_actor_new (stele_broker, NULL);
    if (!args->broker)
        stele_log_error ("cannot_start", "cannot start a thread: %s", strerror (errno));
    int status = args->broker? s_configure (args, signals): EX_OSERR;
    if (status == EX_OK && !args->stopped) {
        cli_service_notify ("READY=1\nSTATUS=Accepting events");
        status = s_wait (args, signals);
        cli_service_notify ("STOPPING=1");
    }
    zactor_t *hurry = stele_actor_new (s_hurry, &signals);
    //  First: its clients get answers as long as the broker gives any
    cli_http_child_stop (&args->http, HTTP_STOP_MS);
    zactor_destroy (&args->broker);
    zactor_destroy (&hurry);
    if (status == EX_OK && stele_ledger_rescue_state ())
        status = EX_IOERR;          // The log has said so
    if (status == EX_OK)
        stele_log_info ("stopped", "stopped");
    close (signals);
    return status;
}

//  What stele-http would refuse
static int
s_check_http (const stele_settings_t *settings, stele_refusal_t *refusal)
{
    cli_tokens_t tokens = { 0 };
    int code = 0;
    if (!*settings->http)
        return 0;
    if (*settings->http_key) {
        stele_key_t *key = stele_key_load (settings->http_key, refusal);
        code = key? 0: refusal->code;
        stele_key_destroy (&key);
    }
    if (code == 0 && *settings->tokens)
        code = cli_tokens_load (&tokens, settings->tokens, refusal);
    cli_tokens_clear (&tokens);
    if (code == 0 && *settings->http_cert) {
        cli_certificate_t certificate;
        code = cli_certificate_load (&certificate, settings->http_cert, settings->http_cert_key, refusal);
        cli_certificate_clear (&certificate);
    }
    return code;
}

//  Check what START checks before it creates anything
static int
s_check_config (const s_args_t *args)
{
    stele_settings_t *settings = stele_settings_new ();
    stele_refusal_t refusal;
    int code = args->config? stele_settings_load (settings, args->config, &refusal): 0;
    for (size_t i = 0; i + 1 < args->settings.count && code == 0; i += 2)
        code = stele_settings_set (settings, args->settings.items [i], args->settings.items [i + 1], &refusal);
    if (code == 0)
        code = stele_settings_check (settings, &refusal);
    stele_keyring_t *keyring = code == 0 && *settings->keys? stele_keyring_load (settings->keys, &refusal): NULL;
    if (code == 0 && *settings->keys && !keyring)
        code = refusal.code;
    stele_keyring_destroy (&keyring);
    if (code == 0)
        code = s_check_http (settings, &refusal);
    if (code)
        stele_log_error ("config", "%s", refusal.message);
    else
        printf ("%s%sthe settings are valid\n", args->config? args->config: "", args->config? ": ": "");
    stele_settings_destroy (&settings);
    return code? EX_CONFIG: EX_OK;
}

int
main (int argc, char **argv)
{
    s_args_t args = { 0 };
    const cli_group_t groups [] = {
#define GROUP(title, name, table, row) { title, s_##name, &args },
        STELE_SETTINGS_GROUPS (GROUP, OPTION)
        { "General", s_general, &args },
        CLI_GROUPS_END
    };
    cli_operands_t operands = { 0 };
    char error [256];
    int status = EX_USAGE;
    //  Before anything opens a file
    cli_descriptors_open ();
    //  A peer that hung up, and a file that reached its limit, are errors of a call
    signal (SIGPIPE, SIG_IGN);
    signal (SIGXFSZ, SIG_IGN);
    stele_ledger_tune_process ();
    if (cli_options_parse (groups, argc - 1, argv + 1, false, &operands, error, sizeof error) < 0)
        fprintf (stderr, "steled: %s\nTry 'steled --help'.\n", error);
    else
    if (operands.count > 0)
        fprintf (stderr, "steled: unexpected argument '%s'\nTry 'steled --help'.\n", operands.items [0]);
    else
    if (args.help) {
        cli_options_help (stdout, &s_usage, groups);
        status = EX_OK;
    }
    else
    if (args.version) {
        puts ("steled " STELE_VERSION);
        status = EX_OK;
    }
#ifdef STELE_WITH_FAULTS
    else
    if (args.fault_points) {
        stele_fault_list (stdout, args.verbose);
        status = EX_OK;
    }
#endif
    else
        status = args.check_config? s_check_config (&args): s_run (&args);
    cli_operands_clear (&operands);
    cli_list_clear (&args.settings);
    return status;
}
