/*  router_secrets - keep secrets in requests out of refusals, the log and the audit trail

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <string.h>
#include "broker/requests/router_internal.h"
#include "redact/redactor.h"
#include "wire/scan.h"

int
stele_router_open_secrets (stele_router_t *self, stele_refusal_t *refusal)
{
    const stele_settings_t *settings = self->args.settings;
    if (strcmp (settings->redact, "mask") != 0 && strcmp (settings->redact, "refuse") != 0)
        return 0;
    self->redactor = stele_redactor_new (*settings->redact_rules? settings->redact_rules: NULL, NULL, refusal);
    return self->redactor? 0: refusal->code;
}

static const char *
s_rule (stele_router_t *self)
{
    size_t count;
    return stele_redactor_findings (self->redactor, &count) [0].rule;
}

//  The request without its events, which the writer masks before it refuses any
static void
s_pack_rest (stele_pack_t *pack, const void *data, size_t size)
{
    stele_scan_t scan = stele_scan_start (data, size);
    size_t entries = 0;
    stele_pack_clear (pack);
    uint32_t count = stele_scan_next (&scan).count;
    size_t mark = stele_pack_open_map (pack);
    for (; count > 0; count--) {
        const void *key, *value;
        size_t key_size, value_size;
        stele_scan_skip (&scan, &key, &key_size);
        stele_scan_skip (&scan, &value, &value_size);
        stele_scan_t of_key = stele_scan_start (key, key_size), of_value = stele_scan_start (value, value_size);
        stele_token_t name = stele_scan_next (&of_key);
        if (name.kind == STELE_SCAN_TEXT && name.size == 6 && memcmp (name.data, "events", 6) == 0
        &&  stele_scan_next (&of_value).kind == STELE_SCAN_ARRAY)
            continue;
        stele_pack_packed (pack, key, key_size);
        stele_pack_packed (pack, value, value_size);
        entries++;
    }
    stele_pack_close (pack, mark, entries);
}

const char *
stele_router_secret (stele_router_t *self, const stele_operation_t *operation, zframe_t *body)
{
    const char *why;
    const void *data = zframe_data (body);
    size_t size = zframe_size (body);
    //  Without an operation, it may be anything
    if (!self->redactor || (!operation && stele_scan_check (data, size, size, &why)))
        return NULL;
    stele_scan_t scan = stele_scan_start (data, size);
    if (stele_scan_next (&scan).kind == STELE_SCAN_MAP && operation == &stele_operations [STELE_OPERATION_PUBLISH]) {
        s_pack_rest (self->pack, data, size);
        data = stele_pack_data (self->pack);
        size = stele_pack_size (self->pack);
    }
    return stele_redactor_event (self->redactor, data, size)? s_rule (self): NULL;
}

int
stele_router_check_name (stele_router_t *self, const char *name, stele_refusal_t *refusal)
{
    if (!self->redactor || stele_redactor_bytes (self->redactor, name, strlen (name)) == 0)
        return 0;
    return stele_refuse (refusal, STELE_ESECRET, "actor", "the name of the actor contains a secret (rule %s), and a name cannot "
        "be masked: choose another one, and revoke the secret if others could read it", s_rule (self));
}

void
stele_router_hide (stele_refusal_t *refusal, const char *rule)
{
    char field [sizeof refusal->field];
    memcpy (field, refusal->field, sizeof field);
    stele_refuse (refusal, refusal->code, field, "%s%s%s; the request contains a secret (rule %s), so nothing of it is quoted here: "
        "revoke the secret if others could read it", field, *field? ": ": "", stele_error_text (refusal->code), rule);
}
