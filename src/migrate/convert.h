/*  convert - one record of an earlier system, column by column, into an event

    A record is a JSON object of its columns. Each column is taken once; those that remain
    at the end, and values that do not fit, are kept under "migrated".

    Five files: convert (the record), convert_field (columns as fields of an event),
    convert_word (states and types), convert_value (JSON values) and convert_time (times), which
    need no record.

    Ids are C strings in which NUL is the two bytes C0 80, as in Java. convert_text_of and
    convert_string convert them from and to JSON.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_CONVERT_H_INCLUDED
#define STELE_CONVERT_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>
#include "migrate/migrate.h"
#include "migrate/event_sort.h"
#include "model/vocabulary.h"

typedef struct convert_zone convert_zone_t;

struct stele_migrate {
    stele_migrate_options_t options;
    convert_zone_t *zone;           // Of times without one; NULL: UTC
    stele_event_sort_t *sort;
    stele_migrate_counts_t counts;
    char **tasks;
    size_t task_count, task_room;
};

/*  Remember the id of a task that the events create.                        */
void
    migrate_add_task (stele_migrate_t *self, const char *task_id);

//  What convert_parse had to change
typedef struct {
    size_t words, characters;
} convert_repairs_t;

//  -- convert.c: the record ---------------------------------------------------------

typedef struct {
    stele_migrate_t *migrate;
    const char *table;
    char id [512];                  // Names the record in reports
    json_t *columns;                // Not taken yet
    json_t *kept;                   // Values without another place
    json_t *rests;                  // Texts that were cut: {"of": column, "content": the rest}; NULL: none
    bool has_outputs;               // The record belongs to a task: outputs can take what does not fit
    char failure [256];             // Why one of its events cannot be published; "": none
} convert_t;

/*  Takes 'columns'.                                                         */
void
    convert_start (convert_t *self, stele_migrate_t *migrate, const char *table, json_t *columns);
void
    convert_end (convert_t *self);

/*  Report something unusual about the record, and how it was resolved.      */
void
    convert_report (convert_t *self, const char *format, ...)
        __attribute__ ((format (printf, 2, 3)));

/*  Report the repairs of a value (see convert_parse), if any.               */
void
    convert_report_repairs (convert_t *self, const char *name, const convert_repairs_t *repairs);

/*  Keep a text that is too large for 'migrated' of a task, or the rest of one that was cut: it becomes
    an output of the task. Takes the value.                                  */
void
    convert_add_rest (convert_t *self, const char *name, json_t *value);

/*  Emit an output per rest, with the order and time of its event.           */
void
    convert_emit_rests (convert_t *self, int64_t order, int64_t time_us, const char *task_id);

/*  Keep a value under the name; deeper than CONVERT_NESTING levels, as text. Takes it. */
#define CONVERT_NESTING 12
void
    convert_keep (convert_t *self, const char *name, json_t *value);

/*  Keep all columns that remain.                                            */
void
    convert_keep_rest (convert_t *self);

/*  Keep the other records of the same id (NULL: none), and report for each that 'rule' decided
    against it. Takes them.                                                  */
void
    convert_keep_others (convert_t *self, json_t *others, const char *rule);

/*  Add the kept values to an event, as "migrated" (inside the object 'inside', if not NULL). */
void
    convert_attach (convert_t *self, json_t *event, const char *inside);

/*  The next of the names, which are separated by spaces. False: no more.    */
bool
    convert_next_name (const char **names, char name [64]);

/*  Take the first of the columns 'names' (separated by spaces) that the record has and that is
    not null. NULL: none. Caller owns return value. The second also returns the column's name. */
json_t *
    convert_take (convert_t *self, const char *names);
json_t *
    convert_take_as (convert_t *self, const char *names, char name [64]);

/*  The same as text, numbers by their digits. Other values are kept and reported. Caller frees
    return value.                                                            */
char *
    convert_take_text (convert_t *self, const char *names);
char *
    convert_take_text_as (convert_t *self, const char *names, char name [64]);

/*  Pass the columns, before any is taken, to the function that verifies a migration, if there is one. */
void
    convert_show (convert_t *self, const char *id);

