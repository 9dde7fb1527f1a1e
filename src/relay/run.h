/*  run - the service: all targets, until a signal

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_RELAY_RUN_H_INCLUDED
#define STELE_RELAY_RUN_H_INCLUDED

#include "relay/settings.h"

/*  Deliver until SIGTERM or SIGINT. On SIGHUP, read the settings again from 'path' and start all targets again, after their requests
    in flight; settings that are not valid change nothing. Returns the exit status. */
int
    relay_run (relay_settings_t *settings, const char *path);

/*  Are the files fine that the targets name? Returns 0, or a code with a refusal. */
int
    relay_check_files (const relay_settings_t *settings, stele_refusal_t *refusal);

/*  Is a relay with this state running?                                      */
bool
    relay_is_running (const relay_settings_t *settings);

#endif
