/*  decisions - write and read the operations of a batch

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "wire/event/decisions.h"
#include "wire/event/event_codec.h"

//  Values of an operation: i an integer, t text, b bytes, m a map
static const struct { stele_decided_t kind; const char *values; } s_table [] = {
    { STELE_DECIDED_EVENT, "im" },
    { STELE_DECIDED_SENT, "iim" },
    { STELE_DECIDED_REFUSAL, "iiitttib" },
    { STELE_DECIDED_RETRY, "iii" },
    { STELE_DECIDED_PRODUCER, "ittiiiii" },
    { STELE_DECIDED_SEQUENCE, "ii" },
    { STELE_DECIDED_FENCE, "iti" },
    { STELE_DECIDED_CURSOR, "tii" },
    { STELE_DECIDED_NOTE, "tb" }
};

static const char *
s_values (int64_t kind)
{
    for (size_t i = 0; i < sizeof s_table / sizeof *s_table; i++)
        if ((int64_t) s_table [i].kind == kind)
            return s_table [i].values;
    return NULL;
}

struct stele_decisions {
    stele_pack_t *pack;
    size_t mark, count;
    bool closed;
};

void
stele_decisions_clear (stele_decisions_t *self)
{
    stele_pack_clear (self->pack);
    self->mark = stele_pack_open_array (self->pack);
    self->count = 0;
    self->closed = false;
}

stele_decisions_t *
stele_decisions_new (void)
{
    stele_decisions_t *self = calloc (1, sizeof *self);
    if (self)
        self->pack = stele_pack_new ();
    if (self && self->pack)
        stele_decisions_clear (self);
    else {
        free (self);
        self = NULL;
    }
    return self;
}

void
stele_decisions_destroy (stele_decisions_t **self_p)
{
    assert (self_p);
    if (!*self_p)
        return;
    stele_pack_destroy (&(*self_p)->pack);
    free (*self_p);
    *self_p = NULL;
}

size_t
stele_decisions_count (const stele_decisions_t *self)
{
    return self->count;
}

const void *
stele_decisions_data (stele_decisions_t *self, size_t *size)
{
    if (!self->closed)
        stele_pack_close (self->pack, self->mark, self->count);
    self->closed = true;
    if (stele_pack_failed (self->pack))
        return NULL;
    *size = stele_pack_size (self->pack);
    return stele_pack_data (self->pack);
}

static void
s_begin (stele_decisions_t *self, stele_decided_t kind, const char *values)
{
    assert (values && !self->closed);
    stele_pack_array (self->pack, 1 + strlen (values));
    stele_pack_integer (self->pack, kind);
    self->count++;
}

void
stele_decisions_add (stele_decisions_t *self, stele_decided_t kind, ...)
{
    const char *values = s_values (kind);
    s_begin (self, kind, values);
    va_list arguments;
    va_start (arguments, kind);
    for (; *values; values++)
        if (*values == 'i')
            stele_pack_integer (self->pack, va_arg (arguments, int64_t));
        else
        if (*values == 't')
            stele_pack_string (self->pack, va_arg (arguments, const char *));
        else {
            const void *bytes = va_arg (arguments, const void *);
            stele_pack_bytes (self->pack, bytes, va_arg (arguments, size_t));
        }
    va_end (arguments);
}

void
stele_decisions_add_event (stele_decisions_t *self, int64_t owner, const stele_record_t *event)
{
    stele_decided_t kind = event->source? STELE_DECIDED_SENT: STELE_DECIDED_EVENT;
    s_begin (self, kind, s_values (kind));
    stele_pack_integer (self->pack, owner);
    if (!event->source) {
        stele_record_pack (event, self->pack);
        return;
    }
    stele_pack_integer (self->pack, event->time_assumed? event->values [STELE_TIME].integer: 0);
    stele_pack_packed (self->pack, event->source, event->source_size);
}

//  -- read --------------------------------------------------------------------------------

int
stele_decisions_open (const void *data, size_t size, stele_scan_t *scan, size_t *count)
{
    const char *why;
    if (stele_scan_check (data, size, size, &why))
        return STELE_EMALFORMED;
    *scan = stele_scan_start (data, size);
    stele_token_t token = stele_scan_next (scan);
    *count = token.count;
    return token.kind == STELE_SCAN_ARRAY? 0: STELE_EMALFORMED;
}

static bool
s_is (char value, stele_scan_kind_t kind)
{
    return kind == (value == 'i'? STELE_SCAN_INTEGER: value == 't'? STELE_SCAN_TEXT: value == 'b'? STELE_SCAN_BYTES:
        STELE_SCAN_MAP);
}

int
stele_decisions_next (stele_scan_t *scan, stele_decision_t *decision)
{
    const void *data;
    size_t size;
    stele_scan_skip (scan, &data, &size);
    stele_scan_t own = stele_scan_start (data, size);
    stele_token_t head = stele_scan_next (&own), kind = stele_scan_next (&own);
    const char *values = kind.kind == STELE_SCAN_INTEGER? s_values (kind.integer): NULL;
    decision->kind = kind.kind == STELE_SCAN_INTEGER? (stele_decided_t) kind.integer: 0;
    if (head.kind != STELE_SCAN_ARRAY || !values || head.count != 1 + strlen (values))
        return STELE_EPROTOCOL;
    for (int i = 0; values [i]; i++) {
        stele_scan_skip (&own, &data, &size);
        stele_scan_t value = stele_scan_start (data, size);
        decision->values [i] = stele_scan_next (&value);
        if (!s_is (values [i], decision->values [i].kind))
            return STELE_EPROTOCOL;
        if (values [i] == 'm') {
            decision->event = data;
            decision->event_size = size;
        }
    }
    return 0;
}

int
stele_decision_text (const stele_decision_t *self, int value, char *text, size_t size)
{
    const stele_token_t *token = &self->values [value];
    if (token->size >= size || memchr (token->data, 0, token->size))
        return STELE_EMALFORMED;
    memcpy (text, token->data, token->size);
    text [token->size] = 0;
    return 0;
}
