/*  redis_server - a redis-server of the test's own: on a Unix socket in a folder of its own,
    with nothing on disk, killed when the test ends, however it ends.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef REDIS_SERVER_H_INCLUDED
#define REDIS_SERVER_H_INCLUDED

#include <assert.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <hiredis/hiredis.h>

typedef struct {
    char folder [64];
    char socket [96];
    char url [128];                 // unix://...
    pid_t pid;                      // 0: not running
    redisContext *context;          // Of the test, to look and to meddle
} redis_server_t;

//  Start it with further options ("--requirepass", "x", ..., NULL), wait until it answers

static inline void
redis_server_start_with (redis_server_t *self, const char *const *options)
{
    const char *argv [32] = { "redis-server", "--port", "0", "--unixsocket", self->socket,
        "--save", "", "--appendonly", "no", "--dir", self->folder };
    int count = 11;
    for (; options && *options; options++)
        argv [count++] = *options;
    argv [count] = NULL;
    unlink (self->socket);
    self->pid = fork ();
    assert (self->pid >= 0);
    if (self->pid == 0) {
        prctl (PR_SET_PDEATHSIG, SIGKILL);
        int nowhere = open ("/dev/null", O_RDWR);
        dup2 (nowhere, 1);
        dup2 (nowhere, 2);
        execvp (argv [0], (char *const *) argv);
        _exit (127);
    }
    for (int tries = 0; tries < 6000; tries++) {
        self->context = redisConnectUnix (self->socket);
        assert (self->context);
        redisReply *reply = self->context->err? NULL: redisCommand (self->context, "PING");
        if (reply) {
            freeReplyObject (reply);
            return;
        }
        redisFree (self->context);
        self->context = NULL;
        poll (NULL, 0, 10);
    }
    assert (!"redis-server did not start");
}

static inline void
redis_server_start (redis_server_t *self)
{
    redis_server_start_with (self, NULL);
}

static inline redis_server_t *
redis_server_new (void)
{
    redis_server_t *self = calloc (1, sizeof *self);
    assert (self);
    strcpy (self->folder, "/tmp/stele-redis-XXXXXX");
    char *made = mkdtemp (self->folder);
    assert (made);
    snprintf (self->socket, sizeof self->socket, "%s/redis.sock", self->folder);
    snprintf (self->url, sizeof self->url, "unix://%s", self->socket);
    redis_server_start (self);
    return self;
}

//  As by a crash: what it held is gone

static inline void
redis_server_kill (redis_server_t *self)
{
    if (self->context)
        redisFree (self->context);
    self->context = NULL;
    if (self->pid == 0)
        return;
    kill (self->pid, SIGKILL);
    waitpid (self->pid, NULL, 0);
    self->pid = 0;
}

static inline void
redis_server_destroy (redis_server_t **self_p)
{
    redis_server_t *self = *self_p;
    if (!self)
        return;
    redis_server_kill (self);
    unlink (self->socket);
    rmdir (self->folder);
    free (self);
    *self_p = NULL;
}

//  Stop answering, and go on

static inline void
redis_server_freeze (redis_server_t *self)
{
    int status;
    kill (self->pid, SIGSTOP);
    waitpid (self->pid, &status, WUNTRACED);
}

static inline void
redis_server_thaw (redis_server_t *self)
{
    kill (self->pid, SIGCONT);
}

//  Any command; the reply is the caller's

static inline redisReply *
redis_server_ask (redis_server_t *self, const char *format, ...)
{
    va_list args;
    va_start (args, format);
    redisReply *reply = redisvCommand (self->context, format, args);
    va_end (args);
    assert (reply);
    return reply;
}

//  A command whose answer is a number, or a list: then its length

static inline long long
redis_server_number (redis_server_t *self, const char *format, ...)
{
    va_list args;
    va_start (args, format);
    redisReply *reply = redisvCommand (self->context, format, args);
    va_end (args);
    assert (reply);
    long long number = reply->type == REDIS_REPLY_ARRAY? (long long) reply->elements:
        reply->type == REDIS_REPLY_STRING? atoll (reply->str): reply->integer;
    freeReplyObject (reply);
    return number;
}

//  A command whose answer is a text: into 'text'; "(nil)" where there is none

static inline const char *
redis_server_text (redis_server_t *self, char *text, size_t size_max, const char *format, ...)
{
    va_list args;
    va_start (args, format);
    redisReply *reply = redisvCommand (self->context, format, args);
    va_end (args);
    assert (reply);
    snprintf (text, size_max, "%s", reply->type == REDIS_REPLY_NIL? "(nil)":
        reply->str? reply->str: "(not a text)");
    freeReplyObject (reply);
    return text;
}

#endif
