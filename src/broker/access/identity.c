/*  identity - what an identity may do

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <string.h>
#include "base/clock.h"
#include "broker/access/identity.h"

const stele_identity_t stele_identity_local = { .name = "local", .roles = STELE_ROLE_ALL & ~STELE_ROLE_BIT (GATEWAY) };
const stele_identity_t stele_identity_local_gateway = { .name = "local", .roles = STELE_ROLE_ALL };

static const struct { const char *word; unsigned bits; } s_roles [STELE_ROLE_COUNT] = {
#define S_ROLE(constant, word, includes) \
    [STELE_ROLE_##constant] = { word, STELE_ROLE_BIT (constant) | STELE_ROLE_BIT (ANY) | (includes) },
    STELE_ROLES (S_ROLE)
#undef S_ROLE
};

bool
stele_identity_may (const stele_identity_t *self, stele_role_t role)
{
    return (self->roles >> role & 1) && (self->not_after_us == 0 || stele_clock_us () < self->not_after_us);
}

//  After a *, try every rest of the text: the last * decides, so this takes at most size * pattern.size steps
static bool
s_matches (stele_span_t pattern, const char *text, size_t size)
{
    size_t i = 0, p = 0, star = pattern.size, from = 0;
    while (i < size) {
        if (p < pattern.size && pattern.text [p] == '*') {
            star = p++;
            from = i;
        }
        else
        if (p < pattern.size && pattern.text [p] == text [i]) {
            p++;
            i++;
        }
        else
        if (star < pattern.size) {
            p = star + 1;
            i = ++from;
        }
        else
            return false;
    }
    while (p < pattern.size && pattern.text [p] == '*')
        p++;
    return p == pattern.size;
}

bool
stele_identity_may_publish_as (const stele_identity_t *self, const char *producer, size_t size)
{
    for (size_t i = 0; i < self->producer_count; i++)
        if (s_matches (self->producers [i], producer, size))
            return true;
    return self->producer_count == 0;
}

bool
stele_identity_may_see (const stele_identity_t *self, const char *user_id, size_t size)
{
    for (size_t i = 0; i < self->user_count; i++)
        if (self->users [i].size == size && memcmp (self->users [i].text, user_id, size) == 0)
            return true;
    return self->user_count == 0;
}

bool
stele_identity_may_hear (const stele_identity_t *self, const char *topic, size_t size)
{
    for (size_t i = 0; i < self->topic_count; i++)
        if (self->topics [i].size <= size && memcmp (self->topics [i].text, topic, self->topics [i].size) == 0)
            return true;
    return self->topic_count == 0;
}

const char *
stele_role_word (stele_role_t role)
{
    return s_roles [role].word;
}

int
stele_role_of (const char *word, size_t size)
{
    for (int role = STELE_ROLE_ANY + 1; role < STELE_ROLE_COUNT; role++)
        if (strlen (s_roles [role].word) == size && memcmp (s_roles [role].word, word, size) == 0)
            return role;
    return -1;
}

unsigned
stele_role_bits (stele_role_t role)
{
    return s_roles [role].bits;
}
