/*  reach - find the reason why an endpoint does not answer

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLI_REACH_H_INCLUDED
#define STELE_CLI_REACH_H_INCLUDED

#include <stddef.h>

typedef enum {
    CLI_REACH_UNKNOWN,              // Unknown
    CLI_REACH_ACCEPTS,              // Something accepts connections there, but did not answer
    CLI_REACH_KEY,                  // A broker that needs a key, and there is none
    CLI_REACH_NOBODY,               // Nothing listens there
    CLI_REACH_PERMISSION            // This user may not connect
} cli_reach_t;

/*  Connect to the endpoint, or to one after the other of a list until something accepts, and disconnect. 'key' is
    that of this client, NULL: none. Waits at most 'timeout_ms' to connect,
    and as long for the greeting of a broker (tcp://). 'why' becomes a sentence for people, without a full stop. */
cli_reach_t
    cli_reach (const char *endpoint, const char *key, int timeout_ms, char *why, size_t size);

#endif
