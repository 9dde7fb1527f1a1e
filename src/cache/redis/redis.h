/*  redis - one connection to Redis, in pipelines

    Commands are queued argument by argument, sent together, and answered by one
    reply each, in order. After any failure (a time-out too: the late answer would
    be taken for another command's) the connection is closed at once; the text of
    the error remains. Commands already sent may have been executed or not.

    The only file that connects, writes and reads through hiredis; other files
    only inspect its replies.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_REDIS_H_INCLUDED
#define STELE_REDIS_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <hiredis/hiredis.h>
#include "cache/redis/redis_url.h"

typedef struct stele_redis stele_redis_t;

/*  Create a connection that is not open yet. 'timeout_ms' bounds connecting and each
    wait for an answer. Caller owns return value.                            */
stele_redis_t *
    stele_redis_new (const stele_redis_url_t *url, int timeout_ms);

void
    stele_redis_destroy (stele_redis_t **self_p);

/*  Connect, authenticate, select the database, and PING.
    Returns 0 or STELE_EUNAVAILABLE.                                         */
int
    stele_redis_connect (stele_redis_t *self);

void
    stele_redis_disconnect (stele_redis_t *self);

bool
    stele_redis_connected (const stele_redis_t *self);

/*  Was the last failure a time-out?                                         */
bool
    stele_redis_timed_out (const stele_redis_t *self);

/*  Text of the last error. Owned by the connection.                         */
const char *
    stele_redis_error (const stele_redis_t *self);

/*  -- commands ----------------------------------------------------------------- */

/*  Add an argument to the command being built; the argument is copied.      */
void
    stele_redis_word (stele_redis_t *self, const char *word);
void
    stele_redis_bytes (stele_redis_t *self, const void *bytes, size_t size);
void
    stele_redis_integer (stele_redis_t *self, int64_t value);

/*  The command is complete: queue it.                                       */
void
    stele_redis_end (stele_redis_t *self);

/*  Queue a whole command of up to three words; unused ones are NULL.        */
void
    stele_redis_command (stele_redis_t *self, const char *name, const char *one, const char *two);

/*  The reply to the oldest unanswered command; sends queued commands. Caller owns return value
    (freeReplyObject, which accepts NULL). NULL: the connection failed and is closed. An error
    reported by Redis is a reply like any other.                             */
redisReply *
    stele_redis_reply (stele_redis_t *self);

/*  Read and discard replies until none is outstanding.                      */
void
    stele_redis_drain (stele_redis_t *self);

/*  One round of SCAN (key NULL) or ZSCAN: a reply of two elements, the next cursor and an
    array. Caller owns return value. NULL: the connection failed, or the reply
    has another form; the connection is closed.                              */
redisReply *
    stele_redis_scan (stele_redis_t *self, const char *key, const char *cursor,
        const char *pattern, int64_t count);

/*  -- transactions ------------------------------------------------------------- */

typedef enum {
    STELE_EXEC_DONE,                // All commands were executed
    STELE_EXEC_CHANGED,             // A watched key changed: nothing was executed
    STELE_EXEC_REFUSED,             // Redis refused it (no memory, read-only, ...): nothing was executed
    STELE_EXEC_BROKEN,              // Some commands failed; Redis does not roll back the others
    STELE_EXEC_LOST                 // The connection failed: outcome unknown
} stele_exec_t;

/*  Queue MULTI, to be followed by commands; send EXEC and read every reply. The text of
    the first error is in stele_redis_error.                                 */
void
    stele_redis_multi (stele_redis_t *self);
stele_exec_t
    stele_redis_exec (stele_redis_t *self);

/*  The same in two steps, for work while Redis executes it. No other command in between. */
void
    stele_redis_exec_send (stele_redis_t *self);
stele_exec_t
    stele_redis_exec_wait (stele_redis_t *self);

/*  -- replies -------------------------------------------------------------------- */

bool
    stele_reply_is_text (const redisReply *reply, const char *text);

/*  A string reply that is a decimal integer; 'otherwise' for anything else. */
int64_t
    stele_reply_integer (const redisReply *reply, int64_t otherwise);

/*  Parse 'size' bytes as one decimal integer. False: they are not one.      */
bool
    stele_redis_parse_integer (const char *text, size_t size, int64_t *value);

/*  Version of hiredis that this was compiled with. Static storage.          */
const char *
    stele_hiredis_version (void);

#endif
