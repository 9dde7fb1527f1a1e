/*  writer_archive - replace tasks and sessions by stubs that were copied to an archive

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdio.h>
#include "broker/common/answer.h"
#include "broker/ingest/writer.h"
#include "ledger/archive.h"

static void
s_read_step (stele_params_t *params, stele_archive_step_t *step)
{
    stele_scan_t scan;
    stele_span_t id = stele_params_id (params, "archive_id");
    step->year = stele_params_number (params, "year", 0, 0, INT64_MAX);
    snprintf (step->archive_id, sizeof step->archive_id, "%.*s", (int) id.size, id.text);
    step->sessions = stele_params_bool (params, "sessions", false);
    size_t count = stele_params_numbers (params, "items", &scan) / 3;
    step->count = (int) (count < STELE_ARCHIVE_ITEMS? count: STELE_ARCHIVE_ITEMS);
    for (int i = 0; i < step->count; i++) {
        step->items [i].key = stele_scan_next (&scan).integer;
        step->items [i].position = stele_scan_next (&scan).integer;
        step->items [i].events = stele_scan_next (&scan).integer;
    }
}

int
stele_writer_run_archive (stele_writer_t *self, stele_params_t *params)
{
    stele_archive_step_t step;
    s_read_step (params, &step);
    if (self->redis_mode)
        stele_params_fail (params, STELE_EUNAVAILABLE, NULL, "nothing is archived in mode redis");
    if (params->refusal.code) {
        stele_answer_refuse (self->pack, &params->refusal, NULL, 0);
        stele_writer_answer (self);
        return 0;
    }
    int code = stele_writer_begin (self);
    if (code)
        return code;
    int64_t moved = stele_ledger_archive (self->ledger, &step);
    if (moved < 0)
        return (int) moved;
    stele_pack_clear (self->pack);
    stele_answer_begin (self->pack, stele_ledger_last (self->ledger));
    stele_pack_key_integer (self->pack, "moved", moved);
    stele_pack_map_end (self->pack);
    stele_writer_answer (self);
    return 0;
}
