/*  service - reports of steled to the service manager, systemd

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "broker/common/log.h"
#include "cli/service.h"

void
cli_service_notify (const char *state)
{
    const char *path = getenv ("NOTIFY_SOCKET");
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    if (!path || (*path != '/' && *path != '@') || strlen (path) >= sizeof address.sun_path)
        return;
    int handle = socket (AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (handle < 0)
        return;
    memcpy (address.sun_path, path, strlen (path));
    if (*path == '@')
        address.sun_path [0] = 0;
    socklen_t size = (socklen_t) (offsetof (struct sockaddr_un, sun_path) + strlen (path));
    if (sendto (handle, state, strlen (state), MSG_NOSIGNAL, (struct sockaddr *) &address, size) < 0)
        stele_log_warning ("notify", "cannot notify the service manager: %s", strerror (errno));
    close (handle);
}

//  Half of the time after which the manager restarts the service, as sd_watchdog_enabled(3) advises
int
cli_service_watchdog_ms (void)
{
    const char *time = getenv ("WATCHDOG_USEC");
    const char *process = getenv ("WATCHDOG_PID");
    if (!time || (process && strtoll (process, NULL, 10) != (long long) getpid ()))
        return -1;
    long long half_ms = strtoll (time, NULL, 10) / 2000;
    return half_ms <= 0? -1: half_ms > INT_MAX? INT_MAX: (int) half_ms;
}
