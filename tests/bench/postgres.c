/*  postgres - a primary of PostgreSQL and its synchronous standby, for the section log

    Both are in the working folder, listen on a unix socket only, and run as an unprivileged user.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <errno.h>
#include <glob.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "bench.h"

#define PRIMARY "db1"
#define STANDBY "db2"
#define PATIENCE_S 60

static char s_programs [200];       // Folder of the newest version that is installed
static char s_user [64];            // Start of a command that runs as another user; "" if this one is not root
static pid_t s_pids [2];

//  The newest one is the last: versions have two digits
static bool
s_find (void)
{
    glob_t found;
    bool any = glob ("/usr/lib/postgresql/*/bin/initdb", 0, NULL, &found) == 0;
    if (any)
        snprintf (s_programs, sizeof s_programs, "%.*s", (int) (strrchr (found.gl_pathv [found.gl_pathc - 1], '/')
            - found.gl_pathv [found.gl_pathc - 1]), found.gl_pathv [found.gl_pathc - 1]);
    globfree (&found);
    return any;
}

//  Run a shell command in the folder of a server; its output in 'text', if not NULL
static bool
s_run (const char *server, const char *command, char *text, size_t size)
{
    char line [2000], rest [200];
    fflush (NULL);
    snprintf (line, sizeof line, "cd %s && %s%s/%s 2>>../postgres.log", server, s_user, s_programs, command);
    FILE *pipe = popen (line, "r");
    if (pipe && text && !fgets (text, (int) size, pipe))
        *text = 0;
    while (pipe && fgets (rest, sizeof rest, pipe));
    if (text)
        text [strcspn (text, "\n")] = 0;
    return pipe && pclose (pipe) == 0;
}

static bool
s_sql (const char *server, const char *statement, char *text, size_t size)
{
    char command [1000];
    snprintf (command, sizeof command, "psql -XAtq -h \"$PWD\" -U postgres -d postgres -c \"%s\"", statement);
    return s_run (server, command, text, size);
}

static bool
s_await (const char *server, const char *statement, const char *wanted)
{
    char text [100];
    for (double until = bench_now () + PATIENCE_S; bench_now () < until; usleep (50000))
        if (s_sql (server, statement, text, sizeof text) && strcmp (text, wanted) == 0)
            return true;
    return false;
}

//  The folder of a server belongs to its user
static bool
s_folder (const char *server)
{
    struct passwd *user = *s_user? getpwnam ("nobody"): NULL;
    return mkdir (server, 0755) == 0 && (!user || chown (server, user->pw_uid, user->pw_gid) == 0);
}

static void
s_configure (const char *server, const char *dir, const char *more)
{
    char path [100];
    snprintf (path, sizeof path, "%s/data/postgresql.auto.conf", server);
    FILE *file = fopen (path, "a");
    if (!file)
        bench_die ("cannot write %s: %s", path, strerror (errno));
    fprintf (file, "listen_addresses = ''\nunix_socket_directories = '%s/%s'\nshared_buffers = 64MB\nmin_wal_size = 128MB\n"
        "max_wal_size = 1GB\nwal_init_zero = off\n%s", dir, server, more);
    fclose (file);
}

static bool
s_start (int index, const char *server, const char *dir)
{
    char data [600], postgres [300];
    snprintf (data, sizeof data, "%s/%s/data", dir, server);
    snprintf (postgres, sizeof postgres, "%s/postgres", s_programs);
    const char *root [] = {
        "setpriv", "--pdeathsig", "QUIT", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", postgres, "-D", data, NULL
    };
    const char *user [] = { postgres, "-D", data, NULL };
    s_pids [index] = bench_spawn (*s_user? root: user, "postgres.log");
    return s_await (server, "SELECT 1", "1");
}

static bool
s_make_primary (const char *dir)
{
    if (!s_folder (PRIMARY) || !s_run (PRIMARY, "initdb -D data -U postgres -A trust -E UTF8 --locale=C --no-sync --wal-segsize=4", NULL, 0))
        return false;
    s_configure (PRIMARY, dir, "");
    return s_start (0, PRIMARY, dir);
}

static bool
s_make_standby (const char *dir)
{
    char conninfo [700];
    if (!s_folder (STANDBY) || !s_run (STANDBY, "pg_basebackup -D data -h \"$PWD/../" PRIMARY "\" -U postgres -c fast --no-sync -R", NULL, 0))
        return false;
    snprintf (conninfo, sizeof conninfo, "primary_conninfo = 'host=%s/" PRIMARY " user=postgres application_name=standby'\n", dir);
    s_configure (STANDBY, dir, conninfo);
    return s_start (1, STANDBY, dir)
        && s_sql (PRIMARY, "ALTER SYSTEM SET synchronous_standby_names = 'standby'", NULL, 0)
        && s_sql (PRIMARY, "SELECT pg_reload_conf ()", NULL, 0)
        && s_await (PRIMARY, "SELECT sync_state FROM pg_stat_replication", "sync");
}

//  A server that is in use writes into old segments of its log again; one that is new extends files, and syncs their sizes
static bool
s_use (void)
{
    static const char caught_up [] = "SELECT replay_lsn >= pg_current_wal_lsn () FROM pg_stat_replication";
    return s_sql (PRIMARY, "SELECT count (pg_logical_emit_message (false, '', repeat ('x', 1000000))) FROM generate_series (1, 100)", NULL, 0)
        && s_await (PRIMARY, caught_up, "t")
        && s_sql (PRIMARY, "CHECKPOINT", NULL, 0)
        && s_await (PRIMARY, caught_up, "t")
        && s_sql (STANDBY, "CHECKPOINT", NULL, 0);
}

const char *
bench_postgres_start (const bench_options_t *options)
{
    if (!s_find ())
        return "PostgreSQL is not installed (apt-get install postgresql)";
    if (geteuid () == 0)
        snprintf (s_user, sizeof s_user, "setpriv --reuid nobody --regid nogroup --clear-groups ");
    if (chmod (".", 0711) == 0 && s_make_primary (options->dir) && s_make_standby (options->dir) && s_use ())
        return NULL;
    bench_postgres_stop ();
    return "PostgreSQL did not start (postgres.log, with --keep): its user has to reach the working folder (--dir)";
}

void
bench_postgres_stop (void)
{
    for (int i = 1; i >= 0; i--) {
        if (s_pids [i] > 0) {
            kill (s_pids [i], SIGINT);
            waitpid (s_pids [i], NULL, 0);
        }
        s_pids [i] = 0;
    }
}

void
bench_postgres_url (const bench_options_t *options, char *url, size_t size)
{
    snprintf (url, size, "postgres:host=%s/" PRIMARY " user=postgres dbname=postgres", options->dir);
}

double
bench_postgres_number (const char *query)
{
    char text [100];
    return s_sql (PRIMARY, query, text, sizeof text)? atof (text): -1;
}
