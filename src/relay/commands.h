/*  commands - what an operator does with targets and dead letters

    A relay that runs sees the change within a second; one that does not, when it starts.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_RELAY_COMMANDS_H_INCLUDED
#define STELE_RELAY_COMMANDS_H_INCLUDED

#include "relay/settings.h"

/*  Run "dead list|retry|drop TARGET [POSITION]", "enable TARGET" or "reset TARGET now|beginning|POSITION", given as operands.
    Returns the exit status, EX_USAGE with a message for anything else.      */
int
    relay_command (const relay_settings_t *settings, const cli_operands_t *operands, bool json);

#endif
