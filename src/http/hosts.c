/*  hosts - the names under which this server may be addressed

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/memory.h"
#include "http/hosts.h"

void
http_hosts_add (http_hosts_t *self, const char *names)
{
    for (const char *name = names; *name; name += strspn (name, ", ")) {
        size_t size = strcspn (name, ", ");
        if (size) {
            self->names = stele_array_must_grow (self->names, &self->room, self->count + 1, sizeof *self->names);
            self->names [self->count++] = stele_memory_copy (name, size);
        }
        name += size;
    }
}

void
http_hosts_clear (http_hosts_t *self)
{
    for (size_t i = 0; i < self->count; i++)
        free (self->names [i]);
    free (self->names);
    *self = (http_hosts_t) { 0 };
}

//  127.0.0.0/8, as four numbers
static bool
s_is_loopback (http_span_t name)
{
    int dots = 0;
    for (size_t i = 0; i < name.size; i++) {
        dots += name.data [i] == '.';
        if (name.data [i] != '.' && (name.data [i] < '0' || name.data [i] > '9'))
            return false;
    }
    return dots == 3 && name.size > 4 && memcmp (name.data, "127.", 4) == 0;
}

bool
http_hosts_allow (const http_hosts_t *self, http_span_t host)
{
    http_span_t name = host;
    const char *end = name.size && name.data [0] == '['? memchr (name.data, ']', name.size): NULL;
    const char *colon = memchr (end? end: name.data, ':', name.size - (end? (size_t) (end - name.data): 0));
    if (colon)
        name.size = (size_t) (colon - name.data);
    if (http_span_is (name, "localhost") || http_span_is (name, "[::1]") || s_is_loopback (name))
        return true;
    for (size_t i = 0; i < self->count; i++)
        if (http_span_is (name, self->names [i]))
            return true;
    return false;
}

bool
http_hosts_same_origin (http_span_t host, http_span_t origin, http_span_t site, bool tls)
{
    if (site.data && !http_span_is (site, "same-origin") && !http_span_is (site, "none"))
        return false;
    if (!origin.data)
        return true;
    //  SCHEME://HOST, or "null"
    static const char *const schemes [] = { "https://", "http://" };
    for (size_t i = 0; i < (tls? 1: 2); i++) {
        size_t size = strlen (schemes [i]);
        if (origin.size == size + host.size && strncasecmp (origin.data, schemes [i], size) == 0
        &&  strncasecmp (origin.data + size, host.data, host.size) == 0)
            return true;
    }
    return false;
}
