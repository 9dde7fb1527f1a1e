/*  node - the shared log of the settings

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "broker/common/node.h"

void
stele_node_name (const stele_settings_t *settings, char name [STELE_NODE_NAME_MAX + 1])
{
    memset (name, 0, STELE_NODE_NAME_MAX + 1);
    if (*settings->node)
        snprintf (name, STELE_NODE_NAME_MAX + 1, "%s", settings->node);
    else
        gethostname (name, STELE_NODE_NAME_MAX);
}

void
stele_node_key (const char *name, bool leads, int64_t epoch, stele_pack_t *pack)
{
    stele_pack_key_string (pack, "node", name);
    stele_pack_key_string (pack, "role", leads? "writer": "follower");
    stele_pack_key_integer (pack, "epoch", epoch);
}

void
stele_node_split (const char *endpoints, char events [STELE_NODE_ENDPOINTS_MAX + 1],
    char requests [STELE_NODE_ENDPOINTS_MAX + 1])
{
    const char *bar = strrchr (endpoints, '|');
    int size = bar? (int) (bar - endpoints): (int) strlen (endpoints);
    snprintf (events, STELE_NODE_ENDPOINTS_MAX + 1, "%.*s", size, endpoints);
    snprintf (requests, STELE_NODE_ENDPOINTS_MAX + 1, "%s", bar? bar + 1: "");
}

stele_shared_log_t *
stele_node_log (const stele_settings_t *settings, stele_refusal_t *refusal)
{
    char name [STELE_NODE_NAME_MAX + 1], endpoints [STELE_NODE_ENDPOINTS_MAX + 2];
    stele_node_name (settings, name);
    snprintf (endpoints, sizeof endpoints, "%s%s%s", settings->advertise, *settings->advertise_requests? "|": "",
        settings->advertise_requests);
    stele_shared_log_options_t options = {
        .url = settings->shared_log, .name = settings->shared_log_name, .node = *settings->node? settings->node: name,
        .endpoints = endpoints, .lease_ms = settings->shared_log_lease_ms,
        .timeout_ms = settings->shared_log_timeout_ms, .unreplicated = settings->shared_log_unreplicated
    };
    return stele_shared_log_new (&options, refusal);
}
