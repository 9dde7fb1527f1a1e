/*  params - a request of HTTP as a request of the protocol

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_HTTP_PARAMS_H_INCLUDED
#define STELE_HTTP_PARAMS_H_INCLUDED

#include "http/conn.h"
#include "http/routes.h"
#include "model/refusal.h"
#include "wire/pack.h"

/*  Pack the map {"op": ..., ...} from the path, the query or the JSON body of a request. Only parameters of
    the route are taken, so that a client can set no other key of a request. Returns 0, or a code with
    the refusal: a parameter that the route does not take, a value of the wrong kind, a missing one, a body
    that is no JSON object.                                                  */
int
    http_params_pack (const http_route_t *route, const http_request_t *request, stele_pack_t *pack,
        stele_refusal_t *refusal);

/*  A parameter of the query (or the path) as an integer. 'otherwise' if it is absent. Returns 0, or
    STELE_EBAD_REQUEST with the refusal.                                     */
int
    http_params_number (const http_request_t *request, const char *name, int64_t otherwise, int64_t *number,
        stele_refusal_t *refusal);

/*  Parse a whole decimal integer. False: it is none.                        */
bool
    http_span_number (http_span_t span, int64_t *number);

#endif
