/*  handle - a descriptor that is readable when one of some sockets may have work

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <zmq.h>
#include "base/memory.h"
#include "client/connection/handle.h"

struct stele_handle {
    int poll;                       // epoll over the others
    int timer;
};

static void
s_add (const stele_handle_t *self, int fd)
{
    struct epoll_event event = { .events = EPOLLIN };
    epoll_ctl (self->poll, EPOLL_CTL_ADD, fd, &event);      // EEXIST: it is there already
}

stele_handle_t *
stele_handle_new (void)
{
    stele_handle_t *self = STELE_NEW (stele_handle_t);
    self->poll = epoll_create1 (EPOLL_CLOEXEC);
    self->timer = timerfd_create (CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (self->poll < 0 || self->timer < 0)
        stele_handle_destroy (&self);
    else
        s_add (self, self->timer);
    return self;
}

void
stele_handle_destroy (stele_handle_t **self_p)
{
    stele_handle_t *self = *self_p;
    if (!self)
        return;
    if (self->poll >= 0)
        close (self->poll);
    if (self->timer >= 0)
        close (self->timer);
    free (self);
    *self_p = NULL;
}

int
stele_handle_fd (const stele_handle_t *self)
{
    return self->poll;
}

bool
stele_handle_watch (stele_handle_t *self, void *socket)
{
    int fd, events = 0;
    size_t size = sizeof fd;
    if (!socket || zmq_getsockopt (socket, ZMQ_FD, &fd, &size) != 0)
        return false;
    s_add (self, fd);
    //  This also takes what made its descriptor readable
    size = sizeof events;
    return zmq_getsockopt (socket, ZMQ_EVENTS, &events, &size) == 0 && (events & ZMQ_POLLIN);
}

void
stele_handle_arm (stele_handle_t *self, bool ready)
{
    struct itimerspec when = { .it_value = { .tv_sec = ready? 0: 1, .tv_nsec = ready? 1: 0 } };
    timerfd_settime (self->timer, 0, &when, NULL);
}
