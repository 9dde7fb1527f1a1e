/*  message - decode a message of a producer (protocol section 2)

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdio.h>
#include <string.h>
#include "stele_library.h"
#include "wire/event/message.h"

//  The entries of a message, as spans of the frame
typedef struct {
    stele_token_t op, protocol, producer, instance, lease_ms, acked, sequence, events, restore, keep,
        anonymous;
    stele_scan_t events_scan;
} s_entries_t;

static bool
s_key_is (const stele_token_t *key, const char *name)
{
    return key->kind == STELE_SCAN_TEXT && key->size == strlen (name)
        && memcmp (key->data, name, key->size) == 0;
}

static int
s_read (const void *data, size_t size, s_entries_t *entries, stele_refusal_t *refusal)
{
    memset (entries, 0, sizeof *entries);
    stele_scan_t scan = stele_scan_start (data, size);
    stele_token_t map = stele_scan_next (&scan);
    if (map.kind != STELE_SCAN_MAP)
        return stele_refuse (refusal, STELE_EMALFORMED, NULL,
            "a message must be one map with string keys");
    static const char *const names [] = {
        "op", "protocol", "producer", "instance", "lease_ms", "acked", "sequence", "events", "restore", "keep",
        "anonymous"
    };
    stele_token_t *const tokens [] = {
        &entries->op, &entries->protocol, &entries->producer, &entries->instance,
        &entries->lease_ms, &entries->acked, &entries->sequence, &entries->events, &entries->restore,
        &entries->keep, &entries->anonymous
    };
    for (uint32_t i = 0; i < map.count; i++) {
        stele_token_t key = stele_scan_next (&scan);
        if (key.kind != STELE_SCAN_TEXT)
            return stele_refuse (refusal, STELE_EMALFORMED, NULL, "a key is not a string");
        for (size_t name = 0; name < sizeof names / sizeof names [0]; name++) {
            if (!s_key_is (&key, names [name]))
                continue;
            if (tokens [name]->kind != STELE_SCAN_END)
                return stele_refuse (refusal, STELE_EMALFORMED, names [name],
                    "key %s appears twice", names [name]);
            stele_scan_t value = scan;
            *tokens [name] = stele_scan_next (&value);
            if (tokens [name] == &entries->events)
                entries->events_scan = value;
        }
        //  The last value, usually the events, ends with the message: no need to skip it
        if (i + 1 < map.count)
            stele_scan_skip (&scan, NULL, NULL);
    }
    return 0;
}

static bool
s_absent (const stele_token_t *token)
{
    return token->kind == STELE_SCAN_END || token->kind == STELE_SCAN_NIL;
}

static int
s_text (const stele_token_t *token, const char *field, char *text, stele_refusal_t *refusal)
{
    if (s_absent (token))
        return stele_refuse (refusal, STELE_EMISSING_FIELD, field, "%s is required", field);
    if (token->kind != STELE_SCAN_TEXT || token->size == 0)
        return stele_refuse (refusal, STELE_EINVALID_FIELD, field,
            "%s takes a string of 1 to %d bytes", field, STELE_LIMIT_ID);
    if (token->size > STELE_LIMIT_ID)
        return stele_refuse (refusal, STELE_ETOO_LARGE, field,
            "%s has %u bytes, the limit is %d", field, token->size, STELE_LIMIT_ID);
    if (!stele_utf8_valid (token->data, token->size))
        return stele_refuse (refusal, STELE_EMALFORMED, field, "%s is not valid UTF-8", field);
    if (memchr (token->data, 0, token->size))
        return stele_refuse (refusal, STELE_EINVALID_FIELD, field, "%s must not contain NUL", field);
    memcpy (text, token->data, token->size);
    text [token->size] = 0;
    return 0;
}

static int
s_natural (const stele_token_t *token, const char *field, int64_t *value, stele_refusal_t *refusal)
{
    if (token->kind != STELE_SCAN_INTEGER || token->integer < 1)
        return stele_refuse (refusal, STELE_EINVALID_FIELD, field,
            "%s takes an integer of at least 1", field);
    *value = token->integer;
    return 0;
}

//  An optional flag: absent is false
static int
s_flag (const stele_token_t *token, const char *field, bool *flag, stele_refusal_t *refusal)
{
    if (!s_absent (token) && token->kind != STELE_SCAN_BOOL)
        return stele_refuse (refusal, STELE_EINVALID_FIELD, field, "%s takes true or false", field);
    *flag = token->kind == STELE_SCAN_BOOL && token->integer;
    return 0;
}

static int
s_hello (const s_entries_t *entries, stele_message_t *message, stele_refusal_t *refusal)
{
    if (s_absent (&entries->protocol))
        return stele_refuse (refusal, STELE_EMISSING_FIELD, "protocol", "protocol is required");
    if (entries->protocol.kind != STELE_SCAN_INTEGER)
        return stele_refuse (refusal, STELE_EINVALID_FIELD, "protocol", "protocol takes an integer");
    if (entries->protocol.integer != STELE_PROTOCOL)
        return stele_refuse (refusal, STELE_EPROTOCOL, "protocol",
            "this broker supports protocol %d, the peer requested %lld",
            STELE_PROTOCOL, (long long) entries->protocol.integer);
    int rc = s_text (&entries->producer, "producer", message->producer, refusal);
    if (rc == 0)
        rc = s_text (&entries->instance, "instance", message->instance, refusal);
    if (rc == 0 && !s_absent (&entries->lease_ms))
        rc = s_natural (&entries->lease_ms, "lease_ms", &message->lease_ms, refusal);
    if (rc == 0 && !s_absent (&entries->acked)) {
        if (entries->acked.kind != STELE_SCAN_INTEGER || entries->acked.integer < 0)
            return stele_refuse (refusal, STELE_EINVALID_FIELD, "acked", "acked takes an integer of at least 0");
        message->acked = entries->acked.integer;
    }
    if (rc == 0)
        rc = s_flag (&entries->restore, "restore", &message->restore, refusal);
    return rc? rc: s_flag (&entries->anonymous, "anonymous", &message->anonymous, refusal);
}

static int
s_events (const s_entries_t *entries, stele_message_t *message, stele_refusal_t *refusal)
{
    if (s_absent (&entries->events))
        return stele_refuse (refusal, STELE_EMISSING_FIELD, "events", "events is required");
    if (entries->events.kind != STELE_SCAN_ARRAY || entries->events.count == 0)
        return stele_refuse (refusal, STELE_EINVALID_FIELD, "events",
            "events takes an array of at least one event");
    message->events = entries->events_scan;
    message->event_count = entries->events.count;
    return 0;
}

int
stele_message_decode (const void *data, size_t size, stele_message_t *message,
    stele_refusal_t *refusal)
{
    memset (message, 0, sizeof *message);
    const char *why;
    if (stele_scan_check (data, size, size, &why))
        return stele_refuse (refusal, STELE_EMALFORMED, NULL, "not one msgpack object: %s", why);
    s_entries_t entries;
    int rc = s_read (data, size, &entries, refusal);
    if (rc)
        return rc;
    if (s_absent (&entries.op))
        return stele_refuse (refusal, STELE_EMISSING_FIELD, "op", "op is required");
    if (s_key_is (&entries.op, "publish")) {
        message->op = STELE_OP_PUBLISH;
        if (s_absent (&entries.sequence))
            return stele_refuse (refusal, STELE_EMISSING_FIELD, "sequence", "sequence is required");
        rc = s_natural (&entries.sequence, "sequence", &message->sequence, refusal);
        return rc? rc: s_events (&entries, message, refusal);
    }
    if (s_key_is (&entries.op, "hello")) {
        message->op = STELE_OP_HELLO;
        return s_hello (&entries, message, refusal);
    }
    if (s_key_is (&entries.op, "ping"))
        message->op = STELE_OP_PING;
    else
    if (s_key_is (&entries.op, "goodbye")) {
        message->op = STELE_OP_GOODBYE;
        return s_flag (&entries.keep, "keep", &message->keep, refusal);
    }
    else
        return stele_refuse (refusal, STELE_EUNKNOWN_OP, "op",
            "the events socket takes hello, publish, ping and goodbye");
    return 0;
}

int
stele_message_decode_publish (const void *data, size_t size, stele_message_t *message,
    stele_refusal_t *refusal)
{
    memset (message, 0, sizeof *message);
    message->op = STELE_OP_PUBLISH;
    s_entries_t entries;
    int rc = s_read (data, size, &entries, refusal);
    if (rc == 0)
        rc = s_text (&entries.producer, "producer", message->producer, refusal);
    if (rc == 0 && !s_absent (&entries.sequence))
        rc = s_natural (&entries.sequence, "sequence", &message->sequence, refusal);
    if (rc == 0)
        rc = s_flag (&entries.restore, "restore", &message->restore, refusal);
    return rc? rc: s_events (&entries, message, refusal);
}

int
stele_message_decode_pipeline (const void *data, size_t size, stele_message_t *message,
    stele_refusal_t *refusal)
{
    memset (message, 0, sizeof *message);
    message->op = STELE_OP_PUBLISH;
    s_entries_t entries;
    int rc = s_read (data, size, &entries, refusal);
    if (rc)
        return rc;
    if (!s_absent (&entries.events))
        return s_events (&entries, message, refusal);
    message->events = stele_scan_start (data, size);
    message->event_count = 1;
    return 0;
}
