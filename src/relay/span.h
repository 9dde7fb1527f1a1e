/*  span - events as spans of traces

    An attempt of a task is a span, sent when it ends; so is a command of a session. Nothing is remembered between events: when an
    attempt ends, the broker is asked for it, so that a restart loses no span. stele-relay(8) describes the mapping.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_RELAY_SPAN_H_INCLUDED
#define STELE_RELAY_SPAN_H_INCLUDED

#include "relay/source.h"

/*  May the event end a span?                                                */
bool
    relay_span_ends (const stele_event_t *event);

/*  The request that sends the span that ends with the event. Returns 1 and the text, which the caller frees with free(); 0: the
    event ends none (the task had ended before); or a code: the broker did not answer, ask again. */
int
    relay_span_request (relay_source_t *source, const char *ledger, const stele_event_t *event, char **text);

#endif
