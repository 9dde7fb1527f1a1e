/*  send_quota - limit the bytes of answers that peers have not read

    A high-water mark counts messages, but an answer can have megabytes. So bytes are counted per peer and
    in total from the send until libzmq has passed them to the kernel or dropped them with the
    connection. libzmq reports that on its own threads: the counters are atomic, and nothing
    else is shared.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_SEND_QUOTA_H_INCLUDED
#define STELE_SEND_QUOTA_H_INCLUDED

#include <czmq.h>

typedef struct stele_send_quota stele_send_quota_t;

/*  A peer may leave peer_max bytes unread, or one answer of any size; all peers together
    total_max, plus one small answer each. Caller owns return value.         */
stele_send_quota_t *
    stele_send_quota_new (size_t peer_max, size_t total_max);

/*  Can be called while messages are still queued.                           */
void
    stele_send_quota_destroy (stele_send_quota_t **self_p);

/*  Can this many more bytes be sent to the peer?                            */
bool
    stele_send_quota_fits (stele_send_quota_t *self, const void *id, size_t id_size, size_t size);

/*  Did the last answer to this peer not fit, and is more than half of its quota unread? Then its requests
    need not be processed.                                                   */
bool
    stele_send_quota_stuck (stele_send_quota_t *self, const void *id, size_t id_size);

/*  Send the last frame of a message without blocking, and count it until libzmq frees it. With a NULL id
    only in total. Takes ownership of the frame. Returns 0, or -1 with errno as zmq_msg_send. */
int
    stele_send_quota_send (stele_send_quota_t *self, const void *id, size_t id_size, zframe_t **frame_p,
        zsock_t *socket);

/*  Unread bytes of all peers.                                               */
size_t
    stele_send_quota_total (const stele_send_quota_t *self);

#endif
