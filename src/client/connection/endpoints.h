/*  endpoints - the nodes to which a client may connect, one at a time

    A list of endpoints, separated by commas (wire/address.h), of nodes that share a log. Besides its list, a client
    visits the node that another one names as the writer.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_ENDPOINTS_H_INCLUDED
#define STELE_ENDPOINTS_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct stele_endpoints stele_endpoints_t;

/*  Starts at the first of the list. Caller owns return value.               */
stele_endpoints_t *
    stele_endpoints_new (const char *list);

void
    stele_endpoints_destroy (stele_endpoints_t **self_p);

/*  The endpoint to connect to. Valid until the next call that changes it.   */
const char *
    stele_endpoints_current (const stele_endpoints_t *self);

/*  Number of endpoints in the list.                                         */
size_t
    stele_endpoints_count (const stele_endpoints_t *self);

/*  Is there another endpoint to go to than the current one?                 */
bool
    stele_endpoints_several (const stele_endpoints_t *self);

/*  Go to the next endpoint of the list, in turn; from a named one, back to where the list was left. */
void
    stele_endpoints_next (stele_endpoints_t *self);

/*  Go to the endpoint that a node named as that of the writer, the first usable one of 'list': one of our own
    list, or a tcp or ipc endpoint of the same kind as the current one (so that what is encrypted stays encrypted).
    False, and no change: there is none.                                     */
bool
    stele_endpoints_go (stele_endpoints_t *self, const char *list);

/*  Time to wait before the next attempt to connect, after so many in vain, in milliseconds. Short at first: a node
    that takes over is found soon.                                           */
int64_t
    stele_endpoints_pause_ms (int attempts);

/*  Time to wait for the first answer of a node, after so many attempts in vain, in milliseconds. */
int64_t
    stele_endpoints_patience_ms (int attempts);

#endif
