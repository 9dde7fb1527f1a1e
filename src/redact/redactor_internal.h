/*  redactor_internal - one class in two files

      redactor.c        rules, and the secrets in one text
      redact_event.c    the texts of an event, and the event with masks

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_REDACTOR_INTERNAL_H_INCLUDED
#define STELE_REDACTOR_INTERNAL_H_INCLUDED

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include "redact/keywords.h"
#include "redact/redactor.h"
#include "redact/rules.h"
#include "wire/pack.h"

#define STELE_MASK_END "\xc2\xbb"                   // »

/*  A secret in a text                                                       */
typedef struct {
    size_t from, to;                // Bytes [from, to)
    size_t rule;
} stele_match_t;

#define STELE_HITS_MAX 32           // Keywords of an event that are remembered

/*  A keyword in the event                                                   */
typedef struct {
    const char *text;
    size_t size;
    size_t rule;
} stele_hit_t;

struct stele_redactor {
    stele_rules_t *rules;
    pcre2_code **codes;             // By rule; NULL: not enabled
    bool *bounded;                  // By rule: its keywords have to begin a word
    stele_keywords_t *keywords;
    pcre2_match_data *match;
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
    bool has_key;
    unsigned char key [STELE_REDACT_KEY];
    //  Of the text that is searched
    bool raw;                       // It may contain heads of msgpack strings
    stele_match_t *matches;
    size_t match_count, match_room;
    struct {
        uint32_t search, exceeded;  // Of that search
        size_t until;
        uint32_t event;
        bool spent;                 // Of that event: it has no work left
        int64_t work;
    } *state;                       // By rule
    uint32_t search, event;         // Their numbers: older states are void
    int64_t exceeded;
    size_t exceeded_rule;
    //  Of the event
    const char *data;               // NULL: not all of its keywords are in 'hits'
    size_t size;
    stele_hit_t hits [STELE_HITS_MAX];
    size_t hit_count;
    int64_t work, work_max;         // Bytes that regexes saw, about; the most of a rule
    stele_finding_t findings [STELE_FINDINGS_MAX];
    size_t finding_count;
    size_t secrets;
    bool fits;                      // No mask is longer than its secret
    stele_pack_t *out;
    char *scratch;
    size_t scratch_room;
};

/*  Is there a keyword that may begin a secret? Its places are remembered for the searches in parts of that data, until
    the next call. */
bool
    stele_redactor_suspects (stele_redactor_t *self, const char *data, size_t size);

/*  Is one of them in that part? True for text that is no part of that data. */
bool
    stele_redactor_has_keyword (const stele_redactor_t *self, const char *text, size_t size);

/*  Begin an event, or bytes, of that size: its work, findings and output are new. */
void
    stele_redactor_begin (stele_redactor_t *self, size_t size);

/*  Find the secrets of a text: 'matches', in order, not overlapping. Returns their number. */
size_t
    stele_redactor_find (stele_redactor_t *self, const char *text, size_t size);

/*  After that, of the value of a key of a map, the data of a msgpack string: a rule with this name for the key, whose regex
    matches the value, has one match in place of all others. */
size_t
    stele_redactor_find_named (stele_redactor_t *self, const char *key, size_t key_size, const char *text, size_t size);

/*  Write the mask of a secret, its rule and its bytes. Returns its size. 'mark' gets its 8 digits. */
#define STELE_MASK_SIZE (sizeof STELE_MASK_BEGIN + STELE_RULE_ID + 1 + 8 + sizeof STELE_MASK_END)
size_t
    stele_redactor_mask (const stele_redactor_t *self, const stele_match_t *match, const char *text,
        char *mask, char *mark);

#endif
