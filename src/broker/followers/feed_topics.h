/*  feed_topics - the topics that a subscription is granted (protocol section 5)

    Each event is published under TYPE/ID; while a key that is bound to users subscribes, also under @USER/TYPE/ID,
    where USER is the user to whom the event belongs. Such a key receives only topics of its users.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_FEED_TOPICS_H_INCLUDED
#define STELE_FEED_TOPICS_H_INCLUDED

#include "broker/access/identity.h"

#define STELE_HEARTBEAT "heartbeat"

/*  Longest "@USER/": in USER every byte may be escaped. And longest topic.  */
#define STELE_USER_TOPIC_MAX (3 * STELE_LIMIT_ID + 2)
#define STELE_TOPIC_MAX      (STELE_USER_TOPIC_MAX + STELE_LIMIT_TOPIC)

/*  Write "@USER/" to a buffer of 'topic_max' bytes, STELE_USER_TOPIC_MAX for any user; '%' and '/' in USER become %25
    and %2F. Returns its size; it is not terminated. 0: it does not fit.     */
size_t
    stele_user_topic (stele_span_t user, char *topic, size_t topic_max);

/*  Call fn for each prefix that a subscription to 'topic' is granted, none if there is nothing it may receive.
    One to everything is granted the type of each event, and the heartbeat, not the topics of users, which would
    repeat every event. One that is wider than the key's topics is narrowed to them. The heartbeat is granted to every
    identity with the role feed.                                             */
typedef void (stele_grant_fn) (const char *topic, size_t size, void *arg);
void
    stele_feed_grant (const stele_identity_t *identity, const char *topic, size_t size, stele_grant_fn *fn, void *arg);

#endif
