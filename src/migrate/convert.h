/*  convert - one record of an earlier system, column by column, into an event

    A record is a JSON object of its columns. Each column is taken once; those that remain
    at the end, and values that do not fit, are kept under "migrated".

    Four files: convert (the record), convert_field (columns as fields of an event),
    convert_word (states and types), convert_value (JSON values and times, no record needed).

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

struct stele_migrate {
    stele_migrate_odd_fn *odd_fn;
    void *odd_arg;
    stele_event_sort_t *sort;
    stele_migrate_counts_t counts;
    char **tasks;
    size_t task_count, task_room;
    json_t *spellings;              // Spellings of words that were reported
};

/*  Remember the id of a task that the events create.                        */
void
    migrate_add_task (stele_migrate_t *self, const char *task_id);

//  -- convert.c: the record ---------------------------------------------------------

typedef struct {
    stele_migrate_t *migrate;
    const char *table;
    char id [512];                  // Names the record in reports
    json_t *columns;                // Not taken yet
    json_t *kept;                   // Values without another place
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

/*  Report the bare words of a value (see convert_parse), if any.            */
void
    convert_report_bare_words (convert_t *self, const char *name, size_t words);

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

/*  The same for error_message; an empty text is none.                       */
bool
    convert_take_error (convert_t *self, json_t *event, const char *names);

//  -- convert_value.c: caller owns return values ------------------------------------

/*  Parse JSON as Python writes it: the bare words NaN, Infinity and -Infinity become text, and
    are counted in 'words'. NULL: not JSON.                                  */
json_t *
    convert_parse (const char *text, size_t size, size_t flags, size_t *words);

/*  Text, or the digits of a number; NULL for anything else. Free with free(). */
char *
    convert_text_of (const json_t *value);

/*  Parse a time as an earlier system wrote it. False: not a time.           */
bool
    convert_read_time (const json_t *value, int64_t *time_us);

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

/*  An event of that type and time (0: none), with the id in 'id_field' (NULL: none). */
json_t *
    convert_event (const char *type, int64_t time_us, const char *id_field, const char *id);

#endif
