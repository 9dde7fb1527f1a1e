/*  stele_event - one thing that happened to a task, a session or a preference

    An event is a type and fields (doc/PROTOCOL.md section 3 lists both). The
    class builds one to publish it, and reads one that the feed or a replay
    brought. Field names are those of the protocol; a name the protocol does
    not know is kept by the broker and comes back.

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

/*  An event of that type, with no fields. Caller owns return value and
    destroys it with stele_event_destroy. The type is not checked here but
    by stele_event_check.                                                    */
STELE_EXPORT stele_event_t *
    stele_event_new (const char *type);

/*  Destroy an event; sets the caller's pointer to NULL.                     */
STELE_EXPORT void
    stele_event_destroy (stele_event_t **self_p);

/*  An event from one map of msgpack or one JSON object (a line of a recorded
    stream, without need of a terminator). Caller owns return value. NULL where
    the text is not such a map: then 'error', if not NULL, gets a static or
    copied text of at most error_size bytes that says why.
    The form of JSON for what JSON cannot say is in doc/PROTOCOL.md.         */
STELE_EXPORT stele_event_t *
    stele_event_decode (const void *data, size_t size, char *error, size_t error_size);
STELE_EXPORT stele_event_t *
    stele_event_from_json (const char *text, size_t size, char *error, size_t error_size);

/*  Set a field; a second set replaces the first. Strings are UTF-8 and copied.
    'json' of set_json is the text of any JSON value (mostly an object).
    Return 0, or STELE_EMALFORMED where a string is not UTF-8 or JSON does not parse. */
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

/*  Type of the event, "" where it has none. Valid until the event is destroyed. */
STELE_EXPORT const char *
    stele_event_type (const stele_event_t *self);

/*  Position in the ledger, 0 for an event that did not come from a broker.  */
STELE_EXPORT int64_t
    stele_event_position (const stele_event_t *self);

/*  Read a field. A string: text or bytes, size in *size if that is not NULL;
    NULL where the field is absent or something else. Terminated with a NUL
    that is not counted; valid until the event is changed or destroyed.
    Numbers: 'otherwise' where the field is absent or not a number. A time may
    have been set in any of its forms; stele_event_integer gives microseconds. */
STELE_EXPORT const char *
    stele_event_string (const stele_event_t *self, const char *field, size_t *size);
STELE_EXPORT int64_t
    stele_event_integer (const stele_event_t *self, const char *field, int64_t otherwise);
STELE_EXPORT double
    stele_event_real (const stele_event_t *self, const char *field, double otherwise);
STELE_EXPORT bool
    stele_event_has (const stele_event_t *self, const char *field);

/*  Would a broker take it? Checks type, required fields, kinds and limits as the
    broker does; what depends on the state of the task only the broker knows.
    Returns 0, or a code with the reason in 'error'.                         */
STELE_EXPORT int
    stele_event_check (const stele_event_t *self, char *error, size_t error_size);

/*  The event as one map of msgpack. Valid until the event is changed or destroyed. */
STELE_EXPORT const void *
    stele_event_data (const stele_event_t *self, size_t *size);

/*  The event as one JSON object on one line, times as RFC 3339. Caller owns
    return value and frees it with free().                                   */
STELE_EXPORT char *
    stele_event_to_json (const stele_event_t *self);

#ifdef __cplusplus
}
#endif

#endif
