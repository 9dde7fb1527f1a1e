/*  send_quota - how many bytes of answers peers have not yet taken

    A high-water mark counts messages; an answer may have megabytes. So what was given to
    libzmq is counted, peer by peer and in all, until libzmq has passed it to the kernel or dropped
    it with its connection. libzmq says so from a thread of its own: the counters are
    atomic, the only thing here that threads share.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_SEND_QUOTA_H_INCLUDED
#define STELE_SEND_QUOTA_H_INCLUDED

#include <czmq.h>

typedef struct stele_send_quota stele_send_quota_t;

/*  The bounds: a peer may leave that many bytes unread, or one answer of any size; all
    peers together 'total_max', and beside that one small answer each. Caller owns return
    value.                                                                   */
stele_send_quota_t *
    stele_send_quota_new (size_t peer_max, size_t total_max);

/*  May be called while messages are still on their way.                     */
void
    stele_send_quota_destroy (stele_send_quota_t **self_p);

/*  May the peer be given so many bytes more?                                */
bool
    stele_send_quota_fits (stele_send_quota_t *self, const void *id, size_t id_size, size_t size);

/*  Did something not fit for this peer, and has it still more than half of its bound to read?
    Then there is no use in working for it.                                  */
bool
    stele_send_quota_stuck (stele_send_quota_t *self, const void *id, size_t id_size);

/*  Send the last frame of a message without blocking, and count it until it is gone. The peer may
    be NULL: counted in all only. Takes ownership of the frame. Returns 0 or -1 as zmq_msg_send. */
int
    stele_send_quota_send (stele_send_quota_t *self, const void *id, size_t id_size, zframe_t **frame_p,
        zsock_t *socket);

size_t
    stele_send_quota_total (const stele_send_quota_t *self);

#endif
