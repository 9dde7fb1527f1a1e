/*  endpoint - check the endpoints of a broker, and listen on them

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#define _GNU_SOURCE                 // struct ucred
#include <errno.h>
#include <net/if.h>
#include <netdb.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/memory.h"
#include "broker/common/endpoint.h"
#include "wire/address.h"

//  Longest time to wait for libzmq to close an endpoint of this process
#define OWN_WAIT_MS     1000
#define OWN_STEP_MS     5

//  Seconds: a connection whose peer is unreachable ends after some two minutes
#define KEEPALIVE_IDLE  60
#define KEEPALIVE_STEP  15
#define KEEPALIVE_COUNT 4

typedef enum { UNUSED, OWN, TAKEN } s_use_t;

//  Which process listens on the Unix socket with that path; '@' starts an abstract name, as in libzmq.
static s_use_t
s_use (const char *path, size_t path_size)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    if (path_size == 0 || path_size >= sizeof address.sun_path)
        return UNUSED;                      //  The bind reports the error
    memcpy (address.sun_path, path, path_size);
    if (path [0] == '@')
        address.sun_path [0] = 0;
    int handle = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (handle == -1)
        return UNUSED;
    s_use_t use = UNUSED;
    socklen_t size = (socklen_t) (offsetof (struct sockaddr_un, sun_path) + path_size);
    if (connect (handle, (struct sockaddr *) &address, size) == 0) {
        struct ucred peer = { .pid = 0 };
        socklen_t peer_size = sizeof peer;
        getsockopt (handle, SOL_SOCKET, SO_PEERCRED, &peer, &peer_size);
        use = peer.pid == getpid ()? OWN: TAKEN;
    }
    else
    if (errno == EAGAIN)                    //  Its backlog is full
        use = TAKEN;
    close (handle);
    return use;
}

//  -- a host -----------------------------------------------------------------------

//  libzmq binds to addresses and network interfaces only: write the address of a host name to
//  'bound'. Returns 0, or a code with the refusal.
static int
s_resolve (const stele_address_t *address, const char *setting, char *bound, size_t size,
    stele_refusal_t *refusal)
{
    char port [8] = "*";
    if (address->port)
        snprintf (port, sizeof port, "%d", address->port);
    struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM }, *found = NULL;
    if (address->is_ipv6 || strcmp (address->host, "*") == 0 || if_nametoindex (address->host)) {
        snprintf (bound, size, address->is_ipv6? "tcp://[%s]:%s": "tcp://%s:%s", address->host, port);
        return 0;
    }
    int rc = getaddrinfo (address->host, NULL, &hints, &found);
    if (rc)
        return stele_refuse (refusal, STELE_EINVALID_FIELD, setting,
            "%s: there is no host or network interface '%s': %s", setting, address->host, gai_strerror (rc));
    //  A name such as localhost has several: clients try IPv4 first
    struct addrinfo *one = found;
    while (one && one->ai_family != AF_INET)
        one = one->ai_next;
    one = one? one: found;
    char host [NI_MAXHOST] = "";
    rc = getnameinfo (one->ai_addr, one->ai_addrlen, host, sizeof host, NULL, 0, NI_NUMERICHOST);
    snprintf (bound, size, one->ai_family == AF_INET6? "tcp://[%s]:%s": "tcp://%s:%s", host, port);
    freeaddrinfo (found);
    return rc == 0? 0: stele_refuse (refusal, STELE_EINVALID_FIELD, setting, "%s: cannot resolve '%s': %s",
        setting, address->host, gai_strerror (rc));
}

//  -- a path ----------------------------------------------------------------------

//  The path with a folder that has one name only. NULL with errno if the folder cannot be used.
//  Caller owns return value.
static char *
s_absolute (const char *path)
{
    const char *slash = strrchr (path, '/');
    char *folder = slash? stele_memory_copy (path, (size_t) (slash - path + 1)): stele_memory_copy (".", 1);
    char *real = realpath (folder, NULL);
    char *absolute = NULL;
    if (real && asprintf (&absolute, "%s/%s", strcmp (real, "/") == 0? "": real, slash? slash + 1: path) < 0)
        abort ();
    free (folder);
    free (real);
    return absolute;
}

//  libzmq removes whatever has the name of the socket
static int
s_check_path (const char *setting, const char *path, stele_refusal_t *refusal)
{
    struct stat status;
    if (*path == '@' || strcmp (path, "*") == 0)
        return 0;
    char *absolute = s_absolute (path);
    if (!absolute)
        return stele_refuse (refusal, STELE_EINVALID_FIELD, setting,
            "%s: cannot use the directory of '%s': %s", setting, path, strerror (errno));
    int rc = lstat (absolute, &status);
    free (absolute);
    if (rc == 0 && !S_ISSOCK (status.st_mode))
        return stele_refuse (refusal, STELE_EINVALID_FIELD, setting,
            "%s: '%s' exists and is not a socket; it is left as it is: choose another path", setting, path);
    return 0;
}

//  Is the path that of the ledger, or of a file that belongs to it?
static bool
s_is_of_ledger (const char *path, const char *ledger)
{
    static const char *const suffixes [] = {
        "", "-wal", "-shm", "-journal", ".lock", ".high-water", ".search", ".search-wal", ".search-shm",
        ".rollup", ".rollup-wal", ".rollup-shm", NULL
    };
    size_t size = strlen (ledger);
    if (strncmp (path, ledger, size) != 0)
        return false;
    for (int i = 0; suffixes [i]; i++)
        if (strcmp (path + size, suffixes [i]) == 0)
            return true;
    return false;
}

//  -- all of them --------------------------------------------------------------------

//  The address that the endpoint is bound to, comparable with others. NULL with the refusal. Caller owns return value.
static char *
s_check_one (const char *setting, const char *endpoint, const char *ledger, stele_refusal_t *refusal)
{
    stele_address_t address;
    char bound [320];
    if (stele_address_parse (&address, setting, endpoint, true, refusal))
        return NULL;
    if (address.kind == STELE_ADDRESS_TCP)
        return s_resolve (&address, setting, bound, sizeof bound, refusal)? NULL:
            stele_memory_copy (bound, strlen (bound));
    if (address.kind == STELE_ADDRESS_INPROC || *address.path == '@' || strcmp (address.path, "*") == 0)
        return stele_memory_copy (endpoint, strlen (endpoint));
    char *path = s_absolute (address.path);
    char *file = s_absolute (ledger);
    bool is_of_ledger = path && file && s_is_of_ledger (path, file);
    free (file);
    if (is_of_ledger)
        stele_refuse (refusal, STELE_EINVALID_FIELD, setting,
            "%s: '%s' is the ledger or one of its files: choose another path", setting, address.path);
    if (is_of_ledger || s_check_path (setting, address.path, refusal)) {
        free (path);
        return NULL;
    }
    return path;
}

//  Does the endpoint include all addresses of the machine?
static bool
s_is_any (const char *bound)
{
    static const char *const any [] = { "tcp://*:", "tcp://0.0.0.0:", "tcp://[::]:", NULL };
    for (int i = 0; any [i]; i++)
        if (strncmp (bound, any [i], strlen (any [i])) == 0)
            return true;
    return false;
}

//  Can only this machine reach it?
static bool
s_is_loopback (const char *bound)
{
    const char *host = bound + strlen ("tcp://");
    size_t size = (size_t) (strrchr (host, ':') - host);
    return strncmp (host, "127.", 4) == 0 || (size == 2 && strncmp (host, "lo", 2) == 0)
        || (size == 5 && strncmp (host, "[::1]", 5) == 0);
}

//  Would the second of the two bindings fail?
static bool
s_is_same (const char *bound, const char *other)
{
    if (bound [strlen (bound) - 1] == '*')
        return false;                   //  A different one each time
    if (strcmp (bound, other) == 0)
        return true;
    return strncmp (bound, "tcp://", 6) == 0 && strncmp (other, "tcp://", 6) == 0
        && strcmp (strrchr (bound, ':'), strrchr (other, ':')) == 0 && (s_is_any (bound) || s_is_any (other));
}

typedef struct { const char *name, *endpoint; } s_setting_t;

#define COUNT 5
#define S_ALL(settings) { \
    { "events", settings->events }, { "requests", settings->requests }, { "feed", settings->feed }, \
    { "pipeline-in", settings->pipeline_in }, { "pipeline-out", settings->pipeline_out } }

//  The HTTP server is a client, too
static int
s_check_http (const stele_settings_t *settings, stele_refusal_t *refusal)
{
    bool requests = strncmp (settings->requests, "tcp:", 4) == 0, feed = strncmp (settings->feed, "tcp:", 4) == 0;
    if (!*settings->http || !*settings->keys)
        return 0;
    //  What it reaches without a key, it would serve to every user of this machine
    if ((!requests || !feed) && !*settings->tokens && !settings->insecure && strncmp (settings->http, "unix:", 5) != 0)
        return stele_refuse (refusal, STELE_EINVALID_FIELD, "http", "http: the broker has keys, but %s is an ipc endpoint, which needs "
            "none, so that whoever can connect to %s would need none either: set tokens to a file that 'stele token new' makes, or "
            "http = unix:PATH, which the mode of its folder protects, or insecure = yes", requests? "feed": "requests", settings->http);
    if (*settings->http_key || (!requests && !feed))
        return 0;
    return stele_refuse (refusal, STELE_EINVALID_FIELD, "http-key", "http-key: with keys, stele-http needs its own to connect "
        "over tcp: 'stele key new http --keys %.200s --role gateway,feed,query,metrics,publish --out FILE', then http-key = "
        "FILE (add operate or admin if HTTP clients may repair or change the mode)", settings->keys);
}

int
stele_endpoint_check (const stele_settings_t *settings, stele_refusal_t *refusal)
{
    const s_setting_t all [] = S_ALL (settings);
    char *bound [COUNT] = { NULL };
    int code = 0;
    for (int i = 0; i < COUNT && code == 0; i++) {
        if (!*all [i].endpoint)
            continue;
        bound [i] = s_check_one (all [i].name, all [i].endpoint, settings->ledger, refusal);
        if (!bound [i])
            code = STELE_EINVALID_FIELD;
        else
        if (*settings->keys == 0 && !settings->insecure && strncmp (bound [i], "tcp://", 6) == 0
        &&  !s_is_loopback (bound [i]))
            code = stele_refuse (refusal, STELE_EINVALID_FIELD, all [i].name, "%s: %s can be reached from other machines, and the "
                "broker has no keys: make keys with 'stele key new' and set keys, or set insecure = yes, which lets "
                "everybody in", all [i].name, all [i].endpoint);
        for (int j = 0; j < i && code == 0; j++)
            if (bound [j] && s_is_same (bound [i], bound [j]))
                code = stele_refuse (refusal, STELE_EINVALID_FIELD, all [i].name,
                    "%s and %s have the same endpoint %s: give each its own", all [j].name, all [i].name,
                    all [i].endpoint);
    }
    for (int i = 0; i < COUNT; i++)
        free (bound [i]);
    return code? code: s_check_http (settings, refusal);
}

//  -- listening ----------------------------------------------------------------------

//  Does a process listen on the path? One of this process is given time to close.
static bool
s_is_taken (const char *path)
{
    s_use_t use = s_use (path, strlen (path));
    for (int ms = 0; use == OWN && ms < OWN_WAIT_MS; ms += OWN_STEP_MS) {
        zclock_sleep (OWN_STEP_MS);
        use = s_use (path, strlen (path));
    }
    return use != UNUSED;
}

//  Bind a plain socket to tcp://ADDRESS:PORT as libzmq would, and close it. Returns 0 or errno.
static int
s_try_tcp (const char *bound)
{
    char host [320];
    snprintf (host, sizeof host, "%s", bound + strlen ("tcp://") + (bound [6] == '['));
    char *port = strrchr (host, ':');
    *port++ = 0;
    if (port [-2] == ']')
        port [-2] = 0;
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE
    };
    struct addrinfo *found = NULL;
    bool any = strcmp (host, "*") == 0;
    hints.ai_family = any? AF_INET: AF_UNSPEC;
    //  A port * is free, and the name of a network interface is left to libzmq
    if (strcmp (port, "*") == 0 || getaddrinfo (any? NULL: host, port, &hints, &found) != 0)
        return 0;
    int reason = 0;
    int handle = socket (found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (handle == -1 || setsockopt (handle, SOL_SOCKET, SO_REUSEADDR, &(int) { 1 }, sizeof (int)) != 0
    ||  bind (handle, found->ai_addr, found->ai_addrlen) != 0)
        reason = errno;
    if (handle != -1)
        close (handle);
    freeaddrinfo (found);
    return reason;
}

int
stele_endpoint_probe (const stele_settings_t *settings, stele_refusal_t *refusal)
{
    const s_setting_t all [] = S_ALL (settings);
    for (int i = 0; i < COUNT; i++) {
        stele_address_t address;
        char bound [320];
        int reason = 0;
        if (!*all [i].endpoint)
            continue;
        if (stele_address_parse (&address, all [i].name, all [i].endpoint, true, refusal))
            return refusal->code;
        if (address.kind == STELE_ADDRESS_TCP) {
            if (s_resolve (&address, all [i].name, bound, sizeof bound, refusal))
                return refusal->code;
            reason = s_try_tcp (bound);
        }
        else
        if (address.kind == STELE_ADDRESS_IPC && s_is_taken (address.path))
            reason = EADDRINUSE;
        if (reason)
            return stele_refuse (refusal, STELE_EUNAVAILABLE, all [i].name,
                "%s: cannot listen on %s: %s", all [i].name, all [i].endpoint, strerror (reason));
    }
    return 0;
}

int
stele_endpoint_bind (zsock_t *socket, const stele_settings_t *settings, const char *setting, const char *endpoint,
    stele_refusal_t *refusal)
{
    stele_address_t address;
    char bound [320];
    const char *target = endpoint;
    if (stele_address_parse (&address, setting, endpoint, true, refusal))
        return refusal->code;
    zsock_set_tcp_keepalive (socket, 1);
    zsock_set_tcp_keepalive_idle (socket, KEEPALIVE_IDLE);
    zsock_set_tcp_keepalive_intvl (socket, KEEPALIVE_STEP);
    zsock_set_tcp_keepalive_cnt (socket, KEEPALIVE_COUNT);
    if (address.kind == STELE_ADDRESS_TCP) {
        if (s_resolve (&address, setting, bound, sizeof bound, refusal))
            return refusal->code;
        target = bound;
        //  Only then: with it, * would listen on IPv6 too
        zsock_set_ipv6 (socket, target [6] == '[');
    }
    if (address.kind == STELE_ADDRESS_IPC) {
        if (s_check_path (setting, address.path, refusal))
            return refusal->code;
        if (s_is_taken (address.path))
            return stele_refuse (refusal, STELE_EUNAVAILABLE, setting,
                "%s: cannot listen on %s: %s", setting, endpoint, zmq_strerror (EADDRINUSE));
    }
    if (zmq_bind (zsock_resolve (socket), target) != 0)
        return stele_refuse (refusal, STELE_EUNAVAILABLE, setting,
            "%s: cannot listen on %s: %s", setting, endpoint, zmq_strerror (zmq_errno ()));
    //  Whoever may write to the socket may connect
    if (address.kind == STELE_ADDRESS_IPC && strcmp (settings->ipc_mode, "umask") != 0 && *address.path != '@') {
        char *path = zsock_last_endpoint (socket);
        int rc = chmod (path + strlen ("ipc://"), (mode_t) strtoul (settings->ipc_mode, NULL, 8));
        zstr_free (&path);
        if (rc)
            return stele_refuse (refusal, STELE_EUNAVAILABLE, setting, "%s: cannot set the mode %s of %s: %s", setting,
                settings->ipc_mode, endpoint, strerror (errno));
    }
    return 0;
}
