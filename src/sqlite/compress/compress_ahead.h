/*  compress_ahead - compress texts on another thread before the writer needs them

    The writer stores one message after another. Messages that wait are offered here, and this
    thread compresses their texts meanwhile. Each text is compressed once, by the thread that
    comes to it first; the writer compresses whatever is not done.

    The gain is CPU time of the writer, which bounds throughput while a processor is free: per
    event 43 instead of 69 us for outputs of 8 kB, 17 instead of 25 us for failures with 4 kB of
    trace (make bench, section shapes; medians of paired runs with and without it). Messages
    below 4 KiB are not offered, and gain nothing.

    One thread, the writer's, calls these functions. The other thread reads only the bytes of
    messages that were offered and not dropped yet.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_COMPRESS_AHEAD_H_INCLUDED
#define STELE_COMPRESS_AHEAD_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>

typedef struct stele_compress_ahead stele_compress_ahead_t;

/*  Starts the thread. NULL: out of memory, or no thread. Caller owns return value.  */
stele_compress_ahead_t *
    stele_compress_ahead_new (void);

/*  Stops the thread.                                                        */
void
    stele_compress_ahead_destroy (stele_compress_ahead_t **self_p);

/*  Set the dictionary to use from now on, and its number; 0: none. The bytes are copied.
    Returns 0, or STELE_ENO_MEMORY: then nothing may be offered.             */
int
    stele_compress_ahead_use (stele_compress_ahead_t *self, unsigned id, const void *dictionary, size_t size);

/*  Offer a message of the events socket. The bytes need not be valid, and must stay in place
    until the message is dropped.                                            */
void
    stele_compress_ahead_offer (stele_compress_ahead_t *self, const void *data, size_t size);

/*  Get the frame of a text in an offered message; waits if it is being compressed. True: the
    frame, valid until the message is dropped, or size 0 if compression does not pay. False:
    the caller compresses it.                                                */
bool
    stele_compress_ahead_take (stele_compress_ahead_t *self, const void *text, size_t size,
        const void **frame, size_t *frame_size);

/*  Drop an offered message: its bytes are no longer read. No effect if it was not offered. */
void
    stele_compress_ahead_drop (stele_compress_ahead_t *self, const void *data);

#endif
