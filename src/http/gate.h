/*  gate - what is checked of every request before it is served: its host, its client, its path, its origin

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_HTTP_GATE_H_INCLUDED
#define STELE_HTTP_GATE_H_INCLUDED

#include "http/server.h"

/*  Set the functions of the class that get requests. Its arg is an http_server_t. */
void
    http_gate_install (http_conn_class_t *class);

#endif
