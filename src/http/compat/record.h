/*  record - records of the broker in the form that the earlier system answered them

    Tables of fields, from which both the JSON and its schema in /openapi.json are made. Absent values are null, or the value that
    stood there in the earlier system. Times are ISO 8601 in UTC without an offset, and without a fraction that is 0.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_HTTP_COMPAT_RECORD_H_INCLUDED
#define STELE_HTTP_COMPAT_RECORD_H_INCLUDED

#include <jansson.h>
#include "wire/map.h"

typedef enum {
    HTTP_COMPAT_TASK, HTTP_COMPAT_TASK_RECORD, HTTP_COMPAT_HISTORY, HTTP_COMPAT_OUTPUT, HTTP_COMPAT_SESSION, HTTP_COMPAT_MESSAGE,
    HTTP_COMPAT_RECORD_COUNT
} http_compat_record_t;

/*  A row of the broker as an object. Caller owns return value. NULL: a text of it is not valid. */
json_t *
    http_compat_record (http_compat_record_t record, const stele_map_t *row);

/*  The value of a key as text, "" if absent or of another kind; bytes that are not UTF-8 are replaced by U+FFFD. Caller owns
    return value.                                                            */
json_t *
    http_compat_text (const stele_map_t *row, const char *key);

/*  The same, null if absent or empty                                        */
json_t *
    http_compat_text_or_null (const stele_map_t *row, const char *key);

/*  The value of a key, an object, {} if absent                              */
json_t *
    http_compat_object (const stele_map_t *row, const char *key);

/*  A time in microseconds, to whole seconds if 'seconds'. Caller owns return value. */
json_t *
    http_compat_time (int64_t time_us, bool seconds);

/*  A time of a row, null if absent                                          */
json_t *
    http_compat_time_or_null (const stele_map_t *row, const char *key);

/*  The schemas of all records are added to 'schemas'                        */
void
    http_compat_schemas (json_t *schemas);

/*  JSON text with the precision of the earlier system. Caller frees return value with free(). */
char *
    http_compat_print (const json_t *json);

#endif
