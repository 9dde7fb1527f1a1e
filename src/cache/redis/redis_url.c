/*  redis_url - parse the URL of a Redis server

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include "cache/redis/redis_url.h"

#define PORT_DEFAULT 6379
#define PATH_MAX_BYTES 107          // sun_path, with its NUL

//  The password is not repeated: refusals are logged

static int
s_refuse (stele_refusal_t *refusal, const char *what)
{
    return stele_refuse (refusal, STELE_EINVALID_FIELD, "redis",
        "%s; use redis://[user:password@]host:port/db or unix:///path.sock?db=N", what);
}

static int
s_hex (char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    return -1;
}

//  Copy with %XX decoded; false where it does not fit, or is not well formed

static bool
s_decode (char *to, size_t to_max, const char *from, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; i < size; i++) {
        char byte = from [i];
        if (byte == '%') {
            int high = size - i > 2? s_hex (from [i + 1]): -1;
            int low = size - i > 2? s_hex (from [i + 2]): -1;
            if (high < 0 || low < 0 || high + low == 0)
                return false;
            byte = (char) (high * 16 + low);
            i += 2;
        }
        if (used + 1 >= to_max)
            return false;
        to [used++] = byte;
    }
    to [used] = 0;
    return true;
}

//  Parse a number of 0..max; -1: not one

static int
s_number (const char *text, size_t size, int max)
{
    if (size == 0 || size > 9)
        return -1;
    int number = 0;
    for (size_t i = 0; i < size; i++) {
        if (text [i] < '0' || text [i] > '9')
            return -1;
        number = number * 10 + (text [i] - '0');
    }
    return number <= max? number: -1;
}

//  user:password@ or :password@; moves *rest after it

static int
s_parse_login (stele_redis_url_t *self, const char **rest, const char *end,
    stele_refusal_t *refusal)
{
    const char *at = memchr (*rest, '@', end - *rest);
    if (!at)
        return 0;
    const char *colon = memchr (*rest, ':', at - *rest);
    if (!colon)
        return s_refuse (refusal, "the user of Redis needs a password");
    if (!s_decode (self->user, sizeof self->user, *rest, colon - *rest)
    ||  !s_decode (self->password, sizeof self->password, colon + 1, at - colon - 1))
        return s_refuse (refusal, "the user or password of Redis is too long or badly encoded");
    if (self->user [0] && !self->password [0])
        return s_refuse (refusal, "the user of Redis needs a password");
    *rest = at + 1;
    return 0;
}

static int
s_parse_local (stele_redis_url_t *self, const char *rest, stele_refusal_t *refusal)
{
    self->local = true;
    if (*rest != '/' && s_parse_login (self, &rest, rest + strcspn (rest, "/"), refusal))
        return STELE_EINVALID_FIELD;
    if (*rest != '/')
        return s_refuse (refusal, "the path of the Unix socket must be absolute");
    size_t size = strcspn (rest, "?");
    if (size < 2 || size > PATH_MAX_BYTES)
        return s_refuse (refusal, "the path of the Unix socket is empty or longer than 107 bytes");
    memcpy (self->place, rest, size);
    rest += size;
    if (*rest == 0)
        return 0;
    if (strncmp (rest, "?db=", 4) != 0)
        return s_refuse (refusal, "the only parameter of a unix:// URL is db");
    self->db = s_number (rest + 4, strlen (rest + 4), INT32_MAX / 2);
    return self->db < 0? s_refuse (refusal, "the db of Redis is not a number"): 0;
}

static int
s_parse_host (stele_redis_url_t *self, const char *rest, stele_refusal_t *refusal)
{
    const char *end = rest + strcspn (rest, "/?");
    if (s_parse_login (self, &rest, end, refusal))
        return STELE_EINVALID_FIELD;
    const char *host = rest;
    const char *host_end = memchr (rest, ':', end - rest);
    if (*rest == '[') {
        host++;
        host_end = memchr (rest, ']', end - rest);
        if (!host_end)
            return s_refuse (refusal, "the IPv6 address of Redis lacks its ']'");
        rest = host_end + 1;
    }
    else {
        if (!host_end)
            host_end = end;
        rest = host_end;
    }
    size_t size = host_end - host;
    if (size == 0 || size >= sizeof self->place)
        return s_refuse (refusal, "the host of Redis is empty or too long");
    memcpy (self->place, host, size);
    self->port = PORT_DEFAULT;
    if (rest < end) {
        self->port = *rest == ':'? s_number (rest + 1, end - rest - 1, 65535): -1;
        if (self->port < 1)
            return s_refuse (refusal, "the port of Redis is not a number from 1 to 65535");
    }
    if (*end == 0 || strcmp (end, "/") == 0)
        return 0;
    self->db = *end == '/'? s_number (end + 1, strlen (end + 1), INT32_MAX / 2): -1;
    return self->db < 0? s_refuse (refusal, "the db of Redis is not a number"): 0;
}

int
stele_redis_url_parse (stele_redis_url_t *self, const char *url, stele_refusal_t *refusal)
{
    memset (self, 0, sizeof *self);
    if (!url)
        return s_refuse (refusal, "the URL of Redis is missing");
    if (strncmp (url, "redis://", 8) == 0)
        return s_parse_host (self, url + 8, refusal);
    if (strncmp (url, "unix://", 7) == 0)
        return s_parse_local (self, url + 7, refusal);
    if (strncmp (url, "rediss://", 9) == 0)
        return s_refuse (refusal, "Redis over TLS is not supported: use a tunnel or a Unix socket");
    return s_refuse (refusal, "this is not the URL of a Redis server");
}

void
stele_redis_url_print (const stele_redis_url_t *self, char *text, size_t size_max)
{
    if (self->local) {
        int size = snprintf (text, size_max, "unix://%s", self->place);
        if (self->db && size >= 0 && (size_t) size < size_max)
            snprintf (text + size, size_max - size, "?db=%d", self->db);
    }
    else {
        bool numeric6 = strchr (self->place, ':') != NULL;
        snprintf (text, size_max, "redis://%s%s%s:%d/%d", numeric6? "[": "", self->place,
            numeric6? "]": "", self->port, self->db);
    }
}
