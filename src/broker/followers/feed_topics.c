/*  feed_topics - the topics that a subscription is granted (protocol section 5)

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <string.h>
#include "broker/followers/feed_topics.h"

typedef struct {
    const stele_identity_t *identity;
    stele_grant_fn *fn;
    void *arg;
} s_grants_t;

size_t
stele_user_topic (stele_span_t user, char *topic, size_t topic_max)
{
    size_t size = 0, needed = user.size + 2;
    for (size_t i = 0; i < user.size; i++)
        needed += user.text [i] == '%' || user.text [i] == '/'? 2: 0;
    if (needed > topic_max)
        return 0;
    topic [size++] = '@';
    for (size_t i = 0; i < user.size; i++)
        if (user.text [i] == '%' || user.text [i] == '/') {
            memcpy (topic + size, user.text [i] == '/'? "%2F": "%25", 3);
            size += 3;
        }
        else
            topic [size++] = user.text [i];
    topic [size++] = '/';
    return size;
}

static bool
s_starts_with (const char *text, size_t size, const char *prefix, size_t prefix_size)
{
    return size >= prefix_size && memcmp (text, prefix, prefix_size) == 0;
}

//  A prefix of TYPE/ID: as it is, or of each user of the key
static void
s_grant (const s_grants_t *self, const char *topic, size_t size)
{
    const stele_identity_t *identity = self->identity;
    char text [STELE_TOPIC_MAX];
    if (identity->user_count == 0 && size)
        self->fn (topic, size, self->arg);
    //  Everything, but not a second time under the topics of users
    for (int code = 1; identity->user_count == 0 && size == 0 && code < STELE_EVENT_TYPE_END; code++) {
        const char *type = stele_vocabulary_word (STELE_VOCABULARY_EVENT_TYPE, code);
        if (type)
            self->fn (type, strlen (type), self->arg);
    }
    for (size_t i = 0; i < identity->user_count; i++) {
        size_t at = stele_user_topic (identity->users [i], text, sizeof text);
        if (at == 0 || at + size > sizeof text)
            continue;
        memcpy (text + at, topic, size);
        self->fn (text, at + size, self->arg);
    }
}

//  A prefix of TYPE/ID, cut to the topics of the key
static void
s_grant_topics (const s_grants_t *self, const char *topic, size_t size)
{
    const stele_identity_t *identity = self->identity;
    if (stele_identity_may_hear (identity, topic, size))
        s_grant (self, topic, size);
    else
        for (size_t i = 0; i < identity->topic_count; i++)
            if (s_starts_with (identity->topics [i].text, identity->topics [i].size, topic, size))
                s_grant (self, identity->topics [i].text, identity->topics [i].size);
}

void
stele_feed_grant (const stele_identity_t *identity, const char *topic, size_t size, stele_grant_fn *fn, void *arg)
{
    const s_grants_t grants = { identity, fn, arg };
    if (!stele_identity_may (identity, STELE_ROLE_FEED))
        return;
    //  "@" alone only makes the socket of a client accept what its other subscriptions are granted
    if (size == 1 && *topic == '@')
        return;
    if (size && *topic == '@') {
        char user [STELE_USER_TOPIC_MAX];
        for (size_t i = 0; i < identity->user_count; i++) {
            size_t prefix = stele_user_topic (identity->users [i], user, sizeof user);
            if (prefix && s_starts_with (topic, size, user, prefix)) {
                const stele_identity_t of_one = {
                    .name = identity->name, .roles = identity->roles, .users = &identity->users [i], .user_count = 1,
                    .topics = identity->topics, .topic_count = identity->topic_count
                };
                s_grant_topics (&(s_grants_t) { &of_one, fn, arg }, topic + prefix, size - prefix);
            }
        }
        if (identity->user_count == 0 && identity->topic_count == 0)
            fn (topic, size, arg);
        return;
    }
    bool as_it_is = size && identity->user_count == 0 && identity->topic_count == 0;
    if (!as_it_is && s_starts_with (STELE_HEARTBEAT, strlen (STELE_HEARTBEAT), topic, size))
        fn (STELE_HEARTBEAT, strlen (STELE_HEARTBEAT), arg);
    s_grant_topics (&grants, topic, size);
}
