/*  otlp - the JSON encoding of a trace request of OTLP (opentelemetry-proto, trace/v1)

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_RELAY_OTLP_H_INCLUDED
#define STELE_RELAY_OTLP_H_INCLUDED

#include <stddef.h>
#include <stdint.h>
#include <jansson.h>

#define RELAY_TRACE_ID 33           // 16 bytes in hexadecimal, with the NUL
#define RELAY_SPAN_ID 17            // 8 bytes

/*  The first (size - 1) / 2 bytes of the SHA-256 of a text, in hexadecimal. */
void
    relay_otlp_id (const char *text, char *id, size_t size);

/*  Append an attribute. NULL as text, or "", appends nothing.               */
void
    relay_otlp_text (json_t *attributes, const char *key, const char *text);
void
    relay_otlp_integer (json_t *attributes, const char *key, int64_t value);
void
    relay_otlp_real (json_t *attributes, const char *key, double value);

typedef struct {
    char trace_id [RELAY_TRACE_ID], span_id [RELAY_SPAN_ID], parent_id [RELAY_SPAN_ID];     // parent_id "": none
    const char *name;
    int64_t start_us, end_us;
    enum { RELAY_UNSET, RELAY_OK, RELAY_ERROR } status;
    const char *message;            // Of an error; NULL: none
    json_t *attributes;             // An array
} relay_span_t;

/*  A request with one span. Takes the reference to its attributes. Caller frees return value with free(). */
char *
    relay_otlp_request (const char *service, const char *ledger, relay_span_t *span);

#endif
