/*  topic - match the events of a subscription

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>
#include "base/memory.h"
#include "client/topic.h"

void
stele_topic_set (stele_topic_t *self, const char *topic)
{
    size_t size = strlen (topic);
    bool prefix = size == 0 || strchr ("/*", topic [size - 1]) || !strchr (topic, '/');
    stele_topic_clear (self);
    if (size && topic [size - 1] == '*')
        size--;
    if (size == 0)
        return;
    self->exact = !prefix;
    self->texts [self->count++] = stele_memory_copy (topic, size);
}

void
stele_topic_set_task (stele_topic_t *self, const char *task_id)
{
    stele_topic_clear (self);
    self->exact = true;
    for (int code = 1; code < STELE_EVENT_TYPE_END; code++) {
        const char *type = stele_vocabulary_word (STELE_VOCABULARY_EVENT_TYPE, code);
        bool of_task = type && stele_event_subject (code) == STELE_SUBJECT_TASK;
        if (!of_task && (!type || stele_event_subject (code) != STELE_SUBJECT_SESSION))
            continue;
        const char *id = of_task? task_id: "";
        size_t size = strlen (type) + 1 + strlen (id);
        char *text = stele_memory_new (size + 1);
        snprintf (text, size + 1, "%s/%s", type, id);
        self->texts [self->count++] = text;
    }
}

void
stele_topic_clear (stele_topic_t *self)
{
    for (size_t i = 0; i < self->count; i++)
        free (self->texts [i]);
    *self = (stele_topic_t) { .count = 0 };
}

void
stele_topic_subscribe (const stele_topic_t *self, void *socket)
{
    for (size_t i = 0; i < self->count; i++)
        zmq_setsockopt (socket, ZMQ_SUBSCRIBE, self->texts [i], strlen (self->texts [i]));
    //  A subscription to everything has the heartbeat already
    if (self->count == 0)
        zmq_setsockopt (socket, ZMQ_SUBSCRIBE, "", 0);
    else
        zmq_setsockopt (socket, ZMQ_SUBSCRIBE, "heartbeat", strlen ("heartbeat"));
    //  With a key that is bound to users, the broker sends what was subscribed to as @USER/TOPIC, and the socket
    //  must let it in
    if (self->count > 0)
        zmq_setsockopt (socket, ZMQ_SUBSCRIBE, "@", 1);
}

bool
stele_topic_has_type (const stele_topic_t *self, const char *type)
{
    char topic [64];
    size_t size = (size_t) snprintf (topic, sizeof topic, "%s/", type);
    for (size_t i = 0; i < self->count; i++) {
        size_t length = strlen (self->texts [i]);
        if (memcmp (topic, self->texts [i], length < size? length: size) == 0)
            return true;
    }
    return self->count == 0;
}

bool
stele_topic_matches (const stele_topic_t *self, const char *type, const char *id)
{
    char topic [64 + 256 + 1];
    snprintf (topic, sizeof topic, "%s/%s", type, id);
    for (size_t i = 0; i < self->count; i++)
        if (self->exact? strcmp (topic, self->texts [i]) == 0:
            strncmp (topic, self->texts [i], strlen (self->texts [i])) == 0)
            return true;
    return self->count == 0;
}
