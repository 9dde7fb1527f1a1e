/*  append - dispatch events by their type

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include "fault/fault.h"
#include "sqlite/write/ledger_internal.h"
#include "wire/event/event_codec.h"

//  The event is stored at self->next: note it in the zone map, which finds it by time
static int
s_note (stele_ledger_t *self, const stele_record_t *event)
{
    if (stele_event_subject (event->type) != STELE_SUBJECT_TASK)
        return 0;
    const stele_value_t *id = &event->values [STELE_TASK_ID];
    stele_task_t *task = NULL;
    int code = stele_task_cache_find (self->tasks, id->text, id->size, &task);
    if (code == 0)
        code = stele_zone_map_note (self->zones, task, self->next, event->values [STELE_TIME].integer,
            event->type == STELE_TASK_CREATED);
    return code? stele_ledger_fail (self, code): 0;
}

void
stele_ledger_offer (stele_ledger_t *self, const void *message, size_t size)
{
    stele_content_offer (self->content, message, size);
}

void
stele_ledger_done (stele_ledger_t *self, const void *message)
{
    stele_content_done (self->content, message);
}

int
stele_ledger_append (stele_ledger_t *self, const stele_record_t *event,
    int64_t producer, int64_t *position, stele_refusal_t *refusal)
{
    assert (stele_record_has (event, STELE_TIME));
    stele_record_clear (self->scratch);
    int rc = STELE_FAULT_CODE (append_before);
    if (rc)
        return stele_ledger_fail (self, rc);
    switch ((stele_event_type_t) event->type) {
        case STELE_TASK_CREATED:
        case STELE_TASK_UPDATED:
        case STELE_TASK_STATE_CHANGED:
        case STELE_TASK_OUTPUT_ADDED:
        case STELE_TASK_METRIC_RECORDED:
            rc = stele_ledger_append_task (self, event, producer, refusal);
            break;
        case STELE_SESSION_STARTED:
        case STELE_SESSION_STATE_CHANGED:
        case STELE_SESSION_COMMAND_EXECUTED:
            rc = stele_ledger_append_session (self, event, refusal);
            break;
        case STELE_PREFERENCE_SET:
            rc = stele_ledger_append_preference (self, event);
            break;
        case STELE_AUDIT_RECORDED:
            rc = stele_ledger_append_audit (self, event);
            break;
        //  No default: the compiler reports a type without a case
        case STELE_EVENT_TYPE_END:
            assert (false);
    }
    int code = rc == 1? s_note (self, event): 0;
    if (code)
        return code;
    if (rc == 1)
        *position = self->next++;
    if (rc == 1 && self->decisions)
        stele_decisions_add_event (self->decisions, producer, event);
    STELE_FAULT (append_after);
    return rc;
}
