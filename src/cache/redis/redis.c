/*  redis - one connection to Redis, in pipelines

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/memory.h"
#include "cache/redis/redis.h"
#include "fault/fault.h"

struct stele_redis {
    stele_redis_url_t url;
    int timeout_ms;
    redisContext *context;          // NULL: not connected
    size_t outstanding;             // Commands without a reply
    size_t transaction;             // Commands queued since MULTI
    bool unsent;                    // Queued commands were not written yet
    bool timed_out;
    char error [256];
    char *body;                     // Arguments of the command being built, in Redis' protocol
    size_t body_size, body_room;
    size_t arg_count;
};

stele_redis_t *
stele_redis_new (const stele_redis_url_t *url, int timeout_ms)
{
    stele_redis_t *self = STELE_NEW (stele_redis_t);
    self->url = *url;
    self->timeout_ms = timeout_ms;
    return self;
}

void
stele_redis_destroy (stele_redis_t **self_p)
{
    assert (self_p);
    stele_redis_t *self = *self_p;
    if (!self)
        return;
    stele_redis_disconnect (self);
    free (self->body);
    free (self);
    *self_p = NULL;
}

void
stele_redis_disconnect (stele_redis_t *self)
{
    if (self->context)
        redisFree (self->context);
    self->context = NULL;
    self->outstanding = 0;
    self->transaction = 0;
    self->arg_count = 0;
    self->body_size = 0;
}

bool
stele_redis_connected (const stele_redis_t *self)
{
    return self->context != NULL;
}

bool
stele_redis_timed_out (const stele_redis_t *self)
{
    return self->timed_out;
}

const char *
stele_redis_error (const stele_redis_t *self)
{
    return self->error;
}

static void STELE_PRINTF (2, 3)
s_set_error (stele_redis_t *self, const char *format, ...)
{
    va_list args;
    va_start (args, format);
    vsnprintf (self->error, sizeof self->error, format, args);
    va_end (args);
}

//  A context is unusable after an error: keep the text, close it

static void
s_fail (stele_redis_t *self, int context_errno)
{
    self->timed_out = self->context->err == REDIS_ERR_IO
        && (context_errno == EAGAIN || context_errno == EWOULDBLOCK);
#ifdef REDIS_ERR_TIMEOUT
    self->timed_out |= self->context->err == REDIS_ERR_TIMEOUT;
#endif
    if (self->timed_out)
        s_set_error (self, "no answer within %d ms", self->timeout_ms);
    else
        s_set_error (self, "%s", self->context->errstr);
    stele_redis_disconnect (self);
}

//  Writing to a closed connection raises SIGPIPE, which would end a program that embeds
//  this library: block it in this thread and consume it.

static int
s_send (stele_redis_t *self)
{
    sigset_t pipe_set, before, pending;
    sigemptyset (&pipe_set);
    sigaddset (&pipe_set, SIGPIPE);
    sigpending (&pending);
    bool was_pending = sigismember (&pending, SIGPIPE);
    pthread_sigmask (SIG_BLOCK, &pipe_set, &before);

    int done = 0;
    int rc = REDIS_OK;
    errno = 0;
    while (rc == REDIS_OK && !done)
        rc = redisBufferWrite (self->context, &done);
    int send_errno = errno;

    if (rc != REDIS_OK && send_errno == EPIPE && !was_pending) {
        struct timespec now = { 0, 0 };
        while (sigtimedwait (&pipe_set, NULL, &now) < 0 && errno == EINTR)
            continue;
    }
    pthread_sigmask (SIG_SETMASK, &before, NULL);
    self->unsent = false;
    if (rc != REDIS_OK)
        s_fail (self, send_errno);
    return rc == REDIS_OK? 0: STELE_EUNAVAILABLE;
}

static int
s_open (stele_redis_t *self)
{
    struct timeval timeout = {
        self->timeout_ms / 1000, self->timeout_ms % 1000 * 1000
    };
    errno = 0;
    self->context = self->url.local
        ? redisConnectUnixWithTimeout (self->url.place, timeout)
        : redisConnectWithTimeout (self->url.place, self->url.port, timeout);
    assert (self->context);
    if (self->context->err == 0) {
        fcntl (self->context->fd, F_SETFD, FD_CLOEXEC);
        redisSetTimeout (self->context, timeout);
    }
    if (self->context->err) {
        s_fail (self, errno);
        return STELE_EUNAVAILABLE;
    }
    return 0;
}

//  Log in, select the database, and PING: each without an error reply

static int
s_greet (stele_redis_t *self)
{
    if (self->url.password [0]) {
        stele_redis_word (self, "AUTH");
        if (self->url.user [0])
            stele_redis_word (self, self->url.user);
        stele_redis_word (self, self->url.password);
        stele_redis_end (self);
    }
    if (self->url.db) {
        stele_redis_word (self, "SELECT");
        stele_redis_integer (self, self->url.db);
        stele_redis_end (self);
    }
    stele_redis_command (self, "PING", NULL, NULL);
    while (self->outstanding) {
        redisReply *reply = stele_redis_reply (self);
        if (!reply)
            return STELE_EUNAVAILABLE;
        if (reply->type == REDIS_REPLY_ERROR) {
            s_set_error (self, "%s", reply->str);
            freeReplyObject (reply);
            stele_redis_disconnect (self);
            return STELE_EUNAVAILABLE;
        }
        freeReplyObject (reply);
    }
    return 0;
}

int
stele_redis_connect (stele_redis_t *self)
{
    stele_redis_disconnect (self);
    self->timed_out = false;
    if (s_open (self))
        return STELE_EUNAVAILABLE;
    return s_greet (self);
}

//  -- commands -----------------------------------------------------------------

//  A command is built in Redis' protocol, "*COUNT" and each argument as "$SIZE" and its bytes,
//  without an intermediate list of arguments.
static char *
s_reserve (stele_redis_t *self, size_t size)
{
    self->body = stele_array_must_grow (self->body, &self->body_room, self->body_size + size, 1);
    return self->body + self->body_size;
}

//  Write the mark, the number, and the end of the line. Returns their size, at most DIGITS_MAX.
#define DIGITS_MAX 24

static size_t
s_write_head (char *text, char mark, size_t number)
{
    char digits [DIGITS_MAX];
    size_t count = 0, size = 0;
    do
        digits [count++] = (char) ('0' + number % 10);
    while (number /= 10);
    text [size++] = mark;
    while (count > 0)
        text [size++] = digits [--count];
    text [size++] = '\r';
    text [size++] = '\n';
    return size;
}

void
stele_redis_bytes (stele_redis_t *self, const void *bytes, size_t size)
{
    char *text = s_reserve (self, size + DIGITS_MAX + 2);
    size_t head = s_write_head (text, '$', size);
    if (size)
        memcpy (text + head, bytes, size);
    memcpy (text + head + size, "\r\n", 2);
    self->body_size += head + size + 2;
    self->arg_count++;
}

void
stele_redis_word (stele_redis_t *self, const char *word)
{
    stele_redis_bytes (self, word, strlen (word));
}

void
stele_redis_integer (stele_redis_t *self, int64_t value)
{
    char digits [DIGITS_MAX];
    char *text = digits + sizeof digits;
    uint64_t rest = value < 0? -(uint64_t) value: (uint64_t) value;
    do
        *--text = (char) ('0' + rest % 10);
    while (rest /= 10);
    if (value < 0)
        *--text = '-';
    stele_redis_bytes (self, text, (size_t) (digits + sizeof digits - text));
}

void
stele_redis_end (stele_redis_t *self)
{
    assert (self->arg_count);
    char head [DIGITS_MAX];
    size_t head_size = s_write_head (head, '*', self->arg_count), size = self->body_size;
    self->arg_count = 0;
    self->body_size = 0;
    if (!self->context)
        return;
    if (redisAppendFormattedCommand (self->context, head, head_size) != REDIS_OK
    ||  redisAppendFormattedCommand (self->context, self->body, size) != REDIS_OK) {
        s_fail (self, 0);
        return;
    }
    self->unsent = true;
    self->outstanding++;
    self->transaction++;
}

void
stele_redis_command (stele_redis_t *self, const char *name, const char *one, const char *two)
{
    stele_redis_word (self, name);
    if (one)
        stele_redis_word (self, one);
    if (two)
        stele_redis_word (self, two);
    stele_redis_end (self);
}

redisReply *
stele_redis_reply (stele_redis_t *self)
{
    if (!self->context)
        return NULL;
    assert (self->outstanding);
    void *reply = NULL;
    if (self->unsent && s_send (self))
        return NULL;
    errno = 0;
    if (redisGetReply (self->context, &reply) != REDIS_OK) {
        s_fail (self, errno);
        return NULL;
    }
    self->outstanding--;
    return reply;
}

void
stele_redis_drain (stele_redis_t *self)
{
    while (self->context && self->outstanding)
        freeReplyObject (stele_redis_reply (self));
}

redisReply *
stele_redis_scan (stele_redis_t *self, const char *key, const char *cursor,
    const char *pattern, int64_t count)
{
    stele_redis_word (self, key? "ZSCAN": "SCAN");
    if (key)
        stele_redis_word (self, key);
    stele_redis_word (self, cursor);
    if (pattern) {
        stele_redis_word (self, "MATCH");
        stele_redis_word (self, pattern);
    }
    stele_redis_word (self, "COUNT");
    stele_redis_integer (self, count);
    stele_redis_end (self);

    redisReply *reply = stele_redis_reply (self);
    if (!reply)
        return NULL;
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 2
    &&  reply->element [0]->type == REDIS_REPLY_STRING
    &&  reply->element [1]->type == REDIS_REPLY_ARRAY)
        return reply;
    s_set_error (self, "%s", reply->type == REDIS_REPLY_ERROR? reply->str:
        "unexpected reply to SCAN");
    freeReplyObject (reply);
    stele_redis_disconnect (self);
    return NULL;
}

//  -- transactions ---------------------------------------------------------------

void
stele_redis_multi (stele_redis_t *self)
{
    assert (self->outstanding == 0);
    stele_redis_command (self, "MULTI", NULL, NULL);
    self->transaction = 0;
}

//  Classify the reply to EXEC: an array of one reply per command, none of them an error

static stele_exec_t
s_classify (stele_redis_t *self, const redisReply *reply, size_t expected, bool refused)
{
    if (reply->type == REDIS_REPLY_ERROR) {
        if (!refused)
            s_set_error (self, "%s", reply->str);
        return STELE_EXEC_REFUSED;
    }
    if (reply->type == REDIS_REPLY_NIL)
        return STELE_EXEC_CHANGED;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != expected) {
        s_set_error (self, "unexpected reply to EXEC");
        return STELE_EXEC_BROKEN;
    }
    for (size_t i = 0; i < reply->elements; i++)
        if (reply->element [i]->type == REDIS_REPLY_ERROR) {
            s_set_error (self, "%s", reply->element [i]->str);
            return STELE_EXEC_BROKEN;
        }
    return STELE_EXEC_DONE;
}

void
stele_redis_exec_send (stele_redis_t *self)
{
    STELE_FAULT (exec_before);
    stele_redis_command (self, "EXEC", NULL, NULL);
    if (self->context && self->unsent)
        s_send (self);
}

stele_exec_t
stele_redis_exec_wait (stele_redis_t *self)
{
    size_t expected = self->transaction - 1;        // Without the EXEC
    bool refused = false;
    while (self->outstanding > 1) {
        redisReply *reply = stele_redis_reply (self);
        if (reply && reply->type == REDIS_REPLY_ERROR && !refused) {
            s_set_error (self, "%s", reply->str);
            refused = true;
        }
        freeReplyObject (reply);
    }
    STELE_FAULT (exec_sent);
    redisReply *reply = stele_redis_reply (self);
    STELE_FAULT (exec_after);
    if (!reply)
        return STELE_EXEC_LOST;
    stele_exec_t outcome = s_classify (self, reply, expected, refused);
    freeReplyObject (reply);
    return outcome;
}

stele_exec_t
stele_redis_exec (stele_redis_t *self)
{
    stele_redis_exec_send (self);
    return stele_redis_exec_wait (self);
}

//  -- replies ----------------------------------------------------------------------

bool
stele_reply_is_text (const redisReply *reply, const char *text)
{
    return reply && reply->type == REDIS_REPLY_STRING
        && reply->len == strlen (text) && memcmp (reply->str, text, reply->len) == 0;
}

int64_t
stele_reply_integer (const redisReply *reply, int64_t otherwise)
{
    int64_t value;
    if (reply && reply->type == REDIS_REPLY_STRING
    &&  stele_redis_parse_integer (reply->str, reply->len, &value))
        return value;
    return otherwise;
}

bool
stele_redis_parse_integer (const char *text, size_t size, int64_t *value)
{
    char digits [24];
    if (size == 0 || size >= sizeof digits || (text [0] != '-' && (text [0] < '0' || text [0] > '9')))
        return false;
    memcpy (digits, text, size);
    digits [size] = 0;
    char *end;
    errno = 0;
    long long number = strtoll (digits, &end, 10);
    if (errno || end != digits + size)
        return false;
    *value = number;
    return true;
}

//  -- version ----------------------------------------------------------------------

#define TEXT_(number) #number
#define TEXT(number) TEXT_ (number)

//  hiredis reports no version at run time

const char *
stele_hiredis_version (void)
{
    return TEXT (HIREDIS_MAJOR) "." TEXT (HIREDIS_MINOR) "." TEXT (HIREDIS_PATCH);
}
