/*  run - the service: all targets, until a signal

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sysexits.h>
#include <unistd.h>
#include <czmq.h>
#include <curl/curl.h>
#include "base/file.h"
#include "broker/common/log.h"
#include "cli/files/descriptors.h"
#include "relay/post.h"
#include "relay/run.h"
#include "relay/target.h"

//  Lock FILE.lock next to the state. Returns the descriptor; -1: errno is EWOULDBLOCK if another process has it.
static int
s_lock (const relay_settings_t *settings, int flags, int mode)
{
    char *path;
    if (asprintf (&path, "%s.lock", settings->state) < 0)
        abort ();
    int fd = stele_file_open (path, flags, 0640);
    free (path);
    if (fd >= 0 && flock (fd, mode | LOCK_NB) != 0) {
        int error = errno;
        close (fd);
        errno = error;
        return -1;
    }
    return fd;
}

bool
relay_is_running (const relay_settings_t *settings)
{
    int fd = s_lock (settings, O_RDONLY, LOCK_SH);
    bool running = fd < 0 && errno == EWOULDBLOCK;
    if (fd >= 0)
        close (fd);
    return running;
}

//  Exit status: EX_OK when all targets are started
static int
s_start (const relay_settings_t *settings, relay_target_t **targets)
{
    stele_refusal_t refusal;
    for (size_t i = 0; i < settings->count; i++) {
        const relay_target_settings_t *target = &settings->targets [i];
        targets [i] = relay_target_new (settings, target, &refusal);
        if (!targets [i]) {
            stele_log_error ("cannot_start", "cannot start: target %s: %s", target->name, refusal.message);
            return refusal.code == STELE_ELEDGER? EX_DATAERR: refusal.code == STELE_EINVALID_FIELD
                || refusal.code == STELE_EUNAUTHORIZED? EX_CONFIG: EX_IOERR;
        }
        if (strncmp (target->url, "http:", 5) == 0)
            stele_log_info ("plain", "target %s: http is not encrypted: use https beyond this machine and its own network", target->name);
    }
    stele_log_info ("ready", "ready: %zu target%s, for the broker at %s", settings->count, settings->count == 1? "": "s",
        settings->requests);
    return EX_OK;
}

int
relay_check_files (const relay_settings_t *settings, stele_refusal_t *refusal)
{
    int rc = 0;
    for (size_t i = 0; i < settings->count && rc == 0; i++) {
        relay_poster_t poster = { 0 };
        rc = relay_poster_open (&poster, &settings->targets [i], refusal);
        relay_poster_clear (&poster);
    }
    return rc;
}

//  All at once, since each waits for its requests in flight
static void
s_stop (relay_target_t **targets, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (targets [i])
            relay_target_stop (targets [i]);
    for (size_t i = 0; i < count; i++)
        relay_target_destroy (&targets [i]);
}

//  Read the settings again; all targets start again, since any of their files may have changed. Returns an exit status.
static int
s_reload (relay_settings_t *settings, const char *path, relay_target_t **targets)
{
    relay_settings_t next = { 0 };
    stele_refusal_t refusal;
    int rc = relay_settings_load (&next, path, &refusal);
    if (rc == 0 && strcmp (next.state, settings->state) != 0)
        rc = stele_refuse (&refusal, STELE_EINVALID_FIELD, "state", "%s: state cannot change while the relay runs: restart it", path);
    if (rc == 0)
        rc = relay_check_files (&next, &refusal);
    if (rc) {
        stele_log_error ("reload", "SIGHUP: the earlier settings stay: %s", refusal.message);
        relay_settings_clear (&next);
        return EX_OK;
    }
    stele_log_info ("reload", "SIGHUP: reading %s again", path);
    s_stop (targets, settings->count);
    relay_settings_clear (settings);
    *settings = next;
    stele_log_configure (settings->log, settings->log_level);
    return s_start (settings, targets);
}

int
relay_run (relay_settings_t *settings, const char *path)
{
    sigset_t set;
    int number = 0;
    sigemptyset (&set);
    sigaddset (&set, SIGTERM);
    sigaddset (&set, SIGINT);
    sigaddset (&set, SIGHUP);
    //  Before the first thread starts, so that every thread inherits the mask
    pthread_sigmask (SIG_BLOCK, &set, NULL);
    zsys_handler_set (NULL);
    zsys_init ();
    curl_global_init (CURL_GLOBAL_ALL);
    stele_log_set_program ("stele-relay");
    stele_log_configure (settings->log, settings->log_level);
    cli_descriptors_raise ();
    int lock = s_lock (settings, O_RDWR | O_CREAT, LOCK_EX);
    if (lock < 0) {
        stele_log_error ("cannot_start", "cannot start: %s '%s': %s", errno == EWOULDBLOCK? "another stele-relay uses the state":
            "cannot lock the state", settings->state, errno == EWOULDBLOCK? "stop it, or give this one a state of its own": strerror (errno));
        return EX_TEMPFAIL;
    }
    relay_target_t *targets [RELAY_TARGETS_MAX] = { NULL };
    int status = s_start (settings, targets);
    while (status == EX_OK && sigwait (&set, &number) == 0 && number == SIGHUP)
        status = s_reload (settings, path, targets);
    if (status == EX_OK)
        stele_log_info ("stopping", "%s: stopping", number == SIGINT? "SIGINT": "SIGTERM");
    s_stop (targets, RELAY_TARGETS_MAX);
    close (lock);
    curl_global_cleanup ();
    return status;
}
