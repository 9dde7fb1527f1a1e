/*  slots - spools of stele run: one per command that runs at the same time

    A run uses the first spool of the folder that no other run has open, so that few producers are
    enough for any number of runs. Each spool has a producer of its own. Spools are kept per
    endpoint, since a spool belongs to one ledger.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLI_SLOTS_H_INCLUDED
#define STELE_CLI_SLOTS_H_INCLUDED

#include "cli/shared/cli.h"

/*  The folder of the spools for this endpoint (of a list: the first) and key (NULL: none), which is created if
    necessary: in 'place', or by default in $XDG_STATE_HOME/stele/run or ~/.local/state/stele/run. Caller frees
    return value. NULL: there is none; the reason is in 'error'.                           */
char *
    cli_slots_folder (const char *place, const char *endpoints, const char *key, char *error, size_t error_size);

/*  A client with the first free spool, whose path is stored in *path_p (caller frees it). 'name' is
    that of the producer, with /2, /3 ... for further runs at the same time; NULL: a random one per
    spool. NULL: no spool can be opened; the reason is in 'error'.           */
stele_client_t *
    cli_slots_client (const cli_t *cli, const char *folder, const char *name, bool accept_loss,
        char **path_p, char *error, size_t error_size);

/*  A client without a spool, with a random name.                            */
stele_client_t *
    cli_slots_client_unspooled (const cli_t *cli);

/*  Send what earlier runs left in other spools of the folder, for at most timeout_ms. */
void
    cli_slots_send_others (const cli_t *cli, const char *folder, const char *path, int timeout_ms);

#endif
