/*  reach - find the reason why an endpoint does not answer

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "cli/shared/reach.h"
#include "wire/address.h"

static int
s_connect_ipc (const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    if (strlen (path) >= sizeof address.sun_path)
        return EINVAL;
    memcpy (address.sun_path, path, strlen (path));
    socklen_t size = (socklen_t) (offsetof (struct sockaddr_un, sun_path) + strlen (path));
    if (path [0] == '@')
        address.sun_path [0] = 0;       // The abstract name space
    else
        size++;
    int handle = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int error = handle >= 0 && connect (handle, (struct sockaddr *) &address, size) == 0? 0: errno;
    if (handle >= 0)
        close (handle);
    return error == EAGAIN? 0: error;
}

static int
s_connect_within (int handle, const struct addrinfo *address, int timeout_ms)
{
    struct pollfd poller = { .fd = handle, .events = POLLOUT };
    int error = 0;
    socklen_t size = sizeof error;
    if (connect (handle, address->ai_addr, address->ai_addrlen) == 0)
        return 0;
    if (errno != EINPROGRESS)
        return errno;
    if (poll (&poller, 1, timeout_ms) != 1)
        return ETIMEDOUT;
    return getsockopt (handle, SOL_SOCKET, SO_ERROR, &error, &size) == 0? error: errno;
}

//  Does a broker with keys listen there? The handshake of libzmq reports that only if the broker reads slowly: as soon as it
//  has our mechanism, it closes. A peer that has sent the beginning of a greeting gets all of the broker's (ZMTP 3.1).
static bool
s_demands_key (int handle, int timeout_ms)
{
    static const unsigned char signature_and_version [] = { 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3 };
    static const char curve [] = "CURVE";
    char greeting [64];
    const size_t mechanism = 12;
    size_t got = 0;
    struct pollfd poller = { .fd = handle, .events = POLLIN };
    ssize_t size = send (handle, signature_and_version, sizeof signature_and_version, MSG_NOSIGNAL);
    while (size > 0 && got < mechanism + sizeof curve && poll (&poller, 1, timeout_ms) == 1
        && (size = recv (handle, greeting + got, sizeof greeting - got, 0)) > 0)
        got += (size_t) size;
    return got >= mechanism + sizeof curve && memcmp (greeting + mechanism, curve, sizeof curve) == 0;
}

//  Numeric addresses and "localhost" only: a look-up of another name may take long
static int
s_connect_tcp (const char *address, int timeout_ms, bool has_key, bool *demands_key)
{
    char host [80];
    const char *colon = strrchr (address, ':');
    if (!colon || (size_t) (colon - address) >= sizeof host)
        return EINVAL;
    snprintf (host, sizeof host, "%.*s", (int) (colon - address), address);
    char *name = host;
    if (name [0] == '[' && strchr (name, ']')) {
        *strchr (name, ']') = 0;
        name++;
    }
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV };
    struct addrinfo *found = NULL;
    if (getaddrinfo (strcmp (name, "localhost")? name: "127.0.0.1", colon + 1, &hints, &found))
        return EINVAL;
    int handle = socket (found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int error = handle < 0? errno: s_connect_within (handle, found, timeout_ms);
    *demands_key = error == 0 && !has_key && s_demands_key (handle, timeout_ms);
    if (handle >= 0)
        close (handle);
    freeaddrinfo (found);
    return error;
}

static cli_reach_t
s_reach (const char *endpoint, const char *key, int timeout_ms, char *why, size_t size)
{
    int error = EINVAL;
    bool demands_key = false;
    if (strncmp (endpoint, "ipc://", 6) == 0)
        error = s_connect_ipc (endpoint + 6);
    else
    if (strncmp (endpoint, "tcp://", 6) == 0)
        error = s_connect_tcp (endpoint + 6, timeout_ms, key != NULL, &demands_key);
    if (demands_key) {
        snprintf (why, size, "the broker there needs a key, and this client has none");
        return CLI_REACH_KEY;
    }
    switch (error) {
        case 0:
            snprintf (why, size, "something accepts connections there, but does not answer");
            return CLI_REACH_ACCEPTS;
        case EACCES:
        case EPERM:
            snprintf (why, size, "permission denied: this user may not connect to it");
            return CLI_REACH_PERMISSION;
        case ENOENT:
            snprintf (why, size, "no such socket: no broker has it open");
            return CLI_REACH_NOBODY;
        case ECONNREFUSED:
            snprintf (why, size, "connection refused: nothing listens there");
            return CLI_REACH_NOBODY;
        default:
            snprintf (why, size, "%s", error == EINVAL? "no answer": strerror (error));
            return CLI_REACH_UNKNOWN;
    }
}

cli_reach_t
cli_reach (const char *endpoint, const char *key, int timeout_ms, char *why, size_t size)
{
    cli_reach_t reach = CLI_REACH_UNKNOWN;
    char *one = stele_address_take (&endpoint);
    while (one) {
        reach = s_reach (one, key, timeout_ms, why, size);
        free (one);
        one = reach == CLI_REACH_ACCEPTS? NULL: stele_address_take (&endpoint);
    }
    return reach;
}
