/*  feed_subscribers - how many connections are subscribed to each topic, for a feed with keys

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include "base/memory.h"
#include "broker/followers/feed_subscribers.h"

typedef struct {
    char *name;
    size_t count;                   // Of connections
    UT_hash_handle hh;
} s_topic_t;

typedef struct {
    char *id;
    int fd;
    s_topic_t *topics;
    UT_hash_handle hh;
} s_connection_t;

struct stele_feed_subscribers {
    s_connection_t *connections;    // Also ended ones, until their file descriptor is that of another one
    s_topic_t *topics;              // Of those that have not ended
};

static void
s_remove_topic (s_topic_t **topics, s_topic_t *topic)
{
    HASH_DEL (*topics, topic);
    free (topic->name);
    free (topic);
}

static s_topic_t *
s_find_topic (s_topic_t *topics, const void *name, size_t size)
{
    s_topic_t *topic;
    HASH_FIND (hh, topics, name, size, topic);
    return topic;
}

static s_topic_t *
s_add_topic (s_topic_t **topics, const void *name, size_t size)
{
    s_topic_t *topic = STELE_NEW (s_topic_t);
    topic->name = stele_memory_copy (name, size);
    HASH_ADD_KEYPTR (hh, *topics, topic->name, size, topic);
    return topic;
}

static void
s_remove_topics (s_topic_t **topics)
{
    s_topic_t *topic, *next;
    HASH_ITER (hh, *topics, topic, next)
        s_remove_topic (topics, topic);
}

static void
s_remove_connection (stele_feed_subscribers_t *self, s_connection_t *connection)
{
    HASH_DEL (self->connections, connection);
    s_remove_topics (&connection->topics);
    free (connection->id);
    free (connection);
}

static s_connection_t *
s_connection (stele_feed_subscribers_t *self, const char *id, int fd)
{
    s_connection_t *connection, *next;
    HASH_FIND_STR (self->connections, id, connection);
    if (connection)
        return connection;
    HASH_ITER (hh, self->connections, connection, next)
        if (fd >= 0 && connection->fd == fd)
            s_remove_connection (self, connection);
    connection = STELE_NEW (s_connection_t);
    connection->id = stele_memory_copy (id, strlen (id));
    connection->fd = fd;
    HASH_ADD_KEYPTR (hh, self->connections, connection->id, strlen (id), connection);
    return connection;
}

stele_feed_subscribers_t *
stele_feed_subscribers_new (void)
{
    return STELE_NEW (stele_feed_subscribers_t);
}

void
stele_feed_subscribers_destroy (stele_feed_subscribers_t **self_p)
{
    stele_feed_subscribers_t *self = *self_p;
    if (!self)
        return;
    s_connection_t *connection, *next;
    HASH_ITER (hh, self->connections, connection, next)
        s_remove_connection (self, connection);
    s_remove_topics (&self->topics);
    free (self);
    *self_p = NULL;
}

bool
stele_feed_subscribers_join (stele_feed_subscribers_t *self, const char *id, int fd, const void *topic, size_t size)
{
    s_connection_t *connection = s_connection (self, id, fd);
    if (s_find_topic (connection->topics, topic, size))
        return false;
    s_add_topic (&connection->topics, topic, size);
    s_topic_t *all = s_find_topic (self->topics, topic, size);
    if (!all)
        all = s_add_topic (&self->topics, topic, size);
    return ++all->count == 1;
}

bool
stele_feed_subscribers_leave (stele_feed_subscribers_t *self, const char *id, const void *topic, size_t size)
{
    if (id) {
        s_connection_t *connection;
        HASH_FIND_STR (self->connections, id, connection);
        s_topic_t *own = connection? s_find_topic (connection->topics, topic, size): NULL;
        if (!own)
            return false;
        s_remove_topic (&connection->topics, own);
    }
    s_topic_t *all = s_find_topic (self->topics, topic, size);
    if (!all || --all->count)
        return false;
    s_remove_topic (&self->topics, all);
    return true;
}
