/*  identity - who sends a message, and what that sender may do

    An identity belongs to a key of the keyring (keyring.h), and is constant. Without keys, and on sockets
    that need none (ipc, inproc), every sender is stele_identity_local, which may do everything.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_IDENTITY_H_INCLUDED
#define STELE_IDENTITY_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "ledger/reader.h"

/*  X (constant, word in a key file, roles that it includes): the permission that an operation needs.
    Every role includes ANY. ANY and the word "" cannot be given.            */
#define STELE_ROLES(X) \
    X (ANY,     "",        0)       /*  Every client that can connect  */ \
    X (METRICS, "metrics", 0)       /*  Numbers about the broker, no records  */ \
    X (QUERY,   "query",   STELE_ROLE_BIT (METRICS))    /*  Read records  */ \
    X (FEED,    "feed",    0)       /*  Subscribe to the feed  */ \
    X (PUBLISH, "publish", 0)       /*  Record events, and query the state of a producer  */ \
    X (OPERATE, "operate", STELE_ROLE_BIT (QUERY) | STELE_ROLE_BIT (METRICS)) \
                                    /*  Repair: changes no recorded event  */ \
    X (ADMIN,   "admin",   STELE_ROLE_ALL & ~STELE_ROLE_BIT (GATEWAY)) \
                                    /*  Change the broker's guarantees, and everything above  */ \
    X (GATEWAY, "gateway", 0)       /*  Send requests for others (delegate.h)  */

#define STELE_ROLE_ENUM(constant, word, includes) STELE_ROLE_##constant,
typedef enum { STELE_ROLES (STELE_ROLE_ENUM) STELE_ROLE_COUNT } stele_role_t;
#undef STELE_ROLE_ENUM

#define STELE_ROLE_BIT(constant) (1u << STELE_ROLE_##constant)
#define STELE_ROLE_ALL           ((1u << STELE_ROLE_COUNT) - 1)

/*  Longest topic TYPE/ID of an event, in bytes                              */
#define STELE_LIMIT_TOPIC (64 + STELE_LIMIT_ID)

typedef struct {
    const char *name;               // Of the key; "local" where no key is needed
    unsigned roles;                 // Bits 1 << stele_role_t, with those that they include; 0: not valid any more
    int64_t not_after_us;           // Wall clock; 0: no end
    //  Not restricted where there is none
    const stele_span_t *users, *producers, *topics;
    size_t user_count, producer_count, topic_count;
} stele_identity_t;

/*  May do everything; the second also for others, and is used only for a request that has an actor. */
extern const stele_identity_t stele_identity_local;
extern const stele_identity_t stele_identity_local_gateway;

/*  Has it that role, and is it valid now?                                   */
bool
    stele_identity_may (const stele_identity_t *self, stele_role_t role);

/*  May it publish as that producer? Its patterns are names, in which * is any text. */
bool
    stele_identity_may_publish_as (const stele_identity_t *self, const char *producer, size_t size);

/*  May it see records of that user?                                         */
bool
    stele_identity_may_see (const stele_identity_t *self, const char *user_id, size_t size);

/*  May it subscribe to that topic, that is, does the topic start with one of its prefixes? */
bool
    stele_identity_may_hear (const stele_identity_t *self, const char *topic, size_t size);

/*  The word of a role; the role of a word, or -1.                           */
const char *
    stele_role_word (stele_role_t role);
int
    stele_role_of (const char *word, size_t size);

/*  The bits of a role and of those that it includes.                        */
unsigned
    stele_role_bits (stele_role_t role);

#endif
