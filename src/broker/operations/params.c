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
#include "wire/event_codec.h"

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
    memset (self, 0, sizeof *self);
    self->map = map;
    self->size = size;
}

//  -- what came, in words ---------------------------------------------------------

const char *
stele_params_show (stele_span_t text, char *buffer)
{
    bool valid = stele_utf8_valid (text.text, text.size);
    size_t size = text.size;
    if (size > SHOWN_MAX) {
        size = SHOWN_MAX;
        while (valid && size && (text.text [size] & 0xc0) == 0x80)
            size--;
    }
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char) text.text [i];
        bool clean = byte >= 0x20 && byte != 0x7f && (valid || byte < 0x80);
        buffer [i] = clean? (char) byte: '?';
    }
    strcpy (buffer + size, size < text.size? "...": "");
    return buffer;
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

//  -- getters ------------------------------------------------------------------------

//  Kind END: the parameter is absent, or nil

static stele_token_t
s_find (stele_params_t *self, const char *name, const void **data, size_t *size)
{
    if (self->asked_count < STELE_PARAMS_ASKED)
        self->asked [self->asked_count++] = name;
    stele_token_t token = stele_scan_find (self->map, self->size, name, data, size);
    if (token.kind == STELE_SCAN_NIL)
        token.kind = STELE_SCAN_END;
    return token;
}

bool
stele_params_has (stele_params_t *self, const char *name)
{
    return s_find (self, name, NULL, NULL).kind != STELE_SCAN_END;
}

static bool
s_was_asked (const stele_params_t *self, const stele_token_t *key)
{
    //  Every request may carry these: who takes it in reads them
    static const char *const common [] = { "op", "min_position", "timeout_ms" };
    for (size_t i = 0; i < sizeof common / sizeof common [0]; i++)
        if (key->size == strlen (common [i]) && memcmp (key->data, common [i], key->size) == 0)
            return true;
    for (size_t i = 0; i < self->asked_count; i++)
        if (key->size == strlen (self->asked [i]) && memcmp (key->data, self->asked [i], key->size) == 0)
            return true;
    return self->asked_count == STELE_PARAMS_ASKED;
}

stele_scan_t
stele_params_scan (const stele_params_t *self)
{
    stele_scan_t scan = stele_scan_start (self->map, self->size);
    stele_scan_next (&scan);
    return scan;
}

const char *
stele_params_ignored (const stele_params_t *self, stele_scan_t *scan, char *buffer)
{
    for (;;) {
        const void *data;
        size_t size;
        stele_scan_skip (scan, &data, &size);
        if (size == 0)
            return NULL;
        stele_scan_skip (scan, NULL, NULL);
        stele_scan_t key_scan = stele_scan_start (data, size);
        stele_token_t key = stele_scan_next (&key_scan);
        if (key.kind == STELE_SCAN_TEXT && !s_was_asked (self, &key))
            return stele_params_show ((stele_span_t) { key.data, key.size }, buffer);
    }
}

static bool
s_is_text (const stele_token_t *token, size_t size_max)
{
    return token->kind == STELE_SCAN_TEXT && token->size <= size_max
        && stele_utf8_valid (token->data, token->size);
}

stele_span_t
stele_params_id (stele_params_t *self, const char *name)
{
    stele_token_t token = s_find (self, name, NULL, NULL);
    if (s_is_text (&token, STELE_LIMIT_ID) && token.size > 0)
        return (stele_span_t) { token.data, token.size };
    if (token.kind == STELE_SCAN_END)
        stele_params_fail (self, STELE_EBAD_REQUEST, name,
            "%s is missing: it takes text of 1 to %d bytes", name, STELE_LIMIT_ID);
    else
        s_refuse_token (self, name, "text of 1 to 255 bytes of UTF-8", &token);
    return (stele_span_t) { "", 0 };
}

stele_span_t
stele_params_text (stele_params_t *self, const char *name)
{
    stele_token_t token = s_find (self, name, NULL, NULL);
    if (s_is_text (&token, STELE_LIMIT_PATH))
        return (stele_span_t) { token.data, token.size };
    if (token.kind != STELE_SCAN_END)
        s_refuse_token (self, name, "text of at most 64 KiB of UTF-8", &token);
    return (stele_span_t) { NULL, 0 };
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
        snprintf (takes, sizeof takes, "an integer from %" PRId64, min);
    else
        snprintf (takes, sizeof takes, "an integer from %" PRId64 " to %" PRId64, min, max);
    s_refuse_token (self, name, takes, &token);
    return otherwise;
}

bool
stele_params_bool (stele_params_t *self, const char *name, bool otherwise)
{
    stele_token_t token = s_find (self, name, NULL, NULL);
    if (token.kind == STELE_SCAN_BOOL)
        return token.integer != 0;
    if (token.kind != STELE_SCAN_END)
        s_refuse_token (self, name, "true or false", &token);
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
    s_refuse_token (self, name,
        "a time (RFC 3339 text such as 2026-01-31T23:59:59Z, microseconds since 1970, or a timestamp)", &token);
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
    if (token.kind != STELE_SCAN_ARRAY) {
        if (token.kind != STELE_SCAN_TEXT)
            s_refuse_token (self, name, takes, &token);
        else
            fn (self, name, &token, arg);
        return;
    }
    if (token.count > STELE_PARAMS_VALUES) {
        stele_params_fail (self, STELE_EBAD_REQUEST, name,
            "%s takes at most %d values, not %" PRIu32, name, STELE_PARAMS_VALUES, token.count);
        return;
    }
    stele_scan_t scan = stele_scan_start (data, size);
    uint32_t count = stele_scan_next (&scan).count;
    for (uint32_t i = 0; i < count; i++) {
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
    stele_params_fail (self, STELE_EBAD_REQUEST, name, "%s knows no '%s', only %s",
        name, shown, stele_vocabulary_list (words->vocabulary));
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
    s_each (self, name, "a text or an array of texts", s_add_text, &added);
    return added.count;
}
