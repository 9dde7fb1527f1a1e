/*  delegate - derive the identity of a request from its key and its 'actor'

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdio.h>
#include <string.h>
#include "broker/access/delegate.h"
#include "wire/scan.h"

static int
s_refuse_form (stele_refusal_t *refusal)
{
    return stele_refuse (refusal, STELE_EBAD_REQUEST, "actor", "actor takes a map of name (UTF-8 of 1 to %d bytes), roles (an array "
        "of texts) and users (an array of 1 to %d such texts; leave it out for those of the key)", STELE_LIMIT_ID, STELE_DELEGATE_USERS);
}

//  The roles of the actor that the key has as well; NULL array: none
static int
s_take_roles (stele_delegate_t *self, const stele_identity_t *key, const void *map, size_t size, stele_refusal_t *refusal)
{
    const void *data = NULL;
    size_t data_size = 0;
    stele_token_t list = stele_scan_find (map, size, "roles", &data, &data_size);
    self->identity.roles = STELE_ROLE_BIT (ANY);
    if (list.kind == STELE_SCAN_END || list.kind == STELE_SCAN_NIL)
        return 0;
    if (list.kind != STELE_SCAN_ARRAY)
        return s_refuse_form (refusal);
    stele_scan_t scan = stele_scan_start (data, data_size);
    for (uint32_t count = stele_scan_next (&scan).count; count--; ) {
        const void *value;
        size_t value_size;
        stele_scan_skip (&scan, &value, &value_size);
        stele_scan_t inside = stele_scan_start (value, value_size);
        stele_token_t word = stele_scan_next (&inside);
        int role = word.kind == STELE_SCAN_TEXT? stele_role_of (word.data, word.size): -1;
        if (role < 0)
            return stele_refuse (refusal, STELE_EBAD_REQUEST, "actor", "actor: roles takes publish, query, feed, operate, admin "
                "and metrics");
        self->identity.roles |= stele_role_bits ((stele_role_t) role);
    }
    self->identity.roles &= (key->roles | STELE_ROLE_BIT (ANY)) & ~STELE_ROLE_BIT (GATEWAY);
    return 0;
}

//  The users of the actor that the key may see. Where none remains, it may see nothing.
static int
s_take_users (stele_delegate_t *self, const stele_identity_t *key, const void *map, size_t size, stele_refusal_t *refusal)
{
    const void *data = NULL;
    size_t data_size = 0;
    stele_token_t list = stele_scan_find (map, size, "users", &data, &data_size);
    self->identity.users = key->users;
    self->identity.user_count = key->user_count;
    if (list.kind == STELE_SCAN_END || list.kind == STELE_SCAN_NIL)
        return 0;
    //  No user at all is refused: whoever filtered a list until nothing was left does not mean all users
    if (list.kind != STELE_SCAN_ARRAY || list.count == 0 || list.count > STELE_DELEGATE_USERS)
        return s_refuse_form (refusal);
    size_t users = 0;
    stele_scan_t scan = stele_scan_start (data, data_size);
    for (uint32_t count = stele_scan_next (&scan).count; count--; ) {
        const void *value;
        size_t value_size;
        stele_scan_skip (&scan, &value, &value_size);
        stele_scan_t inside = stele_scan_start (value, value_size);
        stele_token_t user = stele_scan_next (&inside);
        if (user.kind != STELE_SCAN_TEXT || user.size == 0 || user.size > STELE_LIMIT_ID
        ||  !stele_utf8_valid (user.data, user.size))
            return s_refuse_form (refusal);
        if (stele_identity_may_see (key, user.data, user.size))
            self->users [users++] = (stele_span_t) { user.data, user.size };
    }
    if (users == 0)
        return stele_refuse (refusal, STELE_EUNAUTHORIZED, "actor", "the key '%.100s' is bound to users, and may not act for these",
            key->name);
    self->identity.users = self->users;
    self->identity.user_count = users;
    return 0;
}

const stele_identity_t *
stele_delegate_identity (stele_delegate_t *self, const stele_identity_t *key, const void *request, size_t size,
    stele_refusal_t *refusal)
{
    //  The router refuses an actor of any other key, so that large requests need not be searched
    if (!(key->roles & STELE_ROLE_BIT (GATEWAY)))
        return key;
    const void *map = NULL;
    size_t map_size = 0;
    stele_token_t actor = stele_scan_find (request, size, "actor", &map, &map_size);
    if (actor.kind == STELE_SCAN_END || actor.kind == STELE_SCAN_NIL)
        return key;
    if (actor.kind != STELE_SCAN_MAP) {
        s_refuse_form (refusal);
        return NULL;
    }
    stele_token_t name = stele_scan_find (map, map_size, "name", NULL, NULL);
    if (name.kind != STELE_SCAN_TEXT || name.size == 0 || name.size > STELE_LIMIT_ID
    ||  !stele_utf8_valid (name.data, name.size) || memchr (name.data, 0, name.size)) {
        s_refuse_form (refusal);
        return NULL;
    }
    self->identity = *key;
    snprintf (self->name, sizeof self->name, "%s/%.*s", key->name, (int) name.size, name.data);
    self->identity.name = self->name;
    if (s_take_roles (self, key, map, map_size, refusal) || s_take_users (self, key, map, map_size, refusal))
        return NULL;
    return &self->identity;
}
