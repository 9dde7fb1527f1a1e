/*  target - a thread that delivers events to one target

    Each target has a thread, a position, and connections of its own: one that is slow or away delays no other.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_RELAY_TARGET_H_INCLUDED
#define STELE_RELAY_TARGET_H_INCLUDED

#include "relay/settings.h"

typedef struct relay_target relay_target_t;

/*  Open the state and the files of a target, and start its thread. Settings are borrowed. Caller owns return value; NULL with a
    refusal.                                                                 */
relay_target_t *
    relay_target_new (const relay_settings_t *settings, const relay_target_settings_t *target, stele_refusal_t *refusal);

/*  Ask the thread to end: it waits a few seconds for requests in flight, and saves its state. */
void
    relay_target_stop (relay_target_t *self);

/*  Stop it, and wait until it has ended.                                    */
void
    relay_target_destroy (relay_target_t **self_p);

#endif
