/*  without - a build without redaction: there is no redactor

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "redact/redactor.h"

stele_redactor_t *
stele_redactor_new (const char *rules_file, const void *key, stele_refusal_t *refusal)
{
    (void) rules_file;
    (void) key;
    stele_refuse (refusal, STELE_EINVALID_FIELD, "redact",
        "this build has no redaction (configure --without-redaction): redact takes off only");
    return NULL;
}

void
stele_redactor_destroy (stele_redactor_t **self_p)
{
    (void) self_p;
}

size_t
stele_redactor_event (stele_redactor_t *self, const void *data, size_t size)
{
    (void) self;
    (void) data;
    (void) size;
    return 0;
}

size_t
stele_redactor_bytes (stele_redactor_t *self, const void *data, size_t size)
{
    return stele_redactor_event (self, data, size);
}

void
stele_redactor_fit (stele_redactor_t *self, bool fits)
{
    (void) self;
    (void) fits;
}

const void *
stele_redactor_masked (const stele_redactor_t *self, size_t *size)
{
    (void) self;
    *size = 0;
    return NULL;
}

const stele_finding_t *
stele_redactor_findings (const stele_redactor_t *self, size_t *count)
{
    (void) self;
    *count = 0;
    return NULL;
}

size_t
stele_redactor_rule_count (const stele_redactor_t *self)
{
    (void) self;
    return 0;
}

const char *
stele_redactor_rule (const stele_redactor_t *self, size_t index)
{
    (void) self;
    (void) index;
    return "";
}

int64_t
stele_redactor_exceeded (const stele_redactor_t *self, const char **rule)
{
    (void) self;
    *rule = NULL;
    return 0;
}
