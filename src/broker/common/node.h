/*  node - the shared log of the settings

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_NODE_H_INCLUDED
#define STELE_NODE_H_INCLUDED

#include "broker/common/settings.h"
#include "log/shared_log.h"

/*  Connects to nothing. NULL with a refusal: the settings are wrong. Caller owns return value. */
stele_shared_log_t *
    stele_node_log (const stele_settings_t *settings, stele_refusal_t *refusal);

#endif
