/*  notice - messages from the sender's thread to the application's thread

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <czmq.h>
#include "base/memory.h"
#include "client/publish/notice.h"

struct stele_notices {
    zlist_t *list;
};

stele_notices_t *
stele_notices_new (void)
{
    stele_notices_t *self = STELE_NEW (stele_notices_t);
    self->list = zlist_new ();
    assert (self->list);
    return self;
}

void
stele_notices_destroy (stele_notices_t **self_p)
{
    stele_notices_t *self = *self_p;
    if (!self)
        return;
    void *notice;
    while ((notice = zlist_pop (self->list)))
        free (notice);
    zlist_destroy (&self->list);
    free (self);
    *self_p = NULL;
}

void
stele_notices_put (stele_notices_t *self, const stele_notice_t *notice)
{
    stele_notice_t *last = (stele_notice_t *) zlist_tail (self->list);
    if (last
    &&  last->kind == STELE_NOTICE_ACKED && notice->kind == STELE_NOTICE_ACKED
    &&  last->duplicate == notice->duplicate) {
        *last = *notice;
        return;
    }
    stele_notice_t *copy = STELE_NEW (stele_notice_t);
    *copy = *notice;
    int rc = zlist_append (self->list, copy);
    assert (rc == 0);
}

bool
stele_notices_send (stele_notices_t *self, void *socket)
{
    stele_notice_t *first;
    while ((first = (stele_notice_t *) zlist_first (self->list))) {
        if (zmq_send (socket, first, sizeof *first, ZMQ_DONTWAIT) < 0)
            return false;
        free (zlist_pop (self->list));
    }
    return true;
}
