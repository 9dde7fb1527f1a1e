/*  node - the shared log of the settings

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <unistd.h>
#include "broker/common/node.h"

stele_shared_log_t *
stele_node_log (const stele_settings_t *settings, stele_refusal_t *refusal)
{
    char host [STELE_NODE_NAME_MAX + 1] = "";
    gethostname (host, sizeof host - 1);
    stele_shared_log_options_t options = {
        .url = settings->shared_log, .name = settings->shared_log_name, .node = *settings->node? settings->node: host,
        .endpoints = settings->advertise, .lease_ms = settings->shared_log_lease_ms,
        .timeout_ms = settings->shared_log_timeout_ms, .unreplicated = settings->shared_log_unreplicated
    };
    return stele_shared_log_new (&options, refusal);
}
