/*  storage - the request storage: space on the disk

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "base/clock.h"
#include "broker/operations/query.h"

#define DAY_US ((int64_t) 86400 * 1000000)
#define DAYS_DEFAULT 14
#define DAYS_MAX 366

static void
s_pack_parts (stele_pack_t *pack, const char *key, const stele_storage_part_t *parts)
{
    size_t count = 0;
    while (parts [count].bytes)
        count++;
    stele_pack_key (pack, key);
    stele_pack_array (pack, count);
    for (size_t i = 0; i < count; i++) {
        stele_pack_map_begin (pack);
        stele_pack_key_string (pack, "name", parts [i].name);
        stele_pack_key_integer (pack, "bytes", parts [i].bytes);
        stele_pack_map_end (pack);
    }
}

//  How many events were committed on each day (UTC): by the positions at its ends. Returns 0, or the code of the reader.
static int
s_pack_days (stele_query_t *self, int64_t days, double event_bytes, stele_pack_t *pack)
{
    int64_t today_us = stele_clock_us () / DAY_US * DAY_US;
    int64_t before = stele_reader_position_at (self->reader, today_us - (days - 1) * DAY_US - 1);
    stele_pack_key (pack, "days");
    stele_pack_array (pack, (size_t) days);
    for (int64_t i = days - 1; i >= 0 && before >= 0; i--) {
        int64_t last = i? stele_reader_position_at (self->reader, today_us - (i - 1) * DAY_US - 1): self->head;
        if (last < 0)
            return (int) last;
        int64_t events = last > before? last - before: 0;
        stele_pack_map_begin (pack);
        stele_pack_key_integer (pack, "day", today_us - i * DAY_US);
        stele_pack_key_integer (pack, "events", events);
        stele_pack_key_integer (pack, "bytes", (int64_t) ((double) events * event_bytes));
        stele_pack_map_end (pack);
        before += events;
    }
    return before < 0? (int) before: 0;
}

int
stele_operation_storage (stele_query_t *self, stele_params_t *params, stele_pack_t *pack)
{
    int64_t days = stele_params_number (params, "days", DAYS_DEFAULT, 1, DAYS_MAX);
    if (params->refusal.code)
        return params->refusal.code;
    stele_storage_t storage;
    int rc = stele_reader_storage (self->reader, &storage);
    if (rc < 0)
        return stele_query_failed (self, params, rc);
    s_pack_parts (pack, "tables", storage.tables);
    s_pack_parts (pack, "files", storage.files);
    stele_pack_key_integer (pack, "file_bytes", storage.file_bytes);
    stele_pack_key_integer (pack, "free_bytes", storage.free_bytes);
    stele_pack_key_integer (pack, "unmeasured_bytes", storage.unmeasured_bytes);
    stele_pack_key_integer (pack, "measured_at", storage.measured_us);
    int64_t used = storage.file_bytes - storage.free_bytes;
    rc = s_pack_days (self, days, self->head? (double) used / (double) self->head: 0, pack);
    return rc < 0? stele_query_failed (self, params, rc): 0;
}
