/*  keys - the operation keys.reload

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "broker/access/access.h"
#include "broker/operations/audit.h"
#include "broker/operations/query.h"

//  The entries of that map into the answer
static void
s_copy (stele_pack_t *pack, const stele_pack_t *map)
{
    stele_scan_t scan = stele_scan_start (stele_pack_data (map), stele_pack_size (map));
    for (uint32_t count = stele_scan_next (&scan).count; count > 0; count--) {
        stele_token_t key = stele_scan_next (&scan);
        char name [40];
        const void *value;
        size_t size;
        snprintf (name, sizeof name, "%.*s", (int) key.size, (const char *) key.data);
        stele_scan_skip (&scan, &value, &size);
        stele_pack_key (pack, name);
        stele_pack_packed (pack, value, size);
    }
}

int
stele_operation_keys_reload (stele_query_t *self, stele_params_t *params, stele_pack_t *pack)
{
    stele_refusal_t refusal;
    if (!self->settings->access)
        return stele_params_fail (params, STELE_EUNAVAILABLE, "keys", "this broker runs without keys: start it with the setting keys");
    stele_pack_t *changes = stele_pack_new ();
    stele_pack_map_begin (changes);
    int code = stele_access_reload (self->settings->access, changes, &refusal);
    stele_pack_map_end (changes);
    if (code)
        stele_params_fail (params, STELE_EUNAVAILABLE, NULL, "nothing was changed: %s", refusal.message);
    else {
        stele_audit_keys (self->settings, params->identity->name, stele_pack_data (changes), stele_pack_size (changes));
        s_copy (pack, changes);
    }
    stele_pack_destroy (&changes);
    return params->refusal.code;
}
