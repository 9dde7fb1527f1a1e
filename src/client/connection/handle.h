/*  handle - a descriptor that is readable when one of some sockets may have work

    The descriptor of a ZeroMQ socket tells only that something changed. This one is made from them (epoll)
    and from a timer, which fires at once if a socket has a message already, and after a second in any case.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_HANDLE_H_INCLUDED
#define STELE_HANDLE_H_INCLUDED

#include <stdbool.h>

typedef struct stele_handle stele_handle_t;

/*  NULL: the process has no descriptor left. Caller owns return value.      */
stele_handle_t *
    stele_handle_new (void);

void
    stele_handle_destroy (stele_handle_t **self_p);

/*  The descriptor; it is closed by destroy.                                 */
int
    stele_handle_fd (const stele_handle_t *self);

/*  Watch a libzmq socket (NULL: none), which may be watched already. One that is closed is forgotten. Returns
    whether it has a message.                                                */
bool
    stele_handle_watch (stele_handle_t *self, void *socket);

/*  The work is done for now, or, if 'ready', not yet: readable again at once. */
void
    stele_handle_arm (stele_handle_t *self, bool ready);

#endif
