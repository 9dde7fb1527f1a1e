/*  owner - the producer that owns a task, and whether it is alive

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLI_OWNER_H_INCLUDED
#define STELE_CLI_OWNER_H_INCLUDED

#include <jansson.h>
#include "cli/terminal/format.h"

/*  Buffer of cli_owner_life                                                 */
#define CLI_OWNER_TEXT 160

/*  One sentence about an 'owner' (or a producer of the statistics): "heard 2.10 s ago, lease 5.00 s".
    Silence of a producer without a lease proves nothing, and the text states that. Returns the buffer. */
const char *
    cli_owner_life (const json_t *owner, char *text);

/*  One word for a table: its status; "silent" instead of "present" for a producer without a lease that
    was not heard during the last second, since it may be dead. Static.      */
const char *
    cli_owner_status (const json_t *owner);

/*  How long it has been silent; "?" if the broker has not heard from it since it was started. */
cli_short_t
    cli_owner_silence (const json_t *owner);

/*  Its lease, "none" without one.                                           */
cli_short_t
    cli_owner_lease (const json_t *owner);

#endif
