/*  line - the line of an event: the text of which its leaf is the hash

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <stdlib.h>
#include "base/memory.h"
#include "proof/line.h"
#include "wire/event/event_codec.h"
#include "wire/json/json.h"

struct stele_line_maker {
    stele_pack_t *pack;
    char *line;
    size_t room;                    // Of the line
};

stele_line_maker_t *
stele_line_maker_new (void)
{
    stele_line_maker_t *self = STELE_NEW (stele_line_maker_t);
    self->pack = stele_pack_new ();
    assert (self->pack);
    return self;
}

void
stele_line_maker_destroy (stele_line_maker_t **self_p)
{
    stele_line_maker_t *self = *self_p;
    if (!self)
        return;
    stele_pack_destroy (&self->pack);
    free (self->line);
    free (self);
    *self_p = NULL;
}

const char *
stele_line_make_packed (stele_line_maker_t *self, const void *packed, size_t packed_size, size_t *size)
{
    free (self->line);
    self->line = stele_json_line (packed, packed_size, true, size);
    self->room = self->line? *size: 0;
    return self->line;
}

const char *
stele_line_make (stele_line_maker_t *self, const stele_record_t *event, size_t *size)
{
    if (event->extra.kind == STELE_VALUE_NONE) {
        *size = stele_json_event (event, self->pack, &self->line, &self->room);
        return *size? self->line: NULL;
    }
    stele_pack_clear (self->pack);
    stele_record_pack (event, self->pack);
    return stele_line_make_packed (self, stele_pack_data (self->pack), stele_pack_size (self->pack), size);
}
