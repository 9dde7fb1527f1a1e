/*  refusals - the latest refused events of a client, with the broker's reasons

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdlib.h>
#include <string.h>
#include "base/memory.h"
#include "client/publish/refusals.h"
#include "stele_error.h"

#define REFUSALS_MAX 65536

struct stele_refusals {
    stele_refused_t *ring;
    size_t room;
    int64_t count;
    int64_t unreported;
};

stele_refusals_t *
stele_refusals_new (void)
{
    return STELE_NEW (stele_refusals_t);
}

static int64_t
s_oldest (const stele_refusals_t *self)
{
    return self->count < REFUSALS_MAX? 0: self->count - REFUSALS_MAX;
}

void
stele_refusals_destroy (stele_refusals_t **self_p)
{
    stele_refusals_t *self = *self_p;
    if (!self)
        return;
    for (int64_t index = s_oldest (self); index < self->count; index++)
        free (stele_refusals_at (self, index)->message);
    free (self->ring);
    free (self);
    *self_p = NULL;
}

void
stele_refusals_report_one (stele_refusals_t *self, stele_refused_t *refused)
{
    self->unreported -= !refused->reported;
    refused->reported = true;
}

void
stele_refusals_add (stele_refusals_t *self, int64_t number, int code, const char *message,
    bool reported)
{
    if (!*message)
        message = stele_error_text (code);
    //  Grows to the whole ring, then overwrites the oldest
    size_t index = (size_t) self->count % REFUSALS_MAX;
    self->ring = stele_array_must_grow (self->ring, &self->room, index + 1, sizeof *self->ring);
    stele_refused_t *refused = &self->ring [index];
    if (self->count >= REFUSALS_MAX) {
        stele_refusals_report_one (self, refused);
        free (refused->message);
    }
    *refused = (stele_refused_t) {
        .number = number, .code = code, .reported = reported,
        .message = stele_memory_copy (message, strlen (message))
    };
    self->count++;
    self->unreported += !reported;
}

int64_t
stele_refusals_count (const stele_refusals_t *self)
{
    return self->count;
}

stele_refused_t *
stele_refusals_at (const stele_refusals_t *self, int64_t index)
{
    if (index < s_oldest (self) || index >= self->count)
        return NULL;
    return &self->ring [(size_t) index % REFUSALS_MAX];
}

stele_refused_t *
stele_refusals_find (const stele_refusals_t *self, int64_t number)
{
    for (int64_t index = self->count - 1; index >= s_oldest (self); index--)
        if (stele_refusals_at (self, index)->number == number)
            return stele_refusals_at (self, index);
    return NULL;
}

int64_t
stele_refusals_report (stele_refusals_t *self, const stele_refused_t **first)
{
    *first = NULL;
    if (self->unreported == 0)
        return 0;
    int64_t count = 0;
    for (int64_t index = s_oldest (self); index < self->count; index++) {
        stele_refused_t *refused = stele_refusals_at (self, index);
        if (refused->reported)
            continue;
        refused->reported = true;
        count++;
        if (!*first)
            *first = refused;
    }
    self->unreported = 0;
    return count;
}
