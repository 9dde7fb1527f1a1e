/*  recovery_report - report of what the start of a broker recovered

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_RECOVERY_REPORT_H_INCLUDED
#define STELE_RECOVERY_REPORT_H_INCLUDED

#include <czmq.h>
#include "broker/common/settings.h"
#include "wire/pack.h"

/*  Log the report, and pack it as stats.recovery (protocol, section 4). 'writer' is the map that the
    writer sent at its start; 'aligned' the one of the cache, NULL if Redis is not followed. */
void
    stele_recovery_report (stele_pack_t *pack, const stele_settings_t *settings, const stele_pack_t *writer,
        zframe_t *aligned, int64_t begun_us);

#endif
