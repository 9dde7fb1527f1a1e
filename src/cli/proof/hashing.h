/*  hashing - make the lines of events and their hashes on a thread of its own, while the caller reads

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLI_HASHING_H_INCLUDED
#define STELE_CLI_HASHING_H_INCLUDED

#include "proof/verifier.h"

typedef struct cli_hashing cli_hashing_t;

/*  Start the thread, which passes the lines to the verifier: only it uses the verifier until the end. Caller owns
    return value.                                                            */
cli_hashing_t *
    cli_hashing_new (stele_verifier_t *verifier);

/*  The next event, as packed msgpack; copied. Waits if the thread is some thousand events behind. */
void
    cli_hashing_add (cli_hashing_t *self, const void *packed, size_t size);

/*  Wait until everything is hashed, and end the thread. Returns false if an event could not be written as JSON: the
    verifier has the events before it.                                       */
bool
    cli_hashing_end (cli_hashing_t **self_p);

#endif
