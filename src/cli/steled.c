/*  steled - the broker as a daemon: options, signals, log, and the actor that does it all

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
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <czmq.h>
#include "ledger/process.h"
#include "broker/common/actor.h"
#include "cli/terminal/options.h"
#include "fault/fault.h"
#include "stele.h"

typedef struct {
    zactor_t *broker;
    const char *config;
    bool verbose, version, help;
#ifdef STELE_WITH_FAULTS
    bool fault_points;
#endif
    bool legacy_keys;
    cli_list_t settings;            // name, value, name, value, ...
} s_args_t;

//  Every setting given on the command line is kept and passed on by its own name, after the
//  config file: what is said last wins.
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

#define SETTING(name, argument, help) { name, 0, argument, help, CLI_CALL, 0, 0, s_keep }

static const cli_option_t s_settings [] = {
    SETTING ("ledger", "FILE", "Keep the ledger (SQLite) in FILE; made if it is not there. Default: stele.db."),
    SETTING ("redis", "URL", "Keep the live state in this Redis: redis://host:port/db or unix:///path.sock?db=N; none does without. Default: redis://127.0.0.1:6379/0."),
    SETTING ("redis-prefix", "P", "First part of every key in Redis. Default: {stele}."),
    SETTING ("events", "EP", "Take events here. Default: " STELE_DEFAULT_EVENTS "."),
    SETTING ("requests", "EP", "Answer requests here. Default: " STELE_DEFAULT_REQUESTS "."),
    SETTING ("feed", "EP", "Publish what was committed here. Default: " STELE_DEFAULT_FEED "."),
    SETTING ("pipeline-in", "EP", "Take events without acks here. Default: off."),
    SETTING ("pipeline-out", "EP", "Push committed events onward here. Default: off."),
    SETTING ("workers", "N", "Threads that answer requests. Default: 2."),
    SETTING ("mode", "MODE", "What acks wait for: dual (the ledger; Redis follows), sqlite (Redis is left alone), redis (PERSISTENCE OFF: Redis only). 'stele mode' switches it at run time. Default: dual."),
    SETTING ("interrupted", "RULE", "Which running tasks are failed as interrupted: owner (those whose orchestrator died), all (every one at each start), none. Default: owner."),
    SETTING ("legacy-keys", NULL, "Also keep the keys task_status:ID of earlier versions in Redis."),
    SETTING ("integrity", "CHECK", "Check of the ledger at the start: quick, full, none. Default: quick."),
    SETTING ("accept-loss", NULL, "Start with a ledger that is shorter than what was acked (exit status 65 without this), and record what was lost. For one start."),
    CLI_OPTIONS_END
};

static const cli_option_t s_general [] = {
    { "config", 'c', "FILE", "Read settings from FILE (ZPL); options on the command line win.", CLI_TEXT, offsetof (s_args_t, config), 0, NULL },
    { "verbose", 'v', NULL, "Log every batch that is committed.", CLI_FLAG, offsetof (s_args_t, verbose), 0, NULL },
    { "version", 'V', NULL, "Print the version and exit.", CLI_FLAG, offsetof (s_args_t, version), 0, NULL },
    { "help", 'h', NULL, "Print this help and exit.", CLI_FLAG, offsetof (s_args_t, help), 0, NULL },
#ifdef STELE_WITH_FAULTS
    { "fault-points", 0, NULL, "List the places where STELE_FAULT can inject a fault, one a line (with --verbose: and what they are), and exit.", CLI_FLAG, offsetof (s_args_t, fault_points), 0, NULL },
#endif
    CLI_OPTIONS_END
};

static const cli_usage_t s_usage = {
    "steled [OPTION]...",
    "The broker that keeps the durable record of tasks. An event is acked when it is on stable"
    " storage; Redis, the feed and the pipeline follow. Stops in good order on SIGTERM or SIGINT:"
    " what was taken is committed and acked; a second signal does not wait for followers.",
    "Limits and more settings: steled.conf(5). The wire: doc/PROTOCOL.md.",
    "steled --ledger /var/lib/stele/stele.db\n"
    "steled --redis none --events ipc:///run/stele/events --requests ipc:///run/stele/requests\n"
    "steled --config /etc/stele/steled.conf --verbose\n"
};

//  sd_notify(3): one datagram to the socket that the service manager names.
static void
s_notify (const char *state)
{
    const char *path = getenv ("NOTIFY_SOCKET");
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    if (!path || (*path != '/' && *path != '@') || strlen (path) >= sizeof address.sun_path)
        return;
    int handle = socket (AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (handle < 0)
        return;
    memcpy (address.sun_path, path, strlen (path));
    if (*path == '@')
        address.sun_path [0] = 0;
    socklen_t size = (socklen_t) (offsetof (struct sockaddr_un, sun_path) + strlen (path));
    if (sendto (handle, state, strlen (state), MSG_NOSIGNAL, (struct sockaddr *) &address, size) < 0)
        zsys_warning ("cannot notify the service manager: %s", strerror (errno));
    close (handle);
}

//  Every peer is a file: take as many as the system gives.
static void
s_raise_files (void)
{
    struct rlimit limit;
    if (getrlimit (RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit (RLIMIT_NOFILE, &limit);
    }
    if (getrlimit (RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < SIZE_MAX)
        zsys_set_max_sockets (65536);
}

//  Exit status: EX_OK when it is ready.
static int
s_configure (const s_args_t *args)
{
    if (args->verbose)
        zstr_send (args->broker, "VERBOSE");
    if (args->config)
        zstr_sendx (args->broker, "CONFIG", args->config, NULL);
    for (size_t i = 0; i + 1 < args->settings.count; i += 2)
        zstr_sendx (args->broker, "SET", args->settings.items [i], args->settings.items [i + 1], NULL);
    zstr_sendx (args->broker, "START", NULL);

    //  The first refusal is answered first; without one, START's answer is
    char *status = NULL, *text = NULL, *code = NULL;
    zstr_recvx (args->broker, &status, &text, &code, NULL);
    bool ready = status && streq (status, "READY");
    bool behind = code && streq (code, stele_error_name (STELE_EBEHIND));
    if (ready)
        zsys_info ("%s", text);
    else
        fprintf (stderr, "steled: cannot start: %s\n", text? text: "interrupted");
    zstr_free (&status);
    zstr_free (&text);
    zstr_free (&code);
    return ready? EX_OK: behind? EX_DATAERR: EX_CONFIG;
}

//  Until a signal, or until storage has failed.
static int
s_wait (zactor_t *broker, int signals)
{
    zmq_pollitem_t items [] = {
        { zsock_resolve (broker), 0, ZMQ_POLLIN, 0 },
        { NULL, signals, ZMQ_POLLIN, 0 }
    };
    while (zmq_poll (items, 2, -1) < 0 && errno == EINTR);
    if (items [0].revents & ZMQ_POLLIN) {
        char *status = NULL, *text = NULL;
        zstr_recvx (broker, &status, &text, NULL);
        zsys_error ("stopping: %s", text? text: "the broker ended");
        zstr_free (&status);
        zstr_free (&text);
        return EX_IOERR;
    }
    struct signalfd_siginfo info;
    if (read (signals, &info, sizeof info) == sizeof info)
        zsys_info ("%s: stopping, again to hurry", strsignal ((int) info.ssi_signo));
    return EX_OK;
}

//  A second signal while the broker stops: do not wait for followers. What is acked is
//  on stable storage, and followers go on from their cursors at the next start.
static void
s_hurry (zsock_t *pipe, void *args)
{
    int signals = *(int *) args;
    zsock_signal (pipe, 0);
    zmq_pollitem_t items [] = {
        { zsock_resolve (pipe), 0, ZMQ_POLLIN, 0 },
        { NULL, signals, ZMQ_POLLIN, 0 }
    };
    if (zmq_poll (items, 2, -1) > 0 && (items [1].revents & ZMQ_POLLIN)) {
        zsys_warning ("hurrying: followers catch up at the next start");
        _exit (EX_OK);
    }
}

static int
s_run (s_args_t *args)
{
    sigset_t set;
    sigemptyset (&set);
    sigaddset (&set, SIGTERM);
    sigaddset (&set, SIGINT);
    //  Before the first thread is made, so that all of them inherit it
    pthread_sigmask (SIG_BLOCK, &set, NULL);
    int signals = signalfd (-1, &set, SFD_CLOEXEC);
    signal (SIGPIPE, SIG_IGN);
    zsys_handler_set (NULL);
    zsys_init ();
    zsys_set_logident ("steled");
    zsys_set_logstream (stderr);
    s_raise_files ();

    args->broker = stele_actor_new (stele_broker, NULL);
    if (!args->broker)
        fprintf (stderr, "steled: cannot start a thread: %s\n", strerror (errno));
    int status = args->broker? s_configure (args): EX_OSERR;
    if (status == EX_OK) {
        s_notify ("READY=1\nSTATUS=Keeping the record");
        status = s_wait (args->broker, signals);
        s_notify ("STOPPING=1");
    }
    zactor_t *hurry = stele_actor_new (s_hurry, &signals);
    zactor_destroy (&args->broker);
    zactor_destroy (&hurry);
    if (status == EX_OK)
        zsys_info ("stopped");
    close (signals);
    return status;
}

int
main (int argc, char **argv)
{
    s_args_t args = { 0 };
    const cli_group_t groups [] = {
        { "Settings", s_settings, &args },
        { "General", s_general, &args },
        CLI_GROUPS_END
    };
    cli_operands_t operands = { 0 };
    char error [256];
    int status = EX_USAGE;
    stele_ledger_tune_process ();
    if (cli_options_parse (groups, argc - 1, argv + 1, false, &operands, error, sizeof error) < 0)
        fprintf (stderr, "steled: %s\nTry: steled --help\n", error);
    else
    if (operands.count > 0)
        fprintf (stderr, "steled: takes no arguments, '%s' is one too many\n", operands.items [0]);
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
        status = s_run (&args);
    cli_operands_clear (&operands);
    cli_list_clear (&args.settings);
    return status;
}
