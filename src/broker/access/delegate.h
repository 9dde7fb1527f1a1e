/*  delegate - a request of a gateway for somebody else

    A key with the role gateway may add to a request

        actor: {name, roles: [text], users: [text]}

    The request is then run with the identity "KEY/name", with those of these roles that the key has itself, and
    for these users, of which it must be allowed to see each. Such an identity belongs to one request: whoever runs it
    derives it from the key's identity and the request.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_DELEGATE_H_INCLUDED
#define STELE_DELEGATE_H_INCLUDED

#include "broker/access/identity.h"
#include "model/refusal.h"

#define STELE_DELEGATE_USERS 64
#define STELE_DELEGATE_NAME  520       // "KEY/name", each at most STELE_LIMIT_ID bytes

/*  Room for one                                                             */
typedef struct {
    stele_identity_t identity;
    char name [STELE_DELEGATE_NAME];
    stele_span_t users [STELE_DELEGATE_USERS];
} stele_delegate_t;

/*  The identity with which to run a request, a checked map: that of the key, or one that is written to
    'self' and borrows the bytes of the request. NULL with the refusal.      */
const stele_identity_t *
    stele_delegate_identity (stele_delegate_t *self, const stele_identity_t *key, const void *request, size_t size,
        stele_refusal_t *refusal);

#endif
