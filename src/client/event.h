/*  event - what the client does with an event besides include/stele_event.h

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CLIENT_EVENT_H_INCLUDED
#define STELE_CLIENT_EVENT_H_INCLUDED

#include "stele_event.h"

/*  Replace all fields by those of the packed event, which must be valid.    */
void
    stele_event_assign (stele_event_t *self, const void *data, size_t size);

#endif
