/*  redact_event - the texts of an event, and the event with masks in place of secrets

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "base/memory.h"
#include "model/field.h"
#include "redact/redactor_internal.h"
#include "wire/scan.h"

#define DEPTH_MAX 32                // Deeper ones are searched without their keys; the broker refuses them
#define PAIR_MAX 65536              // Bytes of a value that is searched together with its key

//  The event that is written: bytes before 'copied' are in the output already
typedef struct {
    stele_redactor_t *redactor;
    const char *copied;
    char field [64];
    bool in_id;
    bool discards;                  // Findings are noted, nothing is written
} s_event_t;

static void
s_note (s_event_t *self, const stele_match_t *match, const char *mark)
{
    stele_redactor_t *redactor = self->redactor;
    redactor->secrets++;
    size_t i = 0;
    while (i < redactor->finding_count && !(redactor->findings [i].rule_index == match->rule
        && strcmp (redactor->findings [i].field, self->field) == 0))
        i++;
    bool is_full = i == STELE_FINDINGS_MAX;
    stele_finding_t *finding = &redactor->findings [is_full? i - 1: i];
    //  An id must not get lost among them
    if (is_full && self->in_id && !finding->in_id) {
        finding->in_id = true;
        memcpy (finding->field, self->field, sizeof finding->field);
    }
    if (i == redactor->finding_count && !is_full) {
        redactor->finding_count++;
        *finding = (stele_finding_t) {
            .rule = stele_redactor_rule (redactor, match->rule), .rule_index = match->rule, .in_id = self->in_id
        };
        memcpy (finding->field, self->field, sizeof finding->field);
        memcpy (finding->mark, mark, sizeof finding->mark);
    }
    finding->count++;
}

//  A text with masks for its matches, in 'scratch'. The caller notes the size.
static size_t
s_masked (s_event_t *self, const char *text, size_t size)
{
    stele_redactor_t *redactor = self->redactor;
    redactor->scratch = stele_array_must_grow (redactor->scratch, &redactor->scratch_room,
        size + redactor->match_count * STELE_MASK_SIZE + 1, 1);
    char *out = redactor->scratch;
    size_t done = 0;
    for (size_t i = 0; i < redactor->match_count; i++) {
        const stele_match_t *match = &redactor->matches [i];
        char mark [9];
        memcpy (out, text + done, match->from - done);
        out += match->from - done;
        out += stele_redactor_mask (redactor, match, text, out, mark);
        s_note (self, match, mark);
        done = match->to;
    }
    memcpy (out, text + done, size - done);
    return (size_t) (out - redactor->scratch) + size - done;
}

//  Copy what precedes the token, then the token with its masks, if it has a secret
static void
s_replace (s_event_t *self, const stele_token_t *token, const char *head, const char *end)
{
    stele_pack_t *out = self->redactor->out;
    size_t size = s_masked (self, token->data, token->size);
    if (self->discards)
        return;
    stele_pack_packed (out, self->copied, (size_t) (head - self->copied));
    if (token->kind == STELE_SCAN_TEXT)
        stele_pack_text (out, self->redactor->scratch, size);
    else
    if (token->kind == STELE_SCAN_BYTES)
        stele_pack_bytes (out, self->redactor->scratch, size);
    else
        stele_pack_ext (out, token->ext_type, self->redactor->scratch, size);
    self->copied = end;
}

static bool
s_has_bytes (const stele_token_t *token)
{
    return token->kind == STELE_SCAN_TEXT || token->kind == STELE_SCAN_BYTES || token->kind == STELE_SCAN_EXT;
}

//  {"aws_secret_access_key": "..."} is read as aws_secret_access_key=...
static void
s_find_pair (stele_redactor_t *self, const stele_token_t *key, const stele_token_t *value)
{
    size_t shift = key->size + 1;
    char *text = stele_memory_new (shift + value->size + 1);
    memcpy (text, key->data, key->size);
    text [key->size] = '=';
    memcpy (text + shift, value->data, value->size);
    stele_redactor_find (self, text, shift + value->size);
    free (text);
    size_t kept = 0;
    for (size_t i = 0; i < self->match_count; i++) {
        stele_match_t match = self->matches [i];
        if (match.to <= shift)
            continue;
        match.from = match.from > shift? match.from - shift: 0;
        match.to -= shift;
        self->matches [kept++] = match;
    }
    self->match_count = kept;
}

static void
s_scalar (s_event_t *self, const stele_token_t *token, const stele_token_t *key, const char *head, const char *end)
{
    if (!s_has_bytes (token))
        return;
    bool pair = key && key->kind == STELE_SCAN_TEXT && token->size <= PAIR_MAX
        && stele_redactor_has_keyword (self->redactor, key->data, key->size);
    if (pair)
        s_find_pair (self->redactor, key, token);
    else
        stele_redactor_find (self->redactor, token->data, token->size);
    if (key && key->kind == STELE_SCAN_TEXT && token->size > 0)
        stele_redactor_find_named (self->redactor, key->data, key->size, token->data, token->size);
    if (self->redactor->match_count)
        s_replace (self, token, head, end);
}

static void s_value (s_event_t *self, stele_scan_t *scan, const stele_token_t *key, int depth);

//  Whatever it contains, however deep, token by token
static void
s_flat (s_event_t *self, stele_scan_t *scan)
{
    const void *data;
    size_t size;
    stele_scan_skip (scan, &data, &size);
    stele_scan_t inner = stele_scan_start (data, size);
    while (inner.next < inner.end) {
        const char *head = (const char *) inner.next;
        stele_token_t token = stele_scan_next (&inner);
        s_scalar (self, &token, NULL, head, (const char *) inner.next);
    }
}

static void
s_value (s_event_t *self, stele_scan_t *scan, const stele_token_t *key, int depth)
{
    if (depth > DEPTH_MAX) {
        s_flat (self, scan);
        return;
    }
    const char *head = (const char *) scan->next;
    stele_token_t token = stele_scan_next (scan);
    s_scalar (self, &token, key, head, (const char *) scan->next);
    if (token.kind == STELE_SCAN_ARRAY)
        for (uint32_t i = 0; i < token.count; i++)
            s_value (self, scan, NULL, depth + 1);
    else
    if (token.kind == STELE_SCAN_MAP)
        for (uint32_t i = 0; i < token.count; i++) {
            stele_scan_t probe = *scan;
            stele_token_t inner = stele_scan_next (&probe);
            s_value (self, scan, NULL, depth + 1);
            s_value (self, scan, &inner, depth + 1);
        }
}

//  The name of the field that follows: its key, masked if it has a secret itself
static void
s_enter_field (s_event_t *self, const stele_token_t *key)
{
    memset (self->field, 0, sizeof self->field);
    self->in_id = false;
    if (key->kind != STELE_SCAN_TEXT)
        return;
    stele_field_t field = stele_field_find (key->data, key->size);
    self->in_id = field != STELE_FIELD_NONE && stele_field_kind (field) == STELE_KIND_ID;
    if (stele_redactor_find (self->redactor, key->data, key->size)) {
        memcpy (self->field, "(key)", 5);
        return;
    }
    size_t size = key->size < sizeof self->field? key->size: sizeof self->field - 1;
    while (size < key->size && size > 0 && ((unsigned char) key->data [size] & 0xc0) == 0x80)
        size--;
    memcpy (self->field, key->data, size);
}

//  Key and value of the list of findings; 'before' is the list that the event has already
static void
s_pack_redacted (stele_redactor_t *self, stele_pack_t *pack, stele_scan_t scan)
{
    stele_token_t array = stele_scan_next (&scan);
    size_t old = array.kind == STELE_SCAN_ARRAY? array.count: 0;
    stele_pack_string (pack, "redacted");
    stele_pack_array (pack, old + self->finding_count);
    if (old)
        stele_pack_packed (pack, scan.next, (size_t) (scan.end - scan.next));
    for (size_t i = 0; i < self->finding_count; i++) {
        const stele_finding_t *finding = &self->findings [i];
        stele_pack_map (pack, 3);
        stele_pack_string (pack, "field");
        stele_pack_string (pack, finding->field);
        stele_pack_string (pack, "rule");
        stele_pack_string (pack, finding->rule);
        stele_pack_string (pack, "n");
        stele_pack_integer (pack, finding->count);
    }
}

//  A list of findings that the event has already; empty if it has a secret itself
static stele_scan_t
s_take_redacted (s_event_t *self, stele_scan_t *scan)
{
    const char *data = (const char *) scan->next;
    size_t secrets = self->redactor->secrets;
    strcpy (self->field, "redacted");
    self->in_id = false;
    self->discards = true;
    s_value (self, scan, NULL, 1);
    self->discards = false;
    return self->redactor->secrets > secrets? stele_scan_start (NULL, 0):
        stele_scan_start (data, (size_t) ((const char *) scan->next - data));
}

//  An event is a map. Its 'redacted' is written at the end.
static void
s_map (s_event_t *self, stele_scan_t *scan, uint32_t count)
{
    stele_pack_t *out = self->redactor->out;
    size_t mark = stele_pack_open_map (out);
    size_t entries = 0;
    stele_scan_t redacted = stele_scan_start (NULL, 0);
    self->copied = (const char *) scan->next;
    for (uint32_t i = 0; i < count; i++) {
        const char *head = (const char *) scan->next;
        stele_scan_t probe = *scan;
        stele_token_t key = stele_scan_next (&probe);
        if (key.kind == STELE_SCAN_TEXT && key.size == 8 && memcmp (key.data, "redacted", 8) == 0) {
            stele_pack_packed (out, self->copied, (size_t) (head - self->copied));
            redacted = s_take_redacted (self, &probe);
            *scan = probe;
            self->copied = (const char *) scan->next;
            continue;
        }
        entries++;
        stele_scan_t next = *scan;
        const void *data;
        size_t size;
        stele_scan_skip (&next, &data, &size);
        stele_scan_skip (&next, &data, &size);
        if (!stele_redactor_has_keyword (self->redactor, head, (size_t) ((const char *) next.next - head))) {
            *scan = next;
            continue;
        }
        s_enter_field (self, &key);
        s_value (self, scan, NULL, 1);
        s_value (self, scan, &key, 1);
    }
    stele_pack_packed (out, self->copied, (size_t) ((const char *) scan->next - self->copied));
    s_pack_redacted (self->redactor, out, redacted);
    stele_pack_close (out, mark, entries + 1);
}

size_t
stele_redactor_event (stele_redactor_t *self, const void *data, size_t size)
{
    if (!stele_redactor_suspects (self, data, size))
        return 0;
    stele_redactor_begin (self, size);
    s_event_t event = { .redactor = self, .copied = data };
    stele_scan_t scan = stele_scan_start (data, size);
    stele_scan_t probe = scan;
    stele_token_t head = stele_scan_next (&probe);
    if (head.kind == STELE_SCAN_MAP)
        s_map (&event, &probe, head.count);
    else {
        s_value (&event, &scan, NULL, 0);
        stele_pack_packed (self->out, event.copied, (size_t) ((const char *) data + size - event.copied));
    }
    return self->secrets;
}

size_t
stele_redactor_bytes (stele_redactor_t *self, const void *data, size_t size)
{
    if (!stele_redactor_suspects (self, data, size))
        return 0;
    stele_redactor_begin (self, size);
    self->raw = true;
    size_t found = stele_redactor_find (self, data, size);
    self->raw = false;
    if (found == 0)
        return 0;
    s_event_t event = { .redactor = self };
    size_t masked = s_masked (&event, data, size);
    stele_pack_packed (self->out, self->scratch, masked);
    return self->secrets;
}

const void *
stele_redactor_masked (const stele_redactor_t *self, size_t *size)
{
    *size = stele_pack_size (self->out);
    return stele_pack_data (self->out);
}

const stele_finding_t *
stele_redactor_findings (const stele_redactor_t *self, size_t *count)
{
    *count = self->finding_count;
    return self->findings;
}
