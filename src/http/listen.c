/*  listen - the address at which the server accepts connections

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <sys/stat.h>
#include <event2/event.h>
#include "http/listen.h"
#include "wire/http_address.h"

#define BACKLOG 1024

//  A socket that a dead process has left is removed. Returns false if a process listens there, or another file is there.
static bool
s_free_path (const stele_http_address_t *address)
{
    struct stat status;
    if (lstat (address->un.sun_path, &status) != 0)
        return true;
    if (!S_ISSOCK (status.st_mode)) {
        errno = EEXIST;
        return false;
    }
    int probe = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool dead = probe >= 0 && connect (probe, &address->any, stele_http_address_size (address)) != 0 && errno == ECONNREFUSED;
    if (probe >= 0)
        close (probe);
    errno = EADDRINUSE;
    return dead && unlink (address->un.sun_path) == 0;
}

struct evconnlistener *
http_listen (struct event_base *base, const http_listen_place_t *place, evconnlistener_cb callback, void *arg,
    stele_refusal_t *refusal)
{
    stele_http_address_t address;
    if (stele_http_address_parse (&address, "listen", place->address, place->guarded, refusal))
        return NULL;
    bool is_unix = address.any.sa_family == AF_UNIX;
    struct evconnlistener *listener = NULL;
    mode_t before = umask (0777 & ~place->mode);
    if (!is_unix || s_free_path (&address))
        listener = evconnlistener_new_bind (base, callback, arg,
            LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE, BACKLOG, &address.any,
            (int) stele_http_address_size (&address));
    int error = errno;
    umask (before);
    if (!listener)
        stele_refuse (refusal, STELE_EUNAVAILABLE, "listen", "cannot listen on %.160s: %s", place->address,
            strerror (error));
    return listener;
}

void
http_listen_url (struct evconnlistener *listener, bool tls, char *url, size_t size)
{
    stele_http_address_t address = { 0 };
    socklen_t address_size = sizeof address;
    char text [INET6_ADDRSTRLEN] = "";
    const char *scheme = tls? "https": "http";
    getsockname (evconnlistener_get_fd (listener), &address.any, &address_size);
    if (address.any.sa_family == AF_UNIX)
        snprintf (url, size, "unix:%s", address.un.sun_path);
    else
    if (address.any.sa_family == AF_INET)
        snprintf (url, size, "%s://%s:%d", scheme, inet_ntop (AF_INET, &address.in.sin_addr, text, sizeof text),
            ntohs (address.in.sin_port));
    else
        snprintf (url, size, "%s://[%s]:%d", scheme, inet_ntop (AF_INET6, &address.in6.sin6_addr, text, sizeof text),
            ntohs (address.in6.sin6_port));
}
