/*  keys - the operation keys.reload

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "broker/access/access.h"
#include "broker/operations/query.h"

int
stele_operation_keys_reload (stele_query_t *self, stele_params_t *params, stele_pack_t *pack)
{
    stele_refusal_t refusal;
    if (!self->settings->access)
        return stele_params_fail (params, STELE_EUNAVAILABLE, NULL, "this broker runs without keys: start it with the setting keys");
    if (stele_access_reload (self->settings->access, pack, &refusal))
        return stele_params_fail (params, STELE_EUNAVAILABLE, NULL, "nothing was changed: %s", refusal.message);
    return 0;
}
