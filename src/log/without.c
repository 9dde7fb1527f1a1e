/*  without - a build without libpq has no shared log

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "log/shared_log.h"

bool
stele_shared_log_available (void)
{
    return false;
}

stele_shared_log_t *
stele_shared_log_new (const stele_shared_log_options_t *options, stele_refusal_t *refusal)
{
    (void) options;
    stele_refuse (refusal, STELE_EINVALID_FIELD, "shared-log", "this build has no PostgreSQL: set shared-log = none, or configure it with "
        "--with-postgresql");
    return NULL;
}