/*  The same as a time. False: none; a value that is not a time is kept and reported. */
bool
    convert_take_time (convert_t *self, const char *names, int64_t *time_us);

/*  Check the event and add it to the sorter. Takes it.                      */
void
    convert_emit (convert_t *self, int64_t order, json_t *event);

//  -- convert_word.c ----------------------------------------------------------------

/*  Take a column as a word of a vocabulary. 0: none. An unknown word is guessed ('otherwise'
    if there is no guess), kept under its column, and reported.              */
int
    convert_take_word (convert_t *self, const char *names, stele_vocabulary_t vocabulary, int otherwise);

//  -- convert_field.c ---------------------------------------------------------------

/*  Take a column as the field of an event, by the field's kind and limit. True: set. */
bool
    convert_take_field (convert_t *self, json_t *event, const char *field, const char *names);

/*  A float that JSON cannot express (inf, NaN as text, or in the form of the protocol), in the form of the
    protocol. NULL: something else. Caller owns return value.                */
json_t *
    convert_float (const json_t *value);

/*  The same for error_message; an empty text is none.                       */
bool
    convert_take_error (convert_t *self, json_t *event, const char *names);

//  -- convert_value.c: caller owns return values ------------------------------------

/*  Parse JSON as Python writes it: the bare words NaN, Infinity and -Infinity, and numbers beyond
    64 bits, become text; half a surrogate pair, and bytes that are not UTF-8, become U+FFFD. NULL: not JSON. */
json_t *
    convert_parse (const char *text, size_t size, size_t flags, convert_repairs_t *repairs);

/*  Text, or the digits of a number, in the form of ids; NULL for anything else. Free with free(). */
char *
    convert_text_of (const json_t *value);

/*  A JSON string of such a text.                                            */
json_t *
    convert_string (const char *text);

/*  The bytes of such a text; the bytes of a value (NULL: neither text, number nor bytes). Free with free(). */
char *
    convert_decode (const char *text, size_t *size);
char *
    convert_raw (const json_t *value, size_t *size);

/*  A JSON string in which every byte that is not UTF-8 became U+FFFD.       */
json_t *
    convert_repair (const char *text, size_t size);

/*  Levels of nesting of a value.                                            */
size_t
    convert_depth (const json_t *value);

/*  Any JSON value in the form of the protocol: a map of one entry whose key begins with $
    is escaped. Takes the value.                                             */
json_t *
    convert_escape (json_t *value);

/*  Text of 'size' bytes as a JSON value, as bytes if it is not UTF-8; bytes. */
json_t *
    convert_text (const char *text, size_t size);
json_t *
    convert_bytes (const void *bytes, size_t size);

/*  A time in the form of an event.                                          */
json_t *
    convert_time (int64_t time_us);

//  -- convert_time.c ----------------------------------------------------------------

typedef struct {
    int64_t us;
    bool is_whole;                  // It has no fraction: the source may have had whole seconds only
    bool is_number;                 // It was a number since 1970
    bool is_zoneless;               // It has no zone
    bool is_doubtful;               // It occurs twice, or never, in its zone (summer time)
} convert_time_t;

/*  A zone: UTC (NULL), an offset (+02:00), a name of the time zone database (Europe/Berlin), or local.
    NULL: no such zone. It holds the TZ of this process until it is destroyed. */
convert_zone_t *
    convert_zone_new (const char *name);
void
    convert_zone_destroy (convert_zone_t **self_p);

/*  Parse a time as an earlier system wrote it. False: not a time.           */
bool
    convert_read_time (const convert_zone_t *zone, const json_t *value, convert_time_t *time);

/*  May these be the same time, if one of them was written with whole seconds only? */
bool
    convert_same_time (int64_t one_us, int64_t other_us);

/*  The later one, if they may be the same time; else time_us.               */
int64_t
    convert_not_before (int64_t time_us, int64_t earliest_us);

/*  An event of that type and time (0: none), with the id in 'id_field' (NULL: none). */
json_t *
    convert_event (const char *type, int64_t time_us, const char *id_field, const char *id);

#endif
