/*  endpoint - check the endpoints of a broker, and listen on them

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_ENDPOINT_H_INCLUDED
#define STELE_ENDPOINT_H_INCLUDED

#include <czmq.h>
#include "broker/common/settings.h"

/*  Check the endpoints of all settings, without creating or removing anything: the syntax, the host
    (its name is resolved), the path of a socket (a folder that exists, and no file that is not a
    socket), and that each is used once. Returns 0, or STELE_EINVALID_FIELD with the refusal. */
int
    stele_endpoint_check (const stele_settings_t *settings, stele_refusal_t *refusal);

/*  Could all of them be bound now? A start asks this before it creates the ledger. Returns 0, or
    STELE_EUNAVAILABLE with the refusal.                                     */
int
    stele_endpoint_probe (const stele_settings_t *settings, stele_refusal_t *refusal);

/*  Bind a socket, with TCP keep-alive, or the mode of the setting ipc-mode. Refuses an ipc:// path where a process listens: libzmq would
    replace the socket, and the peers of that broker would silently move to this one. A socket
    that a dead broker left refuses connections, and counts as free. Two brokers that start at the
    same instant can both find it free. Returns 0, or STELE_EUNAVAILABLE with the refusal, which
    names the setting; then zsock_last_endpoint is where it listens.         */
int
    stele_endpoint_bind (zsock_t *socket, const stele_settings_t *settings, const char *setting, const char *endpoint,
        stele_refusal_t *refusal);

/*  Call before destroying a bound socket. libzmq closes in the background; until then, a broker that is
    restarted in the same process would find the name in use.                */
static inline void
stele_endpoint_release (zsock_t *socket)
{
    char *endpoint = socket? zsock_last_endpoint (socket): NULL;
    if (endpoint && strncmp (endpoint, "inproc://", 9) == 0)
        zsock_unbind (socket, "%s", endpoint);
    zstr_free (&endpoint);
}

#endif
