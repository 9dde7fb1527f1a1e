/*  service - reports of steled to the service manager, systemd

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLI_SERVICE_H_INCLUDED
#define STELE_CLI_SERVICE_H_INCLUDED

/*  sd_notify(3): send a state to the socket that NOTIFY_SOCKET names, if it does. */
void
    cli_service_notify (const char *state);

/*  Interval at which to send WATCHDOG=1, in milliseconds; -1: there is no watchdog. */
int
    cli_service_watchdog_ms (void);

#endif
