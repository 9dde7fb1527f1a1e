/*  delegate - derive the identity of a request from its key and its 'actor'

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "broker/access/delegate.h"

const stele_identity_t *
stele_delegate_identity (stele_delegate_t *self, const stele_identity_t *key, const void *request, size_t size,
    stele_refusal_t *refusal)
{
    (void) self;
    (void) request;
    (void) size;
    (void) refusal;
    return key;
}
