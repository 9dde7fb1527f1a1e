/*  screen - mask or refuse secrets in events, count them, log them

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "config.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/memory.h"
#include "broker/common/log.h"
#include "broker/ingest/screen.h"
#include "redact/redactor.h"
#include "wire/map.h"
#include "wire/scan.h"

#define LOG_US 60000000
#define PACK_RULES 64               // Most rules in the statistics

typedef struct {
    int64_t batch;                  // Secrets, in the open batch
    int64_t total;
    int64_t unlogged;               // Of the total
    int64_t logged_us;              // Steady clock; 0: never
    //  Of the last one; "" and 0: not known
    char field [64];
    char subject [STELE_LIMIT_ID + 1];      // Its task, else its session
    char producer [STELE_LIMIT_ID + 1];
    int64_t position;
} s_rule_t;

struct stele_screen {
    const char *mode;
    stele_redactor_t *redactor;     // NULL: off
    bool masks, refuses;
    s_rule_t *rules;
    size_t rule_count;
    int64_t batch_events, events;
    int64_t exceeded_logged_us, exceeded;
    bool any;                       // Some rule has something to log
    bool found;                     // In the last event
};

stele_screen_t *
stele_screen_new (const stele_settings_t *settings, stele_reader_t *reader, stele_refusal_t *refusal)
{
    stele_screen_t *self = STELE_NEW (stele_screen_t);
    self->mode = settings->redact;
    if (strcmp (settings->redact, "off") == 0)
        return self;
    unsigned char key [STELE_REDACTION_KEY];
    if (stele_reader_redaction_key (reader, key) != 1)
        stele_refuse (refusal, STELE_ELEDGER, "redact", "cannot read the key for masks from the ledger");
    else
        self->redactor = stele_redactor_new (*settings->redact_rules? settings->redact_rules: NULL, key, refusal);
    if (!self->redactor) {
        free (self);
        return NULL;
    }
    self->refuses = strcmp (settings->redact, "refuse") == 0;
    self->masks = self->refuses || strcmp (settings->redact, "mask") == 0;
    self->rule_count = stele_redactor_rule_count (self->redactor);
    self->rules = stele_memory_new (self->rule_count * sizeof *self->rules);
    memset (self->rules, 0, self->rule_count * sizeof *self->rules);
    return self;
}

void
stele_screen_destroy (stele_screen_t **self_p)
{
    stele_screen_t *self = *self_p;
    if (!self)
        return;
    if (self->redactor)
        stele_redactor_destroy (&self->redactor);
    free (self->rules);
    free (self);
    *self_p = NULL;
}

//  Count the findings. Returns the first of them that is in an id, or the first one in mode refuse; else NULL
static const stele_finding_t *
s_note (stele_screen_t *self)
{
    size_t count;
    const stele_finding_t *findings = stele_redactor_findings (self->redactor, &count);
    const stele_finding_t *cause = NULL;
    for (size_t i = 0; i < count; i++) {
        s_rule_t *rule = &self->rules [findings [i].rule_index];
        rule->batch += findings [i].count;
        memcpy (rule->field, findings [i].field, sizeof rule->field);
        *rule->subject = *rule->producer = 0;
        rule->position = 0;
        if (!cause && (self->refuses || (self->masks && findings [i].in_id)))
            cause = &findings [i];
    }
    self->batch_events++;
    self->any = true;
    self->found = true;
    return cause;
}

void
stele_screen_stored (stele_screen_t *self, const char *producer, int64_t position, const void *data, size_t size)
{
    if (!self->found)
        return;
    char subject [STELE_LIMIT_ID + 1] = "";
    stele_map_t map = { data, size };
    if (!stele_map_text (&map, stele_field_name (STELE_TASK_ID), subject, sizeof subject))
        stele_map_text (&map, stele_field_name (STELE_SESSION_ID), subject, sizeof subject);
    size_t count;
    const stele_finding_t *findings = stele_redactor_findings (self->redactor, &count);
    for (size_t i = 0; i < count; i++) {
        s_rule_t *rule = &self->rules [findings [i].rule_index];
        memcpy (rule->subject, subject, sizeof subject);
        snprintf (rule->producer, sizeof rule->producer, "%s", producer? producer: "");
        rule->position = position;
    }
}

int
stele_screen_event (stele_screen_t *self, const void **data, size_t *size, stele_refusal_t *refusal)
{
    self->found = false;
    if (!self->redactor || stele_redactor_event (self->redactor, *data, *size) == 0)
        return 0;
    const stele_finding_t *cause = s_note (self);
    if (!self->masks)
        return 0;
    *data = stele_redactor_masked (self->redactor, size);
    if (!cause)
        return 0;
    return stele_refuse (refusal, STELE_ESECRET, cause->field, "%s contains a secret (rule %s)%s: remove it, and revoke it "
        "if others could read it", *cause->field? cause->field: "the event", cause->rule,
        cause->in_id? ", and an id cannot be masked": "");
}

void
stele_screen_kept (stele_screen_t *self, const void **data, size_t *size)
{
    const char *why;
    if (!self->redactor)
        return;
    bool is_packed = stele_scan_check (*data, *size, *size, &why) == 0;
    size_t found = is_packed? stele_redactor_event (self->redactor, *data, *size):
        stele_redactor_bytes (self->redactor, *data, *size);
    if (found == 0)
        return;
    s_note (self);
    if (self->masks)
        *data = stele_redactor_masked (self->redactor, size);
}

void
stele_screen_kept_fit (stele_screen_t *self, const void **data, size_t *size)
{
    if (!self->redactor)
        return;
    stele_redactor_fit (self->redactor, true);
    stele_screen_kept (self, data, size);
    stele_redactor_fit (self->redactor, false);
}

int
stele_screen_ids (const stele_record_t *event, stele_refusal_t *refusal)
{
    for (int field = 0; field < STELE_EVENT_FIELD_COUNT; field++) {
        const stele_value_t *value = &event->values [field];
        if (stele_field_kind (field) == STELE_KIND_ID && value->kind == STELE_VALUE_TEXT
        &&  memmem (value->text, value->size, STELE_MASK_BEGIN, strlen (STELE_MASK_BEGIN)))
            return stele_refuse (refusal, STELE_ESECRET, stele_field_name (field), "%s contained a secret, which is masked "
                "now: publish the event again with another id", stele_field_name (field));
    }
    return 0;
}

int
stele_screen_name (stele_screen_t *self, const char *field, const char *name, stele_refusal_t *refusal)
{
    if (!self->masks || stele_redactor_bytes (self->redactor, name, strlen (name)) == 0)
        return 0;
    size_t count;
    const stele_finding_t *findings = stele_redactor_findings (self->redactor, &count);
    return stele_refuse (refusal, STELE_ESECRET, field, "%s contains a secret (rule %s), and a name cannot be masked: "
        "choose another one, and revoke the secret if others could read it", field, findings [0].rule);
}

//  -- where the last one was, for the log -----------------------------------------------------

static void
s_print_place (const s_rule_t *rule, char *text, size_t size)
{
    size_t used = (size_t) snprintf (text, size, "%s", *rule->field? rule->field: "a message");
    if (*rule->subject)
        used += (size_t) snprintf (text + used, size - used, " of %s", rule->subject);
    if (*rule->producer)
        used += (size_t) snprintf (text + used, size - used, ", from producer %s", rule->producer);
    if (rule->position)
        snprintf (text + used, size - used, ", at position %lld", (long long) rule->position);
}

//  -- counts ---------------------------------------------------------------------------------

static void
s_log (stele_screen_t *self, size_t index, int64_t now_us)
{
    s_rule_t *rule = &self->rules [index];
    if (rule->unlogged == 0 || (rule->logged_us && now_us - rule->logged_us < LOG_US))
        return;
    const char *id = stele_redactor_rule (self->redactor, index);
    char where [3 * STELE_LIMIT_ID];
    s_print_place (rule, where, sizeof where);
    stele_log (STELE_LOG_WARNING, "secrets", STELE_LOG_FIELDS (STELE_LOG_TEXT ("rule", id),
        STELE_LOG_TEXT ("field", rule->field), STELE_LOG_NUMBER ("secrets", rule->unlogged),
        STELE_LOG_TEXT ("subject", rule->subject), STELE_LOG_TEXT ("producer", rule->producer),
        STELE_LOG_NUMBER ("position", rule->position)),
        "%lld secret%s found in events (rule %s, the last one in %s), %s: revoke %s, and keep %s out of events",
        (long long) rule->unlogged, rule->unlogged == 1? "": "s", id, where,
        self->refuses? "and refused": self->masks? "and masked": "and stored (redact = report)",
        rule->unlogged == 1? "it": "them", rule->unlogged == 1? "it": "them");
    rule->unlogged = 0;
    rule->logged_us = now_us;
}

//  A rule of the user that takes too long is an error of that rule
static void
s_log_exceeded (stele_screen_t *self, int64_t now_us)
{
    const char *rule;
    int64_t exceeded = stele_redactor_exceeded (self->redactor, &rule);
    if (exceeded == self->exceeded || (self->exceeded_logged_us && now_us - self->exceeded_logged_us < LOG_US))
        return;
    stele_log_warning ("redaction_bound", "rule %s took too long and was skipped for the rest of a text, %lld time%s so far: "
        "secrets of this rule may be left in it; make its regex simpler", rule, (long long) exceeded, exceeded == 1? "": "s");
    self->exceeded = exceeded;
    self->exceeded_logged_us = now_us;
}

void
stele_screen_tick (stele_screen_t *self, int64_t now_us)
{
    if (!self->redactor)
        return;
    s_log_exceeded (self, now_us);
    if (!self->any)
        return;
    self->any = false;
    for (size_t i = 0; i < self->rule_count; i++) {
        s_log (self, i, now_us);
        self->any |= self->rules [i].unlogged || self->rules [i].batch;
    }
}

void
stele_screen_commit (stele_screen_t *self, int64_t now_us)
{
    if (!self->batch_events)
        return;
    for (size_t i = 0; i < self->rule_count; i++) {
        self->rules [i].total += self->rules [i].batch;
        self->rules [i].unlogged += self->rules [i].batch;
        self->rules [i].batch = 0;
    }
    self->events += self->batch_events;
    self->batch_events = 0;
    stele_screen_tick (self, now_us);
}

void
stele_screen_rollback (stele_screen_t *self)
{
    for (size_t i = 0; i < self->rule_count && self->batch_events; i++)
        self->rules [i].batch = 0;
    self->batch_events = 0;
}

void
stele_screen_pack (const stele_screen_t *self, stele_pack_t *pack)
{
    int64_t secrets = 0;
    const char *rule = NULL;
    for (size_t i = 0; i < self->rule_count; i++)
        secrets += self->rules [i].total;
    stele_pack_key (pack, "redactions");
    stele_pack_map_begin (pack);
    stele_pack_key_string (pack, "mode", self->mode);
    stele_pack_key_integer (pack, "events", self->events);
    stele_pack_key_integer (pack, "secrets", secrets);
    stele_pack_key_integer (pack, "exceeded", self->redactor? stele_redactor_exceeded (self->redactor, &rule): 0);
    stele_pack_key (pack, "by_rule");
    stele_pack_map_begin (pack);
    for (size_t i = 0, packed = 0; i < self->rule_count && packed < PACK_RULES; i++)
        if (self->rules [i].total) {
            stele_pack_key_integer (pack, stele_redactor_rule (self->redactor, i), self->rules [i].total);
            packed++;
        }
    stele_pack_map_end (pack);
    stele_pack_map_end (pack);
}
