/*  otlp - the JSON encoding of a trace request of OTLP (opentelemetry-proto, trace/v1)

    In JSON, ids are hexadecimal, 64-bit integers are text, and enumerations are numbers.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <openssl/evp.h>
#include "relay/otlp.h"
#include "stele_library.h"

#define KIND_INTERNAL 1             // SPAN_KIND_INTERNAL

void
relay_otlp_id (const char *text, char *id, size_t size)
{
    unsigned char hash [32];
    unsigned hash_size = 0;
    int rc = EVP_Digest (text, strlen (text), hash, &hash_size, EVP_sha256 (), NULL);
    assert (rc == 1 && size / 2 <= hash_size);
    for (size_t i = 0; i < (size - 1) / 2; i++)
        snprintf (id + 2 * i, 3, "%02x", hash [i]);
}

static void
s_append (json_t *attributes, const char *key, const char *kind, json_t *value)
{
    json_array_append_new (attributes, json_pack ("{ss, s{so}}", "key", key, "value", kind, value));
}

static json_t *
s_digits (int64_t value)
{
    return json_sprintf ("%" PRId64, value);
}

void
relay_otlp_text (json_t *attributes, const char *key, const char *text)
{
    if (text && *text)
        s_append (attributes, key, "stringValue", json_string (text));
}

void
relay_otlp_integer (json_t *attributes, const char *key, int64_t value)
{
    s_append (attributes, key, "intValue", s_digits (value));
}

void
relay_otlp_real (json_t *attributes, const char *key, double value)
{
    s_append (attributes, key, "doubleValue", isfinite (value)? json_real (value):
        json_string (isnan (value)? "NaN": value > 0? "Infinity": "-Infinity"));
}

//  Nanoseconds since 1970, without a sign and in 64 bits. An event may have a time from year 1 to 9999.
static json_t *
s_nanoseconds (int64_t time_us)
{
    time_us = time_us < 0? 0: time_us < INT64_MAX / 1000? time_us: INT64_MAX / 1000;
    return s_digits (time_us * 1000);
}

char *
relay_otlp_request (const char *service, const char *ledger, relay_span_t *span)
{
    json_t *resource = json_array (), *status = json_object ();
    relay_otlp_text (resource, "service.name", service);
    relay_otlp_text (resource, "stele.ledger", ledger);
    if (span->status != RELAY_UNSET)
        json_object_set_new (status, "code", json_integer (span->status));
    if (span->status == RELAY_ERROR && span->message)
        json_object_set_new (status, "message", json_string (span->message));
    //  A clock may have been set back in between
    int64_t end_us = span->end_us < span->start_us? span->start_us: span->end_us;
    json_t *record = json_pack ("{ss, ss, ss, si, so, so, so, so}", "traceId", span->trace_id, "spanId", span->span_id, "name",
        span->name, "kind", KIND_INTERNAL, "startTimeUnixNano", s_nanoseconds (span->start_us), "endTimeUnixNano",
        s_nanoseconds (end_us), "attributes", span->attributes, "status", status);
    if (*span->parent_id)
        json_object_set_new (record, "parentSpanId", json_string (span->parent_id));
    json_t *request = json_pack ("{s[{s{so}, s[{s{ss, ss}, s[o]}]}]}", "resourceSpans", "resource", "attributes", resource, "scopeSpans",
        "scope", "name", "stele-relay", "version", STELE_VERSION, "spans", record);
    char *text = json_dumps (request, JSON_COMPACT);
    json_decref (request);
    assert (text);
    return text;
}
