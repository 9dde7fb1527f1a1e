/*  redactor - find secrets in events, and mask them

    A mask is «redacted:RULE:8HEX», where 8HEX are the first bytes of an HMAC-SHA256 of the secret: the
    same secret has the same mask under one key. Without a key, and after the first 16,384 secrets of an
    event, it is «redacted:RULE».

    Text is searched for the keywords of all rules first. The regex of a rule sees only the bytes around
    a keyword: STELE_RULE_BACK before it, and a window after it that grows if a match fills it. So the
    size of a text does not matter, and a secret has no window border to hide at. The work of a regex
    is bounded (steps, memory, tries per text); a rule that exceeds its bound is skipped for the
    rest of the text, and counted.

    One thread uses a redactor. In a build without redaction, stele_redactor_new always refuses.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_REDACTOR_H_INCLUDED
#define STELE_REDACTOR_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "model/refusal.h"

#define STELE_MASK_BEGIN "\xc2\xabredacted:"        // «
#define STELE_REDACT_KEY 32         // Bytes
#define STELE_FINDINGS_MAX 64       // Of one event; further ones are masked, and counted in the last

typedef struct stele_redactor stele_redactor_t;

/*  Secrets of one rule in one field of an event                             */
typedef struct {
    char field [64];                // Key of the event, masked; "": not in a map
    const char *rule;               // Id; owned by the redactor
    size_t rule_index;
    int64_t count;
    char mark [9];                  // The 8 hex digits of the first one; "": no key
    bool in_id;                     // The field is an id: a mask would change what it identifies
} stele_finding_t;

/*  With the built-in rules, and those of a file (NULL: none). 'key' has STELE_REDACT_KEY bytes, or is
    NULL; it is copied. NULL: the refusal has the reason. Caller owns return value. */
stele_redactor_t *
    stele_redactor_new (const char *rules_file, const void *key, stele_refusal_t *refusal);
void
    stele_redactor_destroy (stele_redactor_t **self_p);

/*  Search one checked msgpack object (stele_scan_check), usually an event. Returns the number of secrets. If
    there are any, stele_redactor_masked is a copy with masks in their places and, if it is a map, the list of
    findings as its key 'redacted' (protocol section 3): a list that is there already is continued. */
size_t
    stele_redactor_event (stele_redactor_t *self, const void *data, size_t size);

/*  The same for bytes that are not msgpack: only masked.                    */
size_t
    stele_redactor_bytes (stele_redactor_t *self, const void *data, size_t size);

/*  From now on masks are as long as their secrets at most, so that no limit of a field is exceeded: of a mask that is
    longer, only its begin, as many of the 8 digits as there is room for, and its end remain. */
void
    stele_redactor_fit (stele_redactor_t *self, bool fits);

/*  The result of the last call that found a secret; valid until the next one. */
const void *
    stele_redactor_masked (const stele_redactor_t *self, size_t *size);
const stele_finding_t *
    stele_redactor_findings (const stele_redactor_t *self, size_t *count);

/*  Rules, for counters by index.                                            */
size_t
    stele_redactor_rule_count (const stele_redactor_t *self);
const char *
    stele_redactor_rule (const stele_redactor_t *self, size_t index);

/*  How often a regex exceeded its bound, and the id of the last such rule (NULL: none). */
int64_t
    stele_redactor_exceeded (const stele_redactor_t *self, const char **rule);

#endif
