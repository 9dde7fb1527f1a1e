/*  endpoints - the nodes to which a client may connect, one at a time

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdlib.h>
#include <string.h>
#include "base/memory.h"
#include "client/connection/endpoints.h"
#include "wire/address.h"

#define PAUSE_MS       20           // More after each attempt
#define PAUSE_MAX_MS 1000
#define PATIENCE_MS  1000           // More after every fourth attempt
#define PATIENCE_MAX_MS 6000

struct stele_endpoints {
    char **items;
    size_t count;
    size_t index;
    char *named;                    // Endpoint that is not of the list; NULL: the current one is items [index]
};

stele_endpoints_t *
stele_endpoints_new (const char *list)
{
    stele_endpoints_t *self = STELE_NEW (stele_endpoints_t);
    //  Each comma adds at most one, and the last is NULL
    size_t max = 2;
    for (const char *c = list; *c; c++)
        max += *c == ',';
    self->items = stele_memory_new (max * sizeof *self->items);
    while ((self->items [self->count] = stele_address_take (&list)))
        self->count++;
    if (self->count == 0)
        self->items [self->count++] = stele_memory_copy ("", 0);
    return self;
}

void
stele_endpoints_destroy (stele_endpoints_t **self_p)
{
    stele_endpoints_t *self = *self_p;
    if (!self)
        return;
    for (size_t i = 0; i < self->count; i++)
        free (self->items [i]);
    free (self->items);
    free (self->named);
    free (self);
    *self_p = NULL;
}

const char *
stele_endpoints_current (const stele_endpoints_t *self)
{
    return self->named? self->named: self->items [self->index];
}

size_t
stele_endpoints_count (const stele_endpoints_t *self)
{
    return self->count;
}

bool
stele_endpoints_several (const stele_endpoints_t *self)
{
    return self->count > 1 || self->named;
}

static void
s_forget_named (stele_endpoints_t *self)
{
    free (self->named);
    self->named = NULL;
}

void
stele_endpoints_next (stele_endpoints_t *self)
{
    if (!self->named)
        self->index = (self->index + 1) % self->count;
    s_forget_named (self);
}

static bool
s_find (stele_endpoints_t *self, const char *endpoint)
{
    for (size_t i = 0; i < self->count; i++)
        if (strcmp (self->items [i], endpoint) == 0) {
            self->index = i;
            s_forget_named (self);
            return true;
        }
    return false;
}

static bool
s_is_usable (const stele_endpoints_t *self, const char *endpoint)
{
    stele_address_t address, current;
    return stele_address_parse (&address, "writer", endpoint, false, NULL) == 0 && address.kind != STELE_ADDRESS_INPROC
        && stele_address_parse (&current, "endpoint", stele_endpoints_current (self), false, NULL) == 0
        && address.kind == current.kind;
}

bool
stele_endpoints_go (stele_endpoints_t *self, const char *list)
{
    char *endpoint;
    bool found = false;
    while (!found && (endpoint = stele_address_take (&list))) {
        found = s_find (self, endpoint);
        if (!found && s_is_usable (self, endpoint)) {
            s_forget_named (self);
            self->named = endpoint;
            return true;
        }
        free (endpoint);
    }
    return found;
}

int64_t
stele_endpoints_pause_ms (int attempts)
{
    return attempts < PAUSE_MAX_MS / PAUSE_MS? attempts * PAUSE_MS: PAUSE_MAX_MS;
}

int64_t
stele_endpoints_patience_ms (int attempts)
{
    return attempts < 4 * (PATIENCE_MAX_MS / PATIENCE_MS)? PATIENCE_MS * (1 + attempts / 4): PATIENCE_MAX_MS;
}
