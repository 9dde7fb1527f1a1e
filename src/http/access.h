/*  access - the tokens of clients: who sends a request, and what that one may do

    Each token is an actor (protocol section 14): with it, a request to the broker is run with the roles of the token and for its
    users, and the broker enforces both. What this process answers itself (statistics, the start of a stream) it checks by the same.

    An actor never changes and lives until the end. One whose token was changed in the file becomes invalid, and another takes its
    place; whoever keeps an actor asks http_actor_is_valid before each use.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_HTTP_ACCESS_H_INCLUDED
#define STELE_HTTP_ACCESS_H_INCLUDED

#include <stdbool.h>
#include <sys/socket.h>
#include "cli/files/token_file.h"
#include "http/peers.h"
#include "http/scan.h"
#include "model/refusal.h"

typedef struct http_access http_access_t;

typedef struct http_actor {
    char id [CLI_TOKEN_ID];
    char name [CLI_TOKEN_NAME + 1];
    bool bound;                     // To users
    uint32_t version;               // Changes with what it may see: for ETags
    const void *packed;             // The map 'actor' of a request
    size_t packed_size;
    struct http_token *token;
} http_actor_t;

/*  Read the file of tokens. NULL with the refusal. Caller owns return value. */
http_access_t *
    http_access_new (const char *path, stele_refusal_t *refusal);
void
    http_access_destroy (http_access_t **self_p);

/*  Read the file again. If it is not valid, the log says so, and nothing changes. */
void
    http_access_reload (http_access_t *self);

/*  Call often: reads the file again if it has changed, looking once a second. */
void
    http_access_tick (http_access_t *self);

/*  Who sends a request with that field Authorization (which may be absent) from that address, of which 'peer' is remembered (or
    NULL)? Returns 0, or a status of HTTP to
    refuse it with and the reason in 'why': 401, or 429 with the seconds to wait. */
#define HTTP_ACCESS_WHY 200
int
    http_access_identify (http_access_t *self, http_span_t authorization, const struct sockaddr *address, http_peer_t *peer,
        const http_actor_t **actor, int *wait_s, char why [HTTP_ACCESS_WHY]);

/*  An actor that may do nothing, to learn whether the broker takes requests for others from this server */
const http_actor_t *
    http_access_probe (const http_access_t *self);

/*  Is its token still in the file, as it was, and not expired?              */
bool
    http_actor_is_valid (const http_actor_t *self);

/*  Does it have the role (of routes.h)? NULL, where there are no tokens, has each. */
bool
    http_actor_may (const http_actor_t *self, const char *role);

/*  Count a request of it. Returns 0, or the seconds to wait, since there were more than that per second. */
int
    http_actor_take (const http_actor_t *self, int64_t per_second);

/*  Is it bound to users? NULL is not.                                       */
static inline bool
http_actor_is_bound (const http_actor_t *self)
{
    return self && self->bound;
}

#endif
