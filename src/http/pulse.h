/*  pulse - the statistics and findings, sent once a second to every stream that wants them

    The broker is asked once for all streams, and not at all if there are none.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_HTTP_PULSE_H_INCLUDED
#define STELE_HTTP_PULSE_H_INCLUDED

#include "http/stream.h"

typedef struct http_pulse http_pulse_t;

/*  Caller owns return value.                                                */
http_pulse_t *
    http_pulse_new (http_server_t *server);
void
    http_pulse_destroy (http_pulse_t **self_p);

/*  Call often, with all streams.                                            */
void
    http_pulse_tick (http_pulse_t *self, http_stream_t *streams);

/*  A stream ends                                                            */
void
    http_pulse_forget (http_pulse_t *self, http_stream_t *stream);

#endif
