/*  stele_event - one change of a task, a session or a preference

    An event is a type and fields (doc/PROTOCOL.md section 3 lists both). The
    class builds events to publish, and reads events from the feed or the
    ledger. Field names are those of the protocol; the broker stores fields
    with other names too and returns them unchanged.

        stele_event_t *event = stele_event_new ("task.state_changed");
        stele_event_set_string (event, "task_id", "build-7");
        stele_event_set_string (event, "state", "running");

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_EVENT_H_INCLUDED
#define STELE_EVENT_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "stele_error.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct _stele_event_t stele_event_t;

/*  Create an event of that type, without other fields. The type is checked only by
    stele_event_check. Never NULL. Caller owns return value and destroys it with
    stele_event_destroy.                                                     */
STELE_EXPORT stele_event_t *
    stele_event_new (const char *type);

/*  Destroy an event and set the caller's pointer to NULL.                   */
STELE_EXPORT void
    stele_event_destroy (stele_event_t **self_p);

/*  Decode an event from one msgpack map, or from one JSON object (such as a line
    of a recorded stream; 'text' needs no terminator). Caller owns return value.
    Returns NULL if the input is not such a map; then 'error', unless it is NULL,
    receives the reason, at most error_size bytes with the terminator.
    doc/PROTOCOL.md section 10 defines the JSON form of values that JSON lacks.  */
STELE_EXPORT stele_event_t *
    stele_event_decode (const void *data, size_t size, char *error, size_t error_size);
STELE_EXPORT stele_event_t *
    stele_event_from_json (const char *text, size_t size, char *error, size_t error_size);

/*  Set a field, replacing any earlier value. Strings must be UTF-8; values are copied.
    'json' of set_json is the text of any JSON value (usually an object).
    Return 0, or STELE_EMALFORMED if a string is not UTF-8, a value is longer than
    2^32-1 bytes, or the JSON does not parse; the event is then unchanged.   */
STELE_EXPORT int
    stele_event_set_string (stele_event_t *self, const char *field, const char *value);
STELE_EXPORT int
    stele_event_set_text (stele_event_t *self, const char *field, const char *text, size_t size);
STELE_EXPORT int
    stele_event_set_bytes (stele_event_t *self, const char *field, const void *bytes, size_t size);
STELE_EXPORT int
    stele_event_set_integer (stele_event_t *self, const char *field, int64_t value);
STELE_EXPORT int
    stele_event_set_real (stele_event_t *self, const char *field, double value);
STELE_EXPORT int
    stele_event_set_bool (stele_event_t *self, const char *field, bool value);
STELE_EXPORT int
    stele_event_set_json (stele_event_t *self, const char *field, const char *json);

/*  Type of the event, "" if it has none. Valid until the event is changed or
    destroyed.                                                               */
STELE_EXPORT const char *
    stele_event_type (const stele_event_t *self);

/*  Position in the ledger; 0 for an event that did not come from a broker.  */
STELE_EXPORT int64_t
    stele_event_position (const stele_event_t *self);

/*  Read a field.
    stele_event_string returns text or bytes, with the size in *size unless that is
    NULL; NULL if the field is absent or of another kind. The value is followed by a
    NUL that is not counted, and valid until the event is changed or destroyed.
    The numeric functions return 'otherwise' if the field is absent or not a number.
    stele_event_integer returns a time, in whichever form it was set, as microseconds
    since the Unix epoch, UTC. stele_event_has: is the field present and not nil?  */
STELE_EXPORT const char *
    stele_event_string (const stele_event_t *self, const char *field, size_t *size);
STELE_EXPORT int64_t
    stele_event_integer (const stele_event_t *self, const char *field, int64_t otherwise);
STELE_EXPORT double
    stele_event_real (const stele_event_t *self, const char *field, double otherwise);
STELE_EXPORT bool
    stele_event_has (const stele_event_t *self, const char *field);

/*  Check the event as a broker does: type, required fields, kinds and limits. Rules
    that depend on the state of the task are checked only by the broker.
    Returns 0, or a code, with the reason in 'error' (see stele_event_decode).  */
STELE_EXPORT int
    stele_event_check (const stele_event_t *self, char *error, size_t error_size);

/*  The event as one msgpack map, with its size in *size unless that is NULL.
    Valid until the event is changed or destroyed.                           */
STELE_EXPORT const void *
    stele_event_data (const stele_event_t *self, size_t *size);

/*  The event as one JSON object on one line, with times in RFC 3339 form, and characters that
    a terminal would obey or hide as \uXXXX (doc/PROTOCOL.md section 10); NULL if it contains
    text that is not UTF-8. Caller owns return value and frees it with free(). */
STELE_EXPORT char *
    stele_event_to_json (const stele_event_t *self);

#ifdef __cplusplus
}
#endif

#endif
