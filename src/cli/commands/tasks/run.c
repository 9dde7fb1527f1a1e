/*  run - stele run: run a command as a task

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/memory.h"
#include "cli/run/child.h"
#include "cli/run/recorder.h"
#include "cli/run/stream.h"
#include "cli/run/task_id.h"
#include "cli/shared/cli.h"

#define CHUNK_MS 50                 // Outputs of that time are one event
#define QUEUE_BYTES_MAX 8388608     // Outputs that wait for the recorder
#define STALL_MS 1000               // The command waits that long for a recorder that makes no progress
#define PAUSE_MS 1000               // To report the state 'paused' before stopping
#define TAIL_BYTES_MAX 8388608
#define GRACE_S 10
#define FILES_MIN 64                // Open files that this program and its libraries may need

typedef struct {
    const char *task, *title, *role, *parent, *user, *producer, *spool;
    int64_t retries, tail;
    double timeout_s, grace_s;
    bool merge, quiet;
} args_t;

static int
s_take_seconds (const cli_option_t *option, const char *value, void *target, char *error, size_t error_size)
{
    double *seconds = (double *) ((char *) target + option->offset);
    char *end;
    *seconds = strtod (value, &end);
    double unit = *end == 'm'? 60: *end == 'h'? 3600: *end == 'd'? 86400: 1;
    if (*end && strchr ("smhd", *end))
        end++;
    *seconds *= unit;
    if (end != value && !*end && *seconds > 0 && *seconds < 1e9)
        return 0;
    snprintf (error, error_size, "--%s: '%s' is not a time; use seconds, or a number with m, h or d", option->name, value);
    return -1;
}

static int
s_take_output (const cli_option_t *option, const char *value, void *target, char *error, size_t error_size)
{
    int64_t *tail = (int64_t *) ((char *) target + option->offset);
    char *end = NULL;
    *tail = strcmp (value, "all") == 0? 0: -1;
    if (strcmp (value, "all") == 0 || strcmp (value, "none") == 0)
        return 0;
    if (strncmp (value, "tail:", 5) == 0)
        *tail = strtoll (value + 5, &end, 10);
    if (end && end != value + 5 && !*end && *tail > 0 && *tail <= TAIL_BYTES_MAX)
        return 0;
    snprintf (error, error_size, "--%s: use all, none, or tail:BYTES with 1 to %d bytes; not '%s'", option->name,
        TAIL_BYTES_MAX, value);
    return -1;
}

static const cli_option_t s_options [] = {
    { "task", 0, "ID", "ID of the task; an existing task gets another attempt (default: a new ID from the command and the time)",
        CLI_TEXT, offsetof (args_t, task), 0, NULL },
    { "title", 0, "TEXT", "title of the task (default: the command)", CLI_TEXT, offsetof (args_t, title), 0, NULL },
    { "role", 0, "ROLE", "role of the task (default: command)", CLI_TEXT, offsetof (args_t, role), 0, NULL },
    { "parent", 0, "ID", "parent of the task (default: STELE_TASK, the task of the surrounding 'stele run')",
        CLI_TEXT, offsetof (args_t, parent), 0, NULL },
    { "user", 0, "ID", "user of the task (default: the user of the key, or 'default'); needed with a key that is bound to several users",
        CLI_TEXT, offsetof (args_t, user), 0, NULL },
    { "retries", 0, "N", "run the command again, up to N times, until it succeeds", CLI_NUMBER, offsetof (args_t, retries), 0, NULL },
    { "timeout", 0, "S", "end an attempt after S seconds (or a number with m, h or d): SIGTERM, then SIGKILL (-t is the time to wait for the broker)",
        CLI_CALL, offsetof (args_t, timeout_s), 0, s_take_seconds },
    { "grace", 0, "S", "time from SIGTERM to SIGKILL (default: 10)", CLI_CALL, offsetof (args_t, grace_s), 0, s_take_seconds },
    { "output", 0, "WHICH", "outputs to record: all, none, or tail:BYTES of each stream (default: all)",
        CLI_CALL, offsetof (args_t, tail), 0, s_take_output },
    { "merge", 0, NULL, "use one pipe for both outputs, so that their order is exact; both are recorded as stdout",
        CLI_FLAG, offsetof (args_t, merge), 0, NULL },
    { "producer", 0, "NAME", "publish as producer NAME, or NAME/2, NAME/3 ... if it is in use (default: a random name per spool)",
        CLI_TEXT, offsetof (args_t, producer), 0, NULL },
    { "spool", 0, "DIR", "folder of the spools (default: $XDG_STATE_HOME/stele/run, or ~/.local/state/stele/run)",
        CLI_TEXT, offsetof (args_t, spool), 0, NULL },
    { "quiet", 'q', NULL, "print no messages of its own", CLI_FLAG, offsetof (args_t, quiet), 0, NULL },
    CLI_OPTIONS_END
};

typedef struct {
    const args_t *args;
    cli_task_t task;
    cli_recorder_t *recorder;
    cli_queue_t *queue;
    int signals;                    // Descriptor from which they are read
    cli_child_t child;
    cli_stream_t streams [2];
    int ended_by;                   // Signal that was to end this program; 0: none
    bool timed_out;
    int64_t terminate_us, kill_us;  // When to send these signals, by the steady clock; 0: never
    int64_t stalled_ms;             // Since when the queue is full
    int64_t handled_bytes;          // Of the queue, at that time
    bool dropping;                  // The recorder makes no progress: outputs are not recorded
    int64_t dropped_bytes;
} run_t;

//  -- outputs -------------------------------------------------------------------------

static bool
s_is_full (run_t *self)
{
    return cli_queue_put_bytes (self->queue) - cli_queue_handled_bytes (self->queue) > QUEUE_BYTES_MAX;
}

//  The command waits for a recorder that makes progress; no disk stops it
static bool
s_may_read (run_t *self)
{
    int64_t handled = cli_queue_handled_bytes (self->queue);
    int64_t now = stele_clock_steady_ms ();
    if (!s_is_full (self) || self->stalled_ms == 0 || handled != self->handled_bytes) {
        self->handled_bytes = handled;
        self->stalled_ms = now;
    }
    self->dropping = s_is_full (self) && now - self->stalled_ms > STALL_MS;
    return !s_is_full (self) || self->dropping;
}

static void
s_put (run_t *self, stele_event_t *event)
{
    cli_queue_put (self->queue, &event);
}

static void
s_put_output (const char *type, const char *bytes, size_t size, void *arg)
{
    run_t *self = arg;
    if (self->dropping)
        self->dropped_bytes += (int64_t) size;
    else
        s_put (self, cli_task_event_output (self->task.task, type, bytes, size));
}

static void
s_note_dropped (run_t *self)
{
    char text [100];
    if (self->dropped_bytes == 0)
        return;
    int size = snprintf (text, sizeof text, "%lld bytes of output were not recorded: the spool is too slow\n",
        (long long) self->dropped_bytes);
    s_put (self, cli_task_event_output (self->task.task, "diagnostic", text, (size_t) size));
    self->dropped_bytes = 0;
}

//  -- signals and deadlines -----------------------------------------------------------

static void
s_flush (run_t *self, int64_t age_ms)
{
    for (int i = 0; i < 2; i++)
        cli_stream_flush (&self->streams [i], age_ms);
}

//  Ctrl-Z: the task is paused while this program is stopped, so that its lease does not interrupt it
static void
s_pause (run_t *self)
{
    int64_t began_us = stele_clock_steady_us ();
    s_flush (self, 0);
    s_put (self, cli_task_event_state (self->task.task, "paused"));
    cli_recorder_flush (self->recorder, PAUSE_MS);
    kill (getpid (), SIGSTOP);
    //  Continued
    if (self->child.own_group)
        cli_child_signal (&self->child, SIGCONT);
    s_put (self, cli_task_event_state (self->task.task, "running"));
    int64_t stopped_us = stele_clock_steady_us () - began_us;
    if (self->terminate_us)
        self->terminate_us += stopped_us;
    if (self->kill_us)
        self->kill_us += stopped_us;
}

static void
s_take_signals (run_t *self)
{
    struct signalfd_siginfo received;
    while (read (self->signals, &received, sizeof received) == (ssize_t) sizeof received)
        switch (received.ssi_signo) {
            case SIGCHLD:
                break;
            case SIGTSTP:
                cli_child_pass_on (&self->child, &received);
                s_pause (self);
                break;
            case SIGHUP: case SIGINT: case SIGQUIT: case SIGTERM:
                self->ended_by = (int) received.ssi_signo;
                cli_child_pass_on (&self->child, &received);
                break;
            default:
                cli_child_pass_on (&self->child, &received);
        }
}

static void
s_check_deadlines (run_t *self)
{
    int64_t now = stele_clock_steady_us ();
    if (self->terminate_us && now >= self->terminate_us) {
        self->timed_out = true;
        self->terminate_us = 0;
        self->kill_us = now + (int64_t) (self->args->grace_s * 1e6);
        cli_child_signal (&self->child, SIGTERM);
        cli_child_signal (&self->child, SIGCONT);
    }
    if (self->kill_us && now >= self->kill_us) {
        self->kill_us = 0;
        cli_child_signal (&self->child, SIGKILL);
    }
}

//  Milliseconds until something is due, at least; -1: nothing is
static int
s_wait_ms (run_t *self)
{
    int64_t wait = -1;
    int64_t due_us = self->terminate_us? self->terminate_us: self->kill_us;
    if (due_us) {
        wait = (due_us - stele_clock_steady_us () + 999) / 1000;
        wait = wait < 0? 0: wait > 60000? 60000: wait;
    }
    for (int i = 0; i < 2; i++)
        if (self->streams [i].collected_size && self->streams [i].tail == 0 && (wait < 0 || wait > CHUNK_MS))
            wait = CHUNK_MS;
    if (s_is_full (self) && (wait < 0 || wait > 10))
        wait = 10;
    return (int) wait;
}

//  -- an attempt ----------------------------------------------------------------------

static void
s_watch (run_t *self)
{
    while (!self->child.ended || !cli_stream_done (&self->streams [0]) || !cli_stream_done (&self->streams [1])) {
        bool may_read = s_may_read (self);
        struct pollfd items [3] = {
            { self->signals, POLLIN, 0 }, cli_stream_wait (&self->streams [0], may_read),
            cli_stream_wait (&self->streams [1], may_read)
        };
        poll (items, 3, s_wait_ms (self));
        cli_stream_step (&self->streams [0], &items [1]);
        cli_stream_step (&self->streams [1], &items [2]);
        s_flush (self, CHUNK_MS);
        int ended_by = self->ended_by;
        s_take_signals (self);
        //  The command has ended, and its last output waits for a reader
        if (self->child.ended && self->ended_by != ended_by)
            break;
        if (!self->child.ended) {
            cli_child_check (&self->child);
            if (self->child.ended)
                for (int i = 0; i < 2; i++)
                    cli_stream_end (&self->streams [i]);
            else
                s_check_deadlines (self);
        }
    }
}

static double
s_seconds (struct timeval time)
{
    return (double) time.tv_sec + (double) time.tv_usec / 1e6;
}

static void
s_put_metrics (run_t *self)
{
    const cli_child_t *child = &self->child;
    const struct { const char *name, *unit; double value; } metrics [] = {
        { "wall_time", "s", (double) (child->ended_us - child->started_us) / 1e6 },
        { "user_time", "s", s_seconds (child->usage.ru_utime) },
        { "system_time", "s", s_seconds (child->usage.ru_stime) },
        { "max_resident", "bytes", (double) child->usage.ru_maxrss * 1024 }
    };
    for (size_t i = 0; i < sizeof metrics / sizeof metrics [0]; i++)
        s_put (self, cli_task_event_metric (self->task.task, metrics [i].name, metrics [i].value, metrics [i].unit));
}

static int
s_exit_status (const cli_child_t *child)
{
    if (child->error)
        return child->error == ENOENT? 127: 126;
    return WIFSIGNALED (child->status)? 128 + WTERMSIG (child->status): WEXITSTATUS (child->status);
}

static void
s_start (run_t *self, char *const *command, char *const *environment)
{
    const args_t *args = self->args;
    self->timed_out = false;
    self->terminate_us = self->kill_us = 0;
    cli_child_start (&self->child, command, environment, args->merge);
    if (args->timeout_s > 0)
        self->terminate_us = self->child.started_us + (int64_t) (args->timeout_s * 1e6);
    cli_stream_open (&self->streams [0], "stdout", self->child.out, STDOUT_FILENO, args->tail, s_put_output, self);
    cli_stream_open (&self->streams [1], "stderr", self->child.err, STDERR_FILENO, args->tail, s_put_output, self);
}

//  Wait for the end of the command and record it. Returns the exit status.
static int
s_finish (run_t *self)
{
    s_watch (self);
    for (int i = 0; i < 2; i++)
        cli_stream_close (&self->streams [i]);
    s_note_dropped (self);
    int status = s_exit_status (&self->child);
    const char *state = status == 0? "passed": self->timed_out? "timeout": self->ended_by? "cancelled": "failed";
    if (self->child.error)
        cli_report ("cannot run '%s': %s", self->task.command [0], strerror (self->child.error));
    else
        s_put_metrics (self);
    s_put (self, cli_task_event_end (self->task.task, state, self->child.status, self->child.error,
        self->args->timeout_s));
    return status;
}

//  -- the run -------------------------------------------------------------------------

//  Check what the user gave before anything runs. Returns the exit status.
static int
s_check (const args_t *args, const cli_task_t *task)
{
    char error [256] = "";
    if (args->producer && (!*args->producer || strlen (args->producer) > 250))
        return cli_usage_error ("run", "--producer needs a name of 1 to 250 bytes");
    stele_event_t *event = cli_task_event_created (task);
    int code = stele_event_check (event, error, sizeof error);
    stele_event_destroy (&event);
    return code? cli_usage_error ("run", "%s", error): EX_OK;
}

//  Record the start, after the command has been started. A task that had ended before is queued first.
static void
s_put_start (run_t *self, bool again)
{
    if (again)
        s_put (self, cli_task_event_state (self->task.task, "queued"));
    if (!self->child.error)
        s_put (self, cli_task_event_state (self->task.task, "running"));
}

//  The messaging library aborts a program that runs out of descriptors: run the command without a record
static bool
s_is_short_of_files (void)
{
    struct rlimit limit;
    if (getrlimit (RLIMIT_NOFILE, &limit) || limit.rlim_cur >= FILES_MIN)
        return false;
    cli_report ("the command is not recorded: ulimit -n is %d, and recording needs %d", (int) limit.rlim_cur, FILES_MIN);
    return true;
}

//  Run the command in place of this program. Returns the exit status if it cannot be started.
static int
s_replace (char *const *command)
{
    signal (SIGXFSZ, SIG_DFL);          // stele.c ignores it
    execvp (command [0], command);
    int reason = errno;
    cli_report ("cannot run '%s': %s", command [0], strerror (reason));
    return reason == ENOENT? 127: 126;
}

//  Run the command until it succeeds or there is no retry left. Returns the exit status of the last attempt.
static int
s_attempts (run_t *self, const cli_t *cli, char *const *command)
{
    const args_t *args = self->args;
    char *variable;
    char **environment = cli_task_id_environment (self->task.task, &variable);
    int64_t left = args->retries;
    int status;
    //  Nothing delays the command: the recorder starts after it
    s_start (self, command, environment);
    self->recorder = cli_recorder_new (cli, self->task.task, args->producer, args->spool, args->quiet);
    self->queue = cli_recorder_queue (self->recorder);
    s_put (self, cli_task_event_created (&self->task));
    s_put_start (self, args->task != NULL);
    while ((status = s_finish (self)) != 0 && left-- > 0 && !self->ended_by && !self->child.error) {
        s_start (self, command, environment);
        s_put_start (self, true);
    }
    if (!cli_recorder_destroy (&self->recorder))
        _exit (status);
    free (variable);
    free (environment);
    return status;
}

static int
s_run (cli_t *cli, void *arguments, const cli_operands_t *operands)
{
    args_t *args = arguments;
    if (args->grace_s <= 0)
        args->grace_s = GRACE_S;
    char *id = args->task? NULL: cli_task_id_new (operands->items [0]);
    char **command = stele_memory_new ((operands->count + 1) * sizeof *command);
    for (size_t i = 0; i < operands->count; i++)
        command [i] = (char *) operands->items [i];
    const char *parent = args->parent? args->parent: getenv ("STELE_TASK");
    run_t *self = STELE_NEW (run_t);
    self->args = args;
    self->task = (cli_task_t) {
        .task = id? id: args->task, .title = args->title, .role = args->role? args->role: "command",
        .parent = parent && *parent? parent: NULL, .user = args->user, .command = command
    };
    if (!args->parent && self->task.parent && strcmp (self->task.parent, self->task.task) == 0)
        self->task.parent = NULL;
    int status = s_check (args, &self->task);
    if (status == EX_OK && s_is_short_of_files ())
        status = s_replace (command);
    else
    if (status == EX_OK) {
        self->signals = cli_child_catch_signals ();
        status = s_attempts (self, cli, command);
        if (!args->quiet && isatty (STDERR_FILENO))
            cli_warn ("task %s: exit status %d; see 'stele show %s'", self->task.task, status, self->task.task);
        //  So that Ctrl-C ends a script around it too
        if (!self->child.own_group && self->ended_by == SIGINT && status == CLI_INTERRUPTED)
            cli_child_die_by (SIGINT);
        close (self->signals);
    }
    free (self);
    free (command);
    free (id);
    return status;
}

const cli_command_t cli_cmd_run = {
    .name = "run",
    .summary = "run a command as a task",
    .usage = {
        .usage = "stele run [OPTION]... -- COMMAND...",
        .about =
            "Run a command, and record it as a task: its start, its outputs while it runs, exit status or signal, time, "
            "memory, and every retry as an attempt. The outputs are also passed through unchanged, and the exit status is that of "
            "the command: 128 + N if signal N ended it, 127 if it was not found, 126 if it cannot be started.\n"
            "\n"
            "The command never waits for the broker. Events are made durable in a spool on this machine and sent from there; "
            "if the broker is away, the next 'stele run' sends them.",
        .after =
            "SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1 and SIGUSR2 are passed on to the command. Its environment has the ID of the task in STELE_TASK.",
        .examples =
            "  stele run -- make check\n"
            "  stele run --task nightly --retries 2 --timeout 1h -- ./backup.sh    # a line of a crontab\n"
            "  stele run --title 'Deploy' -- sh -c './build && ./deploy'"
    },
    .options = s_options,
    .args_size = sizeof (args_t),
    .operands_min = 1,
    .operands_max = SIZE_MAX,
    .run = s_run
};
