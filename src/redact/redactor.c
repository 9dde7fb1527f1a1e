/*  redactor - compile rules, find the secrets of one text, and write masks

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "config.h"
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include "base/memory.h"
#include "redact/redactor_internal.h"

//  Bounds of one try of a regex
#define MATCH_STEPS     20000
#define MATCH_HEAP_KIB  1024
#define JIT_STACK       (256 * 1024)
//  Bytes after a keyword that a regex sees at first. While it wants to see more, they grow by that factor up to WINDOW_MAX; a
//  secret that is longer ends at a space
#define WINDOW          128
#define WINDOW_GROWTH   8
#define WINDOW_MAX      65536
//  Bytes of the value of a named key that its regex sees
#define NAMED_WINDOW    4096
//  Bytes before them, for look-behind
#define CONTEXT         64
//  Work of a try: TRY_WORK, one per byte that its regex may see, and BACK_WORK per place before the keyword. The most
//  work of a rule in an event (or in bytes): RULE_WORK, and RULE_WORK_BYTE per byte of it; that of all rules together
//  is EVENT_SHARE times as much
#define TRY_WORK        64
#define BACK_WORK       4
#define RULE_WORK       1000000
#define RULE_WORK_BYTE  8
#define EVENT_SHARE     3
//  Tries of a rule per text that may exceed their bound
#define EXCEEDED_MAX    8
//  Secrets of an event whose masks have a mark, since each costs microseconds
#define MARKS_MAX       16384

//  -- rules -----------------------------------------------------------------------------

//  As keywords: the heads of the msgpack strings that are api_key, api-key or apikey
static bool
s_add_name (stele_redactor_t *self, const char *name, size_t index)
{
    static const char *const joints [] = { "", "_", "-" };
    size_t count = strchr (name, '_')? 3: 1;
    for (size_t i = 0; i < count; i++) {
        char text [1 + STELE_RULE_NAME];
        size_t size = 1;
        for (const char *c = name; *c; c++)
            if (*c != '_')
                text [size++] = *c;
            else
            if (*joints [i])
                text [size++] = *joints [i];
        text [0] = (char) (0xa0 | (size - 1));
        if (!stele_keywords_add (self->keywords, text, size, true, (int) index))
            return false;
    }
    return true;
}

static int
s_compile (stele_redactor_t *self, size_t index, stele_refusal_t *refusal)
{
    const stele_rule_t *rule = stele_rules_at (self->rules, index);
    self->bounded [index] = rule->boundary && !rule->back;
    uint32_t options = PCRE2_NEVER_UTF | PCRE2_NEVER_UCP | (rule->fold? PCRE2_CASELESS: 0)
        | (rule->back? PCRE2_USE_OFFSET_LIMIT: PCRE2_ANCHORED);
    int error;
    PCRE2_SIZE place;
    self->codes [index] = pcre2_compile ((PCRE2_SPTR) rule->regex, PCRE2_ZERO_TERMINATED, options, &error, &place, NULL);
    if (!self->codes [index]) {
        char text [200] = "";
        pcre2_get_error_message (error, (PCRE2_UCHAR *) text, sizeof text);
        return stele_refuse (refusal, STELE_EINVALID_FIELD, "redact-rules", "rule %s: its regex is not valid: %s, at byte %zu",
            rule->id, text, (size_t) place);
    }
    //  Without JIT (a hardened system) the interpreter runs it
    pcre2_jit_compile (self->codes [index], PCRE2_JIT_COMPLETE | PCRE2_JIT_PARTIAL_HARD);
    bool fits = true;
    for (size_t i = 0; i < rule->keyword_count && fits; i++)
        fits = stele_keywords_add (self->keywords, rule->keywords [i], strlen (rule->keywords [i]), rule->fold, (int) index);
    for (size_t i = 0; i < rule->name_count && fits; i++)
        fits = s_add_name (self, rule->names [i], index);
    return fits? 0: stele_refuse (refusal, STELE_EINVALID_FIELD, "redact-rules",
        "the keywords of all rules have more than %d bytes", STELE_KEYWORDS_BYTES);
}

static int
s_prepare (stele_redactor_t *self, stele_refusal_t *refusal)
{
    size_t count = stele_rules_count (self->rules);
    self->codes = stele_memory_new ((count + 1) * sizeof *self->codes);
    memset (self->codes, 0, (count + 1) * sizeof *self->codes);
    self->state = stele_memory_new ((count + 1) * sizeof *self->state);
    memset (self->state, 0, (count + 1) * sizeof *self->state);
    self->bounded = stele_memory_new (count + 1);
    self->keywords = stele_keywords_new ();
    for (size_t i = 0; i < count; i++)
        if (stele_rules_at (self->rules, i)->enabled && s_compile (self, i, refusal))
            return refusal->code;
    stele_keywords_build (self->keywords);
    self->match = pcre2_match_data_create (16, NULL);
    self->context = pcre2_match_context_create (NULL);
    self->stack = pcre2_jit_stack_create (32 * 1024, JIT_STACK, NULL);
    assert (self->match && self->context);
    pcre2_set_match_limit (self->context, MATCH_STEPS);
    pcre2_set_depth_limit (self->context, MATCH_STEPS);
    pcre2_set_heap_limit (self->context, MATCH_HEAP_KIB);
    if (self->stack)
        pcre2_jit_stack_assign (self->context, NULL, self->stack);
    return 0;
}

stele_redactor_t *
stele_redactor_new (const char *rules_file, const void *key, stele_refusal_t *refusal)
{
    stele_refusal_t unused;
    stele_redactor_t *self = STELE_NEW (stele_redactor_t);
    refusal = refusal? refusal: &unused;
    self->rules = stele_rules_new ();
    self->out = stele_pack_new ();
    assert (self->out);
    self->has_key = key != NULL;
    if (key)
        memcpy (self->key, key, sizeof self->key);
    if ((rules_file && stele_rules_load (self->rules, rules_file, refusal)) || s_prepare (self, refusal))
        stele_redactor_destroy (&self);
    return self;
}

void
stele_redactor_destroy (stele_redactor_t **self_p)
{
    stele_redactor_t *self = *self_p;
    if (!self)
        return;
    for (size_t i = 0; self->codes && i < stele_rules_count (self->rules); i++)
        pcre2_code_free (self->codes [i]);
    free (self->codes);
    free (self->bounded);
    stele_keywords_destroy (&self->keywords);
    pcre2_match_data_free (self->match);
    pcre2_match_context_free (self->context);
    pcre2_jit_stack_free (self->stack);
    stele_rules_destroy (&self->rules);
    stele_pack_destroy (&self->out);
    free (self->matches);
    free (self->state);
    free (self->scratch);
    OPENSSL_cleanse (self->key, sizeof self->key);
    free (self);
    *self_p = NULL;
}

size_t
stele_redactor_rule_count (const stele_redactor_t *self)
{
    return stele_rules_count (self->rules);
}

const char *
stele_redactor_rule (const stele_redactor_t *self, size_t index)
{
    return stele_rules_at (self->rules, index)->id;
}

int64_t
stele_redactor_exceeded (const stele_redactor_t *self, const char **rule)
{
    *rule = self->exceeded? stele_redactor_rule (self, self->exceeded_rule): NULL;
    return self->exceeded;
}

void
stele_redactor_fit (stele_redactor_t *self, bool fits)
{
    self->fits = fits;
}

//  -- one text ----------------------------------------------------------------------------

static bool
s_is_word (char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static bool
s_is_hex (char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

//  Does a word begin there? \n, \u0022, %3D and the colours of terminals are not part of a word
static bool
s_begins_word (const char *text, size_t at)
{
    if (at == 0 || !s_is_word (text [at - 1]))
        return true;
    if (at >= 2 && text [at - 2] == '\\' && strchr ("nrtbfv0", text [at - 1]))
        return true;
    if (at >= 3 && text [at - 3] == '%' && s_is_hex (text [at - 2]) && s_is_hex (text [at - 1]))
        return true;
    if (at >= 6 && text [at - 6] == '\\' && text [at - 5] == 'u')
        return true;
    if (text [at - 1] != 'm')
        return false;
    size_t from = at - 1;
    while (from > 0 && at - from < 24 && strchr ("0123456789;", text [from - 1]))
        from--;
    return from > 0 && text [from - 1] == '[';
}

//  Is the byte before that place part of the head of a msgpack string, and so no letter?
static bool
s_after_head (const char *text, size_t at)
{
    const unsigned char *data = (const unsigned char *) text;
    return (at >= 2 && (data [at - 2] == 0xd9 || data [at - 2] == 0xc4))
        || (at >= 3 && (data [at - 3] == 0xda || data [at - 3] == 0xc5))
        || (at >= 5 && (data [at - 5] == 0xdb || data [at - 5] == 0xc6));
}

//  Bits per byte (Shannon)
static double
s_entropy (const char *text, size_t size)
{
    unsigned counts [256] = { 0 };
    for (size_t i = 0; i < size; i++)
        counts [(unsigned char) text [i]]++;
    double bits = 0;
    for (int i = 0; i < 256; i++)
        if (counts [i]) {
            double share = (double) counts [i] / (double) size;
            bits -= share * log2 (share);
        }
    return bits;
}

static void
s_exceed (stele_redactor_t *self, size_t rule)
{
    self->exceeded++;
    self->exceeded_rule = rule;
}

//  Run a regex on a window that ends at 'end', on matches that begin in [start, keyword]. Returns as pcre2_match does.
static int
s_run (stele_redactor_t *self, size_t rule, const char *text, size_t size, size_t start, size_t keyword, size_t end)
{
    size_t base = start > CONTEXT? start - CONTEXT: 0;
    bool last = end == size || end - keyword >= WINDOW_MAX;
    int64_t work = TRY_WORK + (int64_t) (end - start) + BACK_WORK * (int64_t) (keyword - start);
    if (stele_rules_at (self->rules, rule)->back)
        pcre2_set_offset_limit (self->context, keyword - base);
    int rc = pcre2_match (self->codes [rule], (PCRE2_SPTR) text + base, end - base, start - base,
        PCRE2_NOTEMPTY | (last? 0: PCRE2_PARTIAL_HARD), self->match, self->context);
    pcre2_set_offset_limit (self->context, PCRE2_UNSET);
    if (rc < 0 && rc != PCRE2_ERROR_NOMATCH && rc != PCRE2_ERROR_PARTIAL) {
        self->state [rule].exceeded++;
        s_exceed (self, rule);
        work += MATCH_STEPS;
    }
    self->state [rule].work += work;
    self->work += work;
    return rc;
}

//  Match a regex that may begin from 'start' to the keyword. True: [*first, *last) is the secret
static bool
s_match (stele_redactor_t *self, size_t rule, const char *text, size_t size, size_t start, size_t keyword, size_t keyword_size,
    size_t *first, size_t *last)
{
    size_t base = start > CONTEXT? start - CONTEXT: 0;
    size_t window = WINDOW, end;
    int rc;
    do {
        end = size - keyword - keyword_size > window? keyword + keyword_size + window: size;
        rc = s_run (self, rule, text, size, start, keyword, end);
        window *= WINDOW_GROWTH;
    } while (rc == PCRE2_ERROR_PARTIAL);
    if (rc < 0)
        return false;
    const PCRE2_SIZE *place = pcre2_get_ovector_pointer (self->match);
    int group = 0;
    for (int i = 1; i < rc && group == 0; i++)
        if (place [2 * i] != PCRE2_UNSET && place [2 * i + 1] > place [2 * i])
            group = i;
    *first = base + place [2 * group];
    *last = base + place [2 * group + 1];
    //  It may go on after the last window
    while (base + place [1] == end && *last < size && !strchr (" \t\r\n\"'", text [*last]))
        ++*last;
    return true;
}

//  The state of a rule for this text and this event
static void
s_renew (stele_redactor_t *self, size_t index)
{
    if (self->state [index].search != self->search) {
        self->state [index].search = self->search;
        self->state [index].exceeded = 0;
        self->state [index].until = 0;
    }
    if (self->state [index].event != self->event) {
        self->state [index].event = self->event;
        self->state [index].work = 0;
        self->state [index].spent = false;
    }
}

//  May the rule be tried once more? The first time that it may not is counted
static bool
s_may_try (stele_redactor_t *self, size_t index)
{
    if (self->state [index].exceeded >= EXCEEDED_MAX || self->state [index].spent)
        return false;
    if (self->state [index].work < self->work_max && self->work < EVENT_SHARE * self->work_max)
        return true;
    self->state [index].spent = true;
    s_exceed (self, index);
    return false;
}

static void
s_try (stele_redactor_t *self, size_t index, const char *text, size_t size, size_t start, size_t keyword_size)
{
    const stele_rule_t *rule = stele_rules_at (self->rules, index);
    s_renew (self, index);
    bool after_head = self->raw && s_after_head (text, start);
    if (rule->name_count || start < self->state [index].until
    ||  (self->bounded [index] && !after_head && !s_begins_word (text, start)))
        return;
    if (!s_may_try (self, index))
        return;
    size_t first, last;
    size_t back = rule->back < start? rule->back: start;
    if (start - back < self->state [index].until)
        back = start - self->state [index].until;
    if (!s_match (self, index, text, size, start - back, start, keyword_size, &first, &last))
        return;
    self->work += (int64_t) (last - first);
    self->state [index].work += (int64_t) (last - first);
    //  Never mask a mask: an export is imported unchanged
    if (memmem (text + first, last - first, STELE_MASK_BEGIN, sizeof STELE_MASK_BEGIN - 1))
        return;
    if (rule->entropy > 0 && s_entropy (text + first, last - first) < rule->entropy)
        return;
    self->state [index].until = last;
    self->matches = stele_array_must_grow (self->matches, &self->match_room, self->match_count + 1, sizeof *self->matches);
    self->matches [self->match_count++] = (stele_match_t) { first, last, index };
}

//  By place, the longer one first
static int
s_by_place (const void *one, const void *other)
{
    const stele_match_t *a = one, *b = other;
    if (a->from != b->from)
        return a->from < b->from? -1: 1;
    if (a->to != b->to)
        return a->to > b->to? -1: 1;
    return (a->rule > b->rule) - (a->rule < b->rule);
}

void
stele_redactor_begin (stele_redactor_t *self, size_t size)
{
    self->event++;
    self->work = 0;
    self->work_max = RULE_WORK + RULE_WORK_BYTE * (int64_t) size;
    self->finding_count = 0;
    self->secrets = 0;
    stele_pack_clear (self->out);
}

//  Most events have no keyword: one pass over all their bytes shows it
bool
stele_redactor_suspects (stele_redactor_t *self, const char *data, size_t size)
{
    self->data = data;
    self->size = size;
    self->hit_count = 0;
    stele_keywords_search_t search = stele_keywords_search (data, size);
    int rule;
    size_t start, keyword_size;
    while (stele_keywords_next (self->keywords, &search, &rule, &start, &keyword_size)) {
        if (self->bounded [rule] && !s_begins_word (data, start) && !s_after_head (data, start))
            continue;
        if (self->hit_count == STELE_HITS_MAX) {
            self->data = NULL;
            break;
        }
        self->hits [self->hit_count++] = (stele_hit_t) { data + start, keyword_size, (size_t) rule };
    }
    return self->hit_count > 0;
}

//  Is the text a part of the event whose keywords are known?
static bool
s_is_known (const stele_redactor_t *self, const char *text)
{
    return self->data && text >= self->data && text < self->data + self->size;
}

bool
stele_redactor_has_keyword (const stele_redactor_t *self, const char *text, size_t size)
{
    for (size_t i = 0; i < self->hit_count; i++)
        if (self->hits [i].text >= text && self->hits [i].text + self->hits [i].size <= text + size)
            return true;
    return !s_is_known (self, text);
}

static void
s_try_all (stele_redactor_t *self, const char *text, size_t size)
{
    self->search++;
    if (s_is_known (self, text)) {
        for (size_t i = 0; i < self->hit_count; i++)
            if (self->hits [i].text >= text && self->hits [i].text + self->hits [i].size <= text + size)
                s_try (self, self->hits [i].rule, text, size, (size_t) (self->hits [i].text - text), self->hits [i].size);
        return;
    }
    stele_keywords_search_t search = stele_keywords_search (text, size);
    int rule;
    size_t start, keyword_size;
    while (stele_keywords_next (self->keywords, &search, &rule, &start, &keyword_size))
        s_try (self, (size_t) rule, text, size, start, keyword_size);
}

size_t
stele_redactor_find (stele_redactor_t *self, const char *text, size_t size)
{
    self->match_count = 0;
    if (!stele_redactor_has_keyword (self, text, size))
        return 0;
    s_try_all (self, text, size);
    if (self->match_count < 2)
        return self->match_count;
    //  Secrets that overlap get one mask, that of the first
    qsort (self->matches, self->match_count, sizeof *self->matches, s_by_place);
    size_t kept = 0;
    for (size_t i = 1; i < self->match_count; i++)
        if (self->matches [i].from >= self->matches [kept].to)
            self->matches [++kept] = self->matches [i];
        else
        if (self->matches [i].to > self->matches [kept].to)
            self->matches [kept].to = self->matches [i].to;
    self->match_count = kept + 1;
    return self->match_count;
}

//  The rule that has the name of a key, a msgpack string; -1: none
static int
s_named (const stele_redactor_t *self, const char *key, size_t size)
{
    const char *head = key - 1;
    if (s_is_known (self, key)) {
        for (size_t i = 0; i < self->hit_count; i++)
            if (self->hits [i].text == head && self->hits [i].size == size + 1
            &&  stele_rules_at (self->rules, self->hits [i].rule)->name_count)
                return (int) self->hits [i].rule;
        return -1;
    }
    stele_keywords_search_t search = stele_keywords_search (head, size + 1);
    int rule;
    size_t start, keyword_size;
    while (stele_keywords_next (self->keywords, &search, &rule, &start, &keyword_size))
        if (keyword_size == size + 1 && stele_rules_at (self->rules, (size_t) rule)->name_count)
            return rule;
    return -1;
}

size_t
stele_redactor_find_named (stele_redactor_t *self, const char *key, size_t key_size, const char *text, size_t size)
{
    int rule = s_named (self, key, key_size);
    if (rule < 0)
        return self->match_count;
    size_t index = (size_t) rule, first = 0, last = size;
    s_renew (self, index);
    if (!s_may_try (self, index) || memmem (text, size, STELE_MASK_BEGIN, sizeof STELE_MASK_BEGIN - 1))
        return self->match_count;
    int rc = s_run (self, index, text, size, 0, 0, size < NAMED_WINDOW? size: NAMED_WINDOW);
    if (rc < 0 && rc != PCRE2_ERROR_PARTIAL)
        return self->match_count;
    const PCRE2_SIZE *place = pcre2_get_ovector_pointer (self->match);
    if (rc > 1 && place [2] != PCRE2_UNSET)
        first = place [2];
    if (rc > 0 && size <= NAMED_WINDOW)
        last = place [rc > 1 && place [2] != PCRE2_UNSET? 3: 1];
    //  The rule of another kind of secret says more
    if (self->match_count == 1 && self->matches [0].from == first && self->matches [0].to == last)
        return 1;
    self->matches = stele_array_must_grow (self->matches, &self->match_room, 1, sizeof *self->matches);
    self->matches [0] = (stele_match_t) { first, last, index };
    self->match_count = 1;
    return 1;
}

size_t
stele_redactor_mask (const stele_redactor_t *self, const stele_match_t *match, const char *text, char *mask, char *mark)
{
    *mark = 0;
    if (self->has_key && self->secrets < MARKS_MAX) {
        unsigned char digest [EVP_MAX_MD_SIZE];
        unsigned size = 0;
        const unsigned char *done = HMAC (EVP_sha256 (), self->key, sizeof self->key, (const unsigned char *) text + match->from,
            match->to - match->from, digest, &size);
        assert (done && size == 32);
        snprintf (mark, 9, "%02x%02x%02x%02x", digest [0], digest [1], digest [2], digest [3]);
    }
    int size = snprintf (mask, STELE_MASK_SIZE, STELE_MASK_BEGIN "%s%s%s" STELE_MASK_END,
        stele_redactor_rule (self, match->rule), *mark? ":": "", mark);
    assert (size > 0 && (size_t) size < STELE_MASK_SIZE);
    size_t room = match->to - match->from, frame = sizeof STELE_MASK_BEGIN - 1 + sizeof STELE_MASK_END - 1;
    if (!self->fits || (size_t) size <= room)
        return (size_t) size;
    if (room < frame) {
        memset (mask, '*', room);
        return room;
    }
    return (size_t) snprintf (mask, STELE_MASK_SIZE, STELE_MASK_BEGIN "%.*s" STELE_MASK_END, (int) (room - frame), mark);
}
