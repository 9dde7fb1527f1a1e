/*  owners - the producers that own tasks, and when they were last heard

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <string.h>
#include "base/clock.h"
#include "broker/common/presence.h"
#include "broker/operations/query.h"

//  Pack one producer as a map, after its key if there is one; nothing if it is unknown
static bool
s_pack (stele_query_t *self, const char *key, const char *name, stele_pack_t *pack)
{
    stele_producer_t producer;
    int64_t heard_us;
    if (!stele_presence_get (self->settings->presence, name, &producer, &heard_us))
        return false;
    if (key)
        stele_pack_key (pack, key);
    stele_pack_map_begin (pack);
    stele_presence_pack (pack, &producer, -1, heard_us, stele_clock_steady_us ());
    stele_pack_map_end (pack);
    return true;
}

static const char *
s_name (stele_span_t producer, char *name)
{
    if (!producer.text || producer.size > STELE_LIMIT_ID)
        return NULL;
    memcpy (name, producer.text, producer.size);
    name [producer.size] = 0;
    return name;
}

void
stele_query_pack_owner (stele_query_t *self, stele_span_t producer, stele_pack_t *pack)
{
    char name [STELE_LIMIT_ID + 1];
    if (s_name (producer, name))
        s_pack (self, "owner", name, pack);
}

void
stele_owners_open (stele_owners_t *self)
{
    *self = (stele_owners_t) { .names = zhashx_new () };
    assert (self->names);
}

void
stele_owners_close (stele_owners_t *self)
{
    zhashx_destroy (&self->names);
}

int
stele_owners_add (const stele_record_t *row, void *arg)
{
    stele_owners_t *self = arg;
    const stele_value_t *producer = &row->values [STELE_PRODUCER];
    char name [STELE_LIMIT_ID + 1];
    if (stele_record_has (row, STELE_PRODUCER)
    &&  s_name ((stele_span_t) { producer->text, producer->size }, name))
        zhashx_insert (self->names, name, self);
    return stele_rows_add (row, self->rows);
}

void
stele_owners_pack (stele_owners_t *self, stele_query_t *query, stele_pack_t *pack)
{
    stele_pack_key (pack, "producers");
    size_t mark = stele_pack_open_array (pack), count = 0;
    for (void *item = zhashx_first (self->names); item; item = zhashx_next (self->names))
        count += s_pack (query, NULL, zhashx_cursor (self->names), pack);
    stele_pack_close (pack, mark, count);
}
