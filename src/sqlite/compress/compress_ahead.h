/*  compress_ahead - compress on another thread what the writer will need next

    The writer stores one message after the other; those that already wait are offered here,
    and this thread compresses their texts, so that the writer finds the frames made. Each text
    is compressed once, by whoever comes to it first. All it does is make frames sooner: what
    it did not make, the writer makes itself.

    One thread calls these functions. The other one reads the bytes of messages that were
    offered and not dropped yet, and nothing else.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_COMPRESS_AHEAD_H_INCLUDED
#define STELE_COMPRESS_AHEAD_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>

typedef struct stele_compress_ahead stele_compress_ahead_t;

/*  NULL: out of memory, or no thread to be had. Caller owns return value.   */
stele_compress_ahead_t *
    stele_compress_ahead_new (void);

/*  Ends the thread.                                                         */
void
    stele_compress_ahead_destroy (stele_compress_ahead_t **self_p);

/*  The dictionary to use from here on, by its number; 0: none. The bytes are copied. Returns 0,
    or STELE_ENO_MEMORY: then nothing may be offered.                        */
int
    stele_compress_ahead_use (stele_compress_ahead_t *self, unsigned id, const void *dictionary, size_t size);

/*  A message of the events socket, any bytes. They stay where they are until it is dropped. */
void
    stele_compress_ahead_offer (stele_compress_ahead_t *self, const void *data, size_t size);

/*  The frame of a text of a message that was offered: true with the frame, which is valid until
    the message is dropped, or with size 0 where a frame does not pay. Waits while it is being
    made. False: the caller makes it itself.                                 */
bool
    stele_compress_ahead_take (stele_compress_ahead_t *self, const void *text, size_t size, const void **frame, size_t *frame_size);

/*  It is not needed any more; nothing where it was not offered.             */
void
    stele_compress_ahead_drop (stele_compress_ahead_t *self, const void *data);

#endif
