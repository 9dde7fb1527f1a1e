/*  access - who is let in, and what a sender may do

    A broker with keys (setting keys) has one of these, which all its threads share. Its sockets on tcp demand CURVE,
    with a ZAP domain that is enforced; the ZAP actor (zap.h) lets in the keys of the current keyring. libzmq adds
    the public key of its sender to every message, and each is looked up in the keyring as it is now: a key
    that was revoked is refused from its next message on. ipc and inproc need no key.

    All functions take NULL for a broker without keys, and then do nothing and allow everything.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_ACCESS_H_INCLUDED
#define STELE_ACCESS_H_INCLUDED

#include <czmq.h>
#include "broker/access/keyring.h"
#include "broker/common/denied.h"
#include "wire/pack.h"

typedef struct stele_access stele_access_t;

#define STELE_ACCESS_FEED_DOMAIN "stele-feed"

/*  X (constant, ZAP domain): the kinds of sockets. Those of the first receive messages, which are checked one
    by one. On the others, the broker mostly sends: their handshake demands the role feed, and when a key that was let in
    loses something, their owner ends all their connections.                 */
#define STELE_ACCESS_DOMAINS(X) \
    X (MESSAGES, "stele") \
    X (FEED,     STELE_ACCESS_FEED_DOMAIN) \
    X (PIPELINE, "stele-pipeline-out")

#define STELE_ACCESS_ENUM(constant, domain) STELE_ACCESS_##constant,
typedef enum { STELE_ACCESS_DOMAINS (STELE_ACCESS_ENUM) STELE_ACCESS_COUNT } stele_access_domain_t;
#undef STELE_ACCESS_ENUM

/*  X (constant, key in the statistics): why access was denied               */
#define STELE_DENIALS(X) \
    X (UNKNOWN,  "unknown")         /*  No such key: at the handshake  */ \
    X (REVOKED,  "revoked") \
    X (EXPIRED,  "expired") \
    X (ROLE,     "role")            /*  Its role does not suffice  */ \
    X (PRODUCER, "producer")        /*  It may not use the name of that producer  */ \
    X (USER,     "user")            /*  It is bound to users, and what it requests or publishes is not theirs alone  */

#define STELE_DENIAL_ENUM(constant, key) STELE_DENIED_##constant,
typedef enum { STELE_DENIALS (STELE_DENIAL_ENUM) STELE_DENIAL_COUNT } stele_denial_t;
#undef STELE_DENIAL_ENUM

/*  Read the folder of the keys. NULL with the refusal. Caller owns return value, which outlives every thread
    that has an identity.                                                    */
stele_access_t *
    stele_access_new (const char *folder, stele_refusal_t *refusal);
void
    stele_access_destroy (stele_access_t **self_p);

/*  Note connections that are not let in there, too, to be recorded as audit events (common/denied.h). Call it before
    the ZAP actor starts. What is refused later is noted by whoever refuses it, who knows the address.  */
void
    stele_access_record (stele_access_t *self, stele_denied_t *denied);

/*  Before a bind: if the endpoint is a tcp one, make the socket demand CURVE, and return self. Else NULL: its
    messages come from stele_identity_local.                                 */
stele_access_t *
    stele_access_guard (stele_access_t *self, zsock_t *socket, const char *endpoint, stele_access_domain_t domain);

/*  The sender of a message of a guarded socket, by the property User-Id of its frames. Without a role if its key
    was revoked, or if the ZAP actor has ended. Never NULL.                  */
const stele_identity_t *
    stele_access_sender (stele_access_t *self, const char *user_id);

/*  Is a connection with that public key (Z85) let in? For the ZAP actor; counts a denial. */
bool
    stele_access_admit (stele_access_t *self, const char *public_key, const char *domain, const char *address);

/*  May the identity do 'what', which needs that role? Or publish as that producer? Returns 0, or
    STELE_EUNAUTHORIZED with a refusal that names what is missing; then it is counted, and logged at most once a
    minute for a key.                                                        */
int
    stele_access_check (stele_access_t *self, const stele_identity_t *identity, stele_role_t role, const char *what,
        stele_refusal_t *refusal);
int
    stele_access_check_producer (stele_access_t *self, const stele_identity_t *identity, const char *producer, size_t size,
        stele_refusal_t *refusal);

/*  Something was refused to an identity that is bound to users: count it, and log it as the others. */
void
    stele_access_note_user (stele_access_t *self, const stele_identity_t *identity, const stele_refusal_t *refusal);

/*  Read the folder again, log what has changed, and pack it: added, revoked, changed (arrays of names) and keys,
    their number. Returns 0, or a code with the refusal: then nothing has changed. 'pack' may be NULL. */
int
    stele_access_reload (stele_access_t *self, stele_pack_t *pack, stele_refusal_t *refusal);

/*  Was a key let in to a socket of that domain which is not valid any more, or changed since? Says so once: the
    caller ends all connections of the socket.                               */
bool
    stele_access_lapsed (stele_access_t *self, stele_access_domain_t domain);

/*  The ZAP actor has ended: refuse everything from now on.                  */
void
    stele_access_close (stele_access_t *self);

/*  Pack the statistics: a map.                                              */
void
    stele_access_pack_stats (stele_access_t *self, stele_pack_t *pack);

#endif
