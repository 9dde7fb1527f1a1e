/*  listen - the address at which the server accepts connections

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <event2/event.h>
#include <event2/util.h>
#include "http/listen.h"

#define BACKLOG 1024

typedef union {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    struct sockaddr_un un;
} s_address_t;

static int
s_parse (const char *text, s_address_t *address, int *size, stele_refusal_t *refusal)
{
    char copy [300];
    *address = (s_address_t) { 0 };
    *size = sizeof *address;
    if (strncmp (text, "unix:", 5) == 0) {
        const char *path = text + 5;
        if (!*path || strlen (path) >= sizeof address->un.sun_path)
            return stele_refuse (refusal, STELE_EINVALID_FIELD, "listen", "listen: the path of '%.160s' has no or more "
                "than 107 bytes", text);
        address->un.sun_family = AF_UNIX;
        strcpy (address->un.sun_path, path);
        *size = (int) (offsetof (struct sockaddr_un, sun_path) + strlen (path) + 1);
        return 0;
    }
    bool is_name = strncmp (text, "localhost:", 10) == 0;
    snprintf (copy, sizeof copy, "%s%s", is_name? "127.0.0.1": "", is_name? text + 9: text);
    const char *port = strrchr (copy, ':');
    if (!port || strspn (port + 1, "0123456789") != strlen (port + 1) || !port [1]
    ||  (strcmp (port + 1, "0") != 0 && evutil_parse_sockaddr_port (copy, &address->any, size) != 0))
        return stele_refuse (refusal, STELE_EINVALID_FIELD, "listen", "listen: '%.160s' is not ADDRESS:PORT, such as "
            "127.0.0.1:5580 or [::1]:5580, nor unix:PATH", text);
    if (strcmp (port + 1, "0") == 0) {
        //  libevent does not parse a port of 0
        snprintf (copy + (port - copy), sizeof copy - (size_t) (port - copy), ":1");
        if (evutil_parse_sockaddr_port (copy, &address->any, size) != 0)
            return stele_refuse (refusal, STELE_EINVALID_FIELD, "listen", "listen: '%.160s' is not an address", text);
        if (address->any.sa_family == AF_INET)
            address->in.sin_port = 0;
        else
            address->in6.sin6_port = 0;
    }
    return 0;
}

static bool
s_is_loopback (const s_address_t *address)
{
    if (address->any.sa_family == AF_INET)
        return ntohl (address->in.sin_addr.s_addr) >> 24 == 127;
    return address->any.sa_family == AF_UNIX || IN6_IS_ADDR_LOOPBACK (&address->in6.sin6_addr);
}

//  A socket that a dead process has left is removed. Returns false if a process listens there, or another file is there.
static bool
s_free_path (const s_address_t *address, int size)
{
    struct stat status;
    if (lstat (address->un.sun_path, &status) != 0)
        return true;
    if (!S_ISSOCK (status.st_mode)) {
        errno = EEXIST;
        return false;
    }
    int probe = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool dead = probe >= 0 && connect (probe, &address->any, (socklen_t) size) != 0 && errno == ECONNREFUSED;
    if (probe >= 0)
        close (probe);
    errno = EADDRINUSE;
    return dead && unlink (address->un.sun_path) == 0;
}

struct evconnlistener *
http_listen (struct event_base *base, const char *text, evconnlistener_cb callback, void *arg, stele_refusal_t *refusal)
{
    s_address_t address;
    int size;
    if (s_parse (text, &address, &size, refusal))
        return NULL;
    if (!s_is_loopback (&address)) {
        stele_refuse (refusal, STELE_EINVALID_FIELD, "listen", "listen: '%.160s' can be reached from other machines, where "
            "anybody on the way could read plain HTTP and the tokens in it: listen on 127.0.0.1 or [::1], or on unix:PATH, "
            "behind a proxy that terminates TLS", text);
        return NULL;
    }
    bool is_unix = address.any.sa_family == AF_UNIX;
    struct evconnlistener *listener = NULL;
    mode_t before = umask (0177);
    if (!is_unix || s_free_path (&address, size))
        listener = evconnlistener_new_bind (base, callback, arg,
            LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE, BACKLOG, &address.any, size);
    int error = errno;
    umask (before);
    if (!listener)
        stele_refuse (refusal, STELE_EUNAVAILABLE, "listen", "cannot listen on %.160s: %s", text, strerror (error));
    return listener;
}

void
http_listen_url (struct evconnlistener *listener, char *url, size_t size)
{
    s_address_t address = { 0 };
    socklen_t address_size = sizeof address;
    char text [INET6_ADDRSTRLEN] = "";
    getsockname (evconnlistener_get_fd (listener), &address.any, &address_size);
    if (address.any.sa_family == AF_UNIX)
        snprintf (url, size, "unix:%s", address.un.sun_path);
    else
    if (address.any.sa_family == AF_INET)
        snprintf (url, size, "http://%s:%d", inet_ntop (AF_INET, &address.in.sin_addr, text, sizeof text),
            ntohs (address.in.sin_port));
    else
        snprintf (url, size, "http://[%s]:%d", inet_ntop (AF_INET6, &address.in6.sin6_addr, text, sizeof text),
            ntohs (address.in6.sin6_port));
}
