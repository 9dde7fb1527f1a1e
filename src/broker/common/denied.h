/*  denied - refused access, until it is recorded

    Any thread that refuses a peer notes it here. The writer takes what is due and records it as audit
    events: at once for a peer that was not refused before, then at most once a minute per peer and
    identity, with the number of refusals since. So refusals cost the ledger little, however many there
    are: at most STELE_DENIED_PEERS events a minute, and one more for all other peers together. Peers without a key
    that is known, which can come from any number of addresses, have STELE_DENIED_STRANGERS of them, and
    one more for all others of these.

    Threads share it: all of it is behind a mutex, which is taken only when access is refused, and by
    the writer when it looks.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_DENIED_H_INCLUDED
#define STELE_DENIED_H_INCLUDED

#include <stdbool.h>
#include <stdint.h>
#include "model/refusal.h"

#define STELE_DENIED_PEERS 1000
#define STELE_DENIED_STRANGER  "unknown"       // Name of an identity without a key that is known
#define STELE_DENIED_STRANGERS 10
#define STELE_DENIED_US    60000000            // Between two events of one peer

typedef struct stele_denied stele_denied_t;

/*  The refusals of one peer since the last event                            */
typedef struct {
    char who [256];                 // Name of the identity; of a key that is not known, its public key
    char peer [64];                 // Its address; "": all peers for which there was no room; of further strangers, the
                                    // address of the last one
    char operation [64];            // Of the last one: what was requested, or "connect"
    char message [640];             // Its reason
    int code;                       // STELE_E...
    int64_t count;
    int64_t first_us, last_us;      // Wall clock
} stele_denied_peer_t;

/*  Caller owns return value.                                                */
stele_denied_t *
    stele_denied_new (void);
void
    stele_denied_destroy (stele_denied_t **self_p);

/*  Access was refused to that identity (STELE_DENIED_STRANGER for a stranger), from that address, for that reason. 'peer'
    may be NULL if it is not known.                                          */
void
    stele_denied_note (stele_denied_t *self, const char *who, const char *peer, const char *operation,
        const stele_refusal_t *refusal);

/*  Take one that is due at 'now_us' of the steady clock, and forget peers that have been quiet. False: none. */
bool
    stele_denied_take (stele_denied_t *self, int64_t now_us, stele_denied_peer_t *denial);

#endif
