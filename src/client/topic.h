/*  topic - match the events of a subscription

    A topic of the feed is type/ID. A subscription names one of them, a prefix, or a task.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_TOPIC_H_INCLUDED
#define STELE_TOPIC_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include "model/vocabulary.h"

typedef struct {
    char *texts [STELE_EVENT_TYPE_END];     // Prefixes of topics, or topics if 'exact'
    size_t count;                   // 0: every event
    bool exact;
} stele_topic_t;

/*  "" or "*": every event. A complete topic, type/ID: that one only. What ends with '/' or '*', or has
    no '/': every topic that starts with it (without the '*').               */
void
    stele_topic_set (stele_topic_t *self, const char *topic);

/*  Every event about that task, of the types task.*. It also subscribes to the events of all sessions, of the
    types session.*, which stele_topic_matches does not match: sessions.h knows which are the task's. */
void
    stele_topic_set_task (stele_topic_t *self, const char *task_id);

void
    stele_topic_clear (stele_topic_t *self);

/*  Subscribe a SUB socket. It matches prefixes, so it also receives topics that only begin with an
    exact one.                                                               */
void
    stele_topic_subscribe (const stele_topic_t *self, void *socket);

/*  Can an event of that type match?                                         */
bool
    stele_topic_has_type (const stele_topic_t *self, const char *type);

bool
    stele_topic_matches (const stele_topic_t *self, const char *type, const char *id);

#endif
