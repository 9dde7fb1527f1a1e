/*  filter - which events a target gets

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_RELAY_FILTER_H_INCLUDED
#define STELE_RELAY_FILTER_H_INCLUDED

#include "relay/source.h"

/*  Does the event pass the types, states, roles and users of the target? Roles and users are those of its task or session, as
    of the event: the broker is asked for them. Returns 1, 0, or a code: the broker did not answer, ask again. */
int
    relay_filter_passes (const relay_target_settings_t *target, relay_source_t *source, const stele_event_t *event);

/*  A text field of the event; "" if it is absent.                           */
const char *
    relay_event_text (const stele_event_t *event, const char *field);

#endif
