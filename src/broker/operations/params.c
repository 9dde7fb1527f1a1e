/*  params - the parameters of one request, typed and checked

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "broker/operations/params.h"
#include "wire/event/event_codec.h"
#include "wire/quote.h"

#define SHOWN_MAX 60

int
stele_params_check (stele_params_t *self, const void *data, size_t size, size_t elements_max)
{
    stele_params_start (self, data, size);
    const char *why = "";
    if (stele_scan_check (data, size, elements_max, &why))
        return stele_refuse (&self->refusal, STELE_EBAD_REQUEST, NULL,
            "the request is not one map of msgpack: %s", why);
    stele_scan_t scan = stele_scan_start (data, size);
    if (stele_scan_next (&scan).kind != STELE_SCAN_MAP)
        return stele_refuse (&self->refusal, STELE_EBAD_REQUEST, NULL,
            "the request is msgpack, but not a map: send {\"op\": ..., ...}");
    return 0;
}

void
stele_params_start (stele_params_t *self, const void *map, size_t size)
{
    *self = (stele_params_t) { .map = map, .size = size, .identity = &stele_identity_local, .timeout_ms = -1 };
}

//  -- what came, in words ---------------------------------------------------------

const char *
stele_params_show (stele_span_t text, char *buffer)
{
    return stele_quote_within (buffer, SHOWN_MAX, text.text, text.size);
}

static void
s_describe (const stele_token_t *token, char *buffer, size_t size)
{
    char shown [80];
    switch (token->kind) {
        case STELE_SCAN_BOOL:
            snprintf (buffer, size, "%s", token->integer? "true": "false");
            break;
        case STELE_SCAN_INTEGER:
            snprintf (buffer, size, "%" PRId64, token->integer);
            break;
        case STELE_SCAN_UNSIGNED:
            snprintf (buffer, size, "%" PRIu64, token->natural);
            break;
        case STELE_SCAN_REAL:
            snprintf (buffer, size, "the float %g", token->real);
            break;
        case STELE_SCAN_TEXT:
            stele_params_show ((stele_span_t) { token->data, token->size }, shown);
            snprintf (buffer, size, "'%s'", shown);
            break;
        case STELE_SCAN_BYTES:
            snprintf (buffer, size, "%" PRIu32 " bytes", token->size);
            break;
        case STELE_SCAN_EXT:
            snprintf (buffer, size, "an extension of type %d", token->ext_type);
            break;
        case STELE_SCAN_ARRAY:
            snprintf (buffer, size, "an array");
            break;
        case STELE_SCAN_MAP:
            snprintf (buffer, size, "a map");
            break;
        default:
            snprintf (buffer, size, "nothing");
            break;
    }
}

static const char *const s_takes [] = {
#define TAKES(constant, takes) [constant] = takes,
    STELE_PARAM_KINDS (TAKES)
};

static void
s_refuse_token (stele_params_t *self, const char *name, const char *takes,
    const stele_token_t *token)
{
    if (self->refusal.code)
        return;
    char came [96];
    s_describe (token, came, sizeof came);
    stele_refuse (&self->refusal, STELE_EBAD_REQUEST, name, "%s takes %s, not %s",
        name, takes, came);
}

int
stele_params_refuse (stele_params_t *self, const char *name, const char *takes)
{
    stele_token_t token = stele_scan_find (self->map, self->size, name, NULL, NULL);
    s_refuse_token (self, name, takes, &token);
    return self->refusal.code;
}

int
stele_params_fail (stele_params_t *self, int code, const char *name, const char *format, ...)
{
    if (self->refusal.code)
        return self->refusal.code;
    va_list args;
    va_start (args, format);
    char message [sizeof self->refusal.message];
    vsnprintf (message, sizeof message, format, args);
    va_end (args);
    return stele_refuse (&self->refusal, code, name, "%s", message);
}

//  -- values -------------------------------------------------------------------------

static bool
s_is_text (const stele_token_t *token, size_t size_max)
{
    return token->kind == STELE_SCAN_TEXT && token->size <= size_max
        && stele_utf8_valid (token->data, token->size);
}

//  One value, or an array of at most 'count_max' of them. Returns how many, to be read with
//  stele_scan_next from *scan; 0 after a refusal.
static size_t
s_values (stele_params_t *self, const char *name, const stele_token_t *token,
    const void *data, size_t size, size_t count_max, stele_scan_t *scan)
{
    *scan = stele_scan_start (data, size);
    if (token->kind != STELE_SCAN_ARRAY)
        return 1;
    stele_scan_next (scan);
    if (token->count <= count_max)
        return token->count;
    stele_params_fail (self, STELE_EBAD_REQUEST, name, "%s takes at most %zu values, not %" PRIu32,
        name, count_max, token->count);
    return 0;
}

static void
s_match_values (stele_params_t *self, const stele_param_t *param, const stele_token_t *token,
    const void *data, size_t size)
{
    bool numbers = param->kind == STELE_PARAM_NUMBERS;
    stele_scan_t scan;
    size_t count = s_values (self, param->name, token, data, size,
        numbers? STELE_PARAMS_NUMBERS: STELE_PARAMS_VALUES, &scan);
    while (count--) {
        stele_token_t value = stele_scan_next (&scan);
        if (value.kind == (numbers? STELE_SCAN_INTEGER: STELE_SCAN_TEXT))
            continue;
        s_refuse_token (self, param->name, s_takes [param->kind], &value);
        return;                     // The scan may be inside of that value now
    }
}

static bool
s_is_id (const stele_token_t *token)
{
    return s_is_text (token, STELE_LIMIT_ID) && token->size > 0;
}

static void
s_match_ids (stele_params_t *self, const stele_param_t *param, const stele_token_t *token,
    const void *data, size_t size)
{
    stele_scan_t scan = stele_scan_start (data, size);
    stele_token_t value = *token;
    bool fits = token->kind == STELE_SCAN_ARRAY;
    if (fits && (token->count < 1 || token->count > STELE_PARAMS_IDS))
        stele_params_fail (self, STELE_EBAD_REQUEST, param->name, "%s takes 1 to %d values, not %" PRIu32,
            param->name, STELE_PARAMS_IDS, token->count);
    stele_scan_next (&scan);
    for (uint32_t i = 0; fits && i < token->count; i++) {
        value = stele_scan_next (&scan);
        fits = s_is_id (&value);    // If not, the scan may be inside of it now
    }
    if (!fits)
        s_refuse_token (self, param->name, s_takes [STELE_PARAM_IDS], &value);
}

static void
s_match_value (stele_params_t *self, const stele_param_t *param, const stele_token_t *token,
    const void *data, size_t size)
{
    bool fits = false;
    int64_t time_us;
    switch (param->kind) {
        case STELE_PARAM_ID:
            fits = s_is_id (token);
            break;
        case STELE_PARAM_IDS:
            s_match_ids (self, param, token, data, size);
            return;
        case STELE_PARAM_NAME:
            fits = token->kind == STELE_SCAN_TEXT && token->size > 0;
            break;
        case STELE_PARAM_TEXT:
            fits = s_is_text (token, STELE_LIMIT_PATH);
            break;
        case STELE_PARAM_NUMBER:
            fits = token->kind == STELE_SCAN_INTEGER;
            break;
        case STELE_PARAM_BOOL:
            fits = token->kind == STELE_SCAN_BOOL;
            break;
        case STELE_PARAM_TIME:
            fits = stele_time_unpack (data, size, &time_us) == 0;
            break;
        case STELE_PARAM_ARRAY:
            fits = token->kind == STELE_SCAN_ARRAY;
            break;
        default:
            s_match_values (self, param, token, data, size);
            return;
    }
    if (!fits)
        s_refuse_token (self, param->name, s_takes [param->kind], token);
}

//  -- all parameters of an operation ----------------------------------------------------

static bool
s_is_named (const stele_token_t *key, const char *name)
{
    return key->size == strlen (name) && memcmp (key->data, name, key->size) == 0;
}

static void
s_match_natural (stele_params_t *self, const char *name, const stele_token_t *token, int64_t *value)
{
    if (token->kind == STELE_SCAN_INTEGER && token->integer >= 0)
        *value = token->integer;
    else
    if (token->kind != STELE_SCAN_NIL)
        s_refuse_token (self, name, "an integer of at least 0", token);
}

//  Every request may have these. Returns whether the key is one of them.
static bool
s_match_common (stele_params_t *self, const stele_token_t *key, const stele_token_t *token)
{
    if (s_is_named (key, "op"))
        return true;
    if (s_is_named (key, "min_position")) {
        s_match_natural (self, "min_position", token, &self->min_position);
        return true;
    }
    if (s_is_named (key, "timeout_ms")) {
        s_match_natural (self, "timeout_ms", token, &self->timeout_ms);
        return true;
    }
    if (s_is_named (key, "request_id")) {
        if (token->kind != STELE_SCAN_NIL && !s_is_text (token, STELE_LIMIT_ID))
            s_refuse_token (self, "request_id", "text of at most 255 bytes of UTF-8", token);
        return true;
    }
    if (s_is_named (key, "actor")) {
        self->has_actor = token->kind != STELE_SCAN_NIL;
        return true;
    }
    return false;
}

static void
s_ignore (stele_ignored_t *ignored, const stele_token_t *key)
{
    if (ignored->count < sizeof ignored->names / sizeof ignored->names [0])
        stele_params_show ((stele_span_t) { key->data, key->size }, ignored->names [ignored->count++]);
}

int
stele_params_match (stele_params_t *self, const stele_param_t *list, stele_ignored_t *ignored)
{
    bool seen [STELE_PARAMS_MAX + 1] = { false };
    stele_scan_t scan = stele_scan_start (self->map, self->size);
    uint32_t count = stele_scan_next (&scan).count;
    while (count--) {
        const void *data;
        size_t size;
        stele_scan_skip (&scan, &data, &size);
        stele_scan_t inside = stele_scan_start (data, size);
        stele_token_t key = stele_scan_next (&inside);
        stele_scan_skip (&scan, &data, &size);
        if (key.kind != STELE_SCAN_TEXT)
            continue;
        inside = stele_scan_start (data, size);
        stele_token_t token = stele_scan_next (&inside);
        size_t i = 0;
        while (list [i].name && !s_is_named (&key, list [i].name))
            i++;
        if (!list [i].name) {
            if (!s_match_common (self, &key, &token))
                s_ignore (ignored, &key);
        }
        else
        if (token.kind != STELE_SCAN_NIL) {
            seen [i] = true;
            s_match_value (self, &list [i], &token, data, size);
        }
    }
    for (size_t i = 0; list [i].name; i++)
        if (list [i].required && !seen [i])
            stele_params_fail (self, STELE_EBAD_REQUEST, list [i].name, "%s is missing: it takes %s",
                list [i].name, s_takes [list [i].kind]);
    return self->refusal.code;
}

//  -- getters ------------------------------------------------------------------------

//  Kind END: the parameter is absent, or nil

static stele_token_t
s_find (const stele_params_t *self, const char *name, const void **data, size_t *size)
{
    stele_token_t token = stele_scan_find (self->map, self->size, name, data, size);
    if (token.kind == STELE_SCAN_NIL)
        token.kind = STELE_SCAN_END;
    return token;
}

bool
stele_params_has (const stele_params_t *self, const char *name)
{
    return s_find (self, name, NULL, NULL).kind != STELE_SCAN_END;
}

stele_span_t
stele_params_id (stele_params_t *self, const char *name)
{
    stele_token_t token = s_find (self, name, NULL, NULL);
    if (s_is_text (&token, STELE_LIMIT_ID) && token.size > 0)
        return (stele_span_t) { token.data, token.size };
    if (token.kind == STELE_SCAN_END)
        stele_params_fail (self, STELE_EBAD_REQUEST, name, "%s is missing: it takes %s",
            name, s_takes [STELE_PARAM_ID]);
    else
        s_refuse_token (self, name, s_takes [STELE_PARAM_ID], &token);
    return (stele_span_t) { "", 0 };
}

size_t
stele_params_ids (stele_params_t *self, const char *name, stele_span_t ids [STELE_PARAMS_IDS])
{
    const void *data;
    size_t size, count = s_find (self, name, &data, &size).count;
    stele_scan_t scan = stele_scan_start (data, size);
    stele_scan_next (&scan);
    for (size_t i = 0; i < count; i++) {
        stele_token_t token = stele_scan_next (&scan);
        ids [i] = (stele_span_t) { token.data, token.size };
    }
    return count;
}

stele_span_t
stele_params_text (stele_params_t *self, const char *name)
{
    stele_token_t token = s_find (self, name, NULL, NULL);
    if (s_is_text (&token, STELE_LIMIT_PATH))
        return (stele_span_t) { token.data, token.size };
    if (token.kind != STELE_SCAN_END)
        s_refuse_token (self, name, s_takes [STELE_PARAM_TEXT], &token);
    return (stele_span_t) { NULL, 0 };
}

size_t
stele_params_choice (stele_params_t *self, const char *name, const char *const words [],
    size_t count, size_t otherwise, const char *takes)
{
    stele_token_t token = s_find (self, name, NULL, NULL);
    if (token.kind == STELE_SCAN_END)
        return otherwise;
    for (size_t i = 0; token.kind == STELE_SCAN_TEXT && i < count; i++)
        if (s_is_named (&token, words [i]))
            return i;
    s_refuse_token (self, name, takes, &token);
    return otherwise;
}

int64_t
stele_params_number (stele_params_t *self, const char *name,
    int64_t otherwise, int64_t min, int64_t max)
{
    stele_token_t token = s_find (self, name, NULL, NULL);
    if (token.kind == STELE_SCAN_END)
        return otherwise;
    if (token.kind == STELE_SCAN_INTEGER && token.integer >= min && token.integer <= max)
        return token.integer;
    char takes [96];
    if (max == INT64_MAX)
        snprintf (takes, sizeof takes, "an integer of at least %" PRId64, min);
    else
        snprintf (takes, sizeof takes, "an integer from %" PRId64 " to %" PRId64, min, max);
    s_refuse_token (self, name, takes, &token);
    return otherwise;
}

size_t
stele_params_numbers (stele_params_t *self, const char *name, stele_scan_t *scan)
{
    const void *data;
    size_t size;
    stele_token_t token = s_find (self, name, &data, &size);
    return token.kind == STELE_SCAN_END? 0:
        s_values (self, name, &token, data, size, STELE_PARAMS_NUMBERS, scan);
}

bool
stele_params_bool (stele_params_t *self, const char *name, bool otherwise)
{
    stele_token_t token = s_find (self, name, NULL, NULL);
    if (token.kind == STELE_SCAN_BOOL)
        return token.integer != 0;
    if (token.kind != STELE_SCAN_END)
        s_refuse_token (self, name, s_takes [STELE_PARAM_BOOL], &token);
    return otherwise;
}

int64_t
stele_params_time (stele_params_t *self, const char *name)
{
    const void *data;
    size_t size;
    stele_token_t token = s_find (self, name, &data, &size);
    if (token.kind == STELE_SCAN_END)
        return 0;
    int64_t time_us = 0;
    if (stele_time_unpack (data, size, &time_us) == 0)
        return time_us;
    s_refuse_token (self, name, s_takes [STELE_PARAM_TIME], &token);
    return 0;
}

//  -- one value or an array of them -----------------------------------------------------

typedef bool (s_value_fn) (stele_params_t *self, const char *name,
    const stele_token_t *token, void *arg);

static void
s_each (stele_params_t *self, const char *name, const char *takes, s_value_fn *fn, void *arg)
{
    const void *data;
    size_t size;
    stele_token_t token = s_find (self, name, &data, &size);
    if (token.kind == STELE_SCAN_END)
        return;
    stele_scan_t scan;
    size_t count = s_values (self, name, &token, data, size, STELE_PARAMS_VALUES, &scan);
    while (count--) {
        token = stele_scan_next (&scan);
        if (token.kind != STELE_SCAN_TEXT) {
            s_refuse_token (self, name, takes, &token);
            return;
        }
        if (!fn (self, name, &token, arg))
            return;
    }
}

typedef struct {
    stele_vocabulary_t vocabulary;
    uint32_t bits;
} s_words_t;

static bool
s_add_word (stele_params_t *self, const char *name, const stele_token_t *token, void *arg)
{
    s_words_t *words = arg;
    int code = stele_vocabulary_code (words->vocabulary, token->data, token->size);
    if (code) {
        words->bits |= (uint32_t) 1 << code;
        return true;
    }
    char shown [80];
    stele_params_show ((stele_span_t) { token->data, token->size }, shown);
    stele_params_fail (self, STELE_EBAD_REQUEST, name, "%s takes %s, not '%s'",
        name, stele_vocabulary_list (words->vocabulary), shown);
    return false;
}

uint32_t
stele_params_words (stele_params_t *self, const char *name, stele_vocabulary_t vocabulary)
{
    s_words_t words = { vocabulary, 0 };
    s_each (self, name, "a word or an array of words", s_add_word, &words);
    return words.bits;
}

typedef struct {
    stele_span_t *texts;
    size_t count;
} s_texts_t;

static bool
s_add_text (stele_params_t *self, const char *name, const stele_token_t *token, void *arg)
{
    s_texts_t *texts = arg;
    if (!s_is_text (token, STELE_LIMIT_PATH)) {
        s_refuse_token (self, name, "texts of at most 64 KiB of UTF-8", token);
        return false;
    }
    texts->texts [texts->count++] = (stele_span_t) { token->data, token->size };
    return true;
}

size_t
stele_params_texts (stele_params_t *self, const char *name, stele_span_t *texts)
{
    s_texts_t added = { texts, 0 };
    s_each (self, name, s_takes [STELE_PARAM_TEXTS], s_add_text, &added);
    return added.count;
}
