/*  status - how far each target is, for people, for scripts and for Prometheus

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_RELAY_STATUS_H_INCLUDED
#define STELE_RELAY_STATUS_H_INCLUDED

#include "relay/settings.h"

/*  Print the state of every target. Each request to the broker is waited for 'timeout_ms', and after one that is not answered there
    is no other. Returns the exit status: 0 all is well, 1 a target needs attention, 2 no relay runs or the state cannot be read. */
int
    relay_status_print (const relay_settings_t *settings, bool json, int64_t timeout_ms);

/*  Print metrics in the text format of Prometheus, for the textfile collector of its node exporter. Returns the exit status. */
int
    relay_status_metrics (const relay_settings_t *settings, int64_t timeout_ms);

#endif
