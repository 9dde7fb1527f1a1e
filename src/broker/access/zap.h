/*  zap - the actor that libzmq asks whether to let a connection in (RFC 27, ZAP)

    It answers for all sockets of the process at inproc://zeromq.zap.01, so that there can be one per process. libzmq
    lets nobody in while it does not answer, since the domain is enforced; what is connected stays so, and so the
    broker stops when this actor ends.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_ZAP_H_INCLUDED
#define STELE_ZAP_H_INCLUDED

#include <czmq.h>

/*  For zactor_new; args is a stele_access_t, which outlives the actor. Sends "READY", or "FAILED" and the reason. Then
    it takes $TERM. When it ends, for whatever reason, it closes the access first. */
void
    stele_zap (zsock_t *pipe, void *args);

#endif
