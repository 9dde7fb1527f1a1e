/*  rules - the rules by which secrets are recognised, from a rule file

    redact.rules describes the form of the file. The rules of that file are built in; a further file
    adds some, and replaces those with the same id.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_RULES_H_INCLUDED
#define STELE_RULES_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include "model/refusal.h"

#define STELE_RULE_ID 40            // Bytes of an id: a-z, 0-9 and -
#define STELE_RULES_MAX 1000
#define STELE_RULE_KEYWORDS 64
#define STELE_RULE_NAME 31          // Bytes
#define STELE_RULE_REGEX 4096       // Bytes
#define STELE_RULE_BACK 256         // Bytes
#define STELE_RULES_FILE (1 << 20)  // Bytes

typedef struct {
    char id [STELE_RULE_ID + 1];
    char *keywords [STELE_RULE_KEYWORDS];   // Of at least STELE_KEYWORD_MIN bytes, without NUL
    size_t keyword_count;
    char *names [STELE_RULE_KEYWORDS];      // Of keys of maps, in lower case, of a-z, 0-9 and _
    size_t name_count;                      // A rule has names or keywords
    char *regex;
    size_t back;
    bool fold, boundary, enabled;
    double entropy;                 // Bits per byte
} stele_rule_t;

typedef struct stele_rules stele_rules_t;

/*  The built-in rules. Caller owns return value.                            */
stele_rules_t *
    stele_rules_new (void);
void
    stele_rules_destroy (stele_rules_t **self_p);

/*  Add the rules of a file. Returns 0, or STELE_EINVALID_FIELD with a refusal that names the file and
    the line. Whether a regex is valid shows when it is compiled (redactor.h). */
int
    stele_rules_load (stele_rules_t *self, const char *path, stele_refusal_t *refusal);

/*  The same from memory; 'name' is that of the file in the refusal.         */
int
    stele_rules_read (stele_rules_t *self, const char *text, size_t size, const char *name, stele_refusal_t *refusal);

size_t
    stele_rules_count (const stele_rules_t *self);
const stele_rule_t *
    stele_rules_at (const stele_rules_t *self, size_t index);

/*  The text of redact.rules, made by the build from the file.               */
extern const char stele_rules_default [];

#endif
