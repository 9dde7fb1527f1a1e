/*  node - the shared log of the settings

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_NODE_H_INCLUDED
#define STELE_NODE_H_INCLUDED

#include "broker/common/settings.h"
#include "log/shared_log.h"
#include "wire/pack.h"

/*  Connects to nothing. NULL with a refusal: the settings are wrong. Caller owns return value. */
stele_shared_log_t *
    stele_node_log (const stele_settings_t *settings, stele_refusal_t *refusal);

/*  Name of this node: the setting, or the host name.                        */
void
    stele_node_name (const stele_settings_t *settings, char name [STELE_NODE_NAME_MAX + 1]);

/*  Pack node (its name), role and epoch into a map that was begun.          */
void
    stele_node_key (const char *name, bool leads, int64_t epoch, stele_pack_t *pack);

/*  The endpoints of a node in the log are EVENTS, or EVENTS|REQUESTS: split them.  */
void
    stele_node_split (const char *endpoints, char events [STELE_NODE_ENDPOINTS_MAX + 1],
        char requests [STELE_NODE_ENDPOINTS_MAX + 1]);

#endif
