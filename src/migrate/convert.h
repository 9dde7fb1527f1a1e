/*  convert - one record of an earlier system, column by column, into an event

    A record is a JSON object of its columns, from which each column is taken once;
    what is left at the end, or did not fit, is kept.

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
    stele_event_sort_t *spool;
    stele_migrate_counts_t counts;
    char **tasks;
    size_t task_count, task_room;
    json_t *spellings;              // Of words, that were said
};

typedef struct {
    stele_migrate_t *migrate;
    const char *table;
    char id [512];                  // For what is said about it
    json_t *columns;                // Those not yet taken
    json_t *kept;                   // What has no other place
    char failure [256];             // Why an event of it cannot be published, "": they all can
} convert_t;

/*  'columns' is taken.                                                      */
void
    convert_start (convert_t *self, stele_migrate_t *migrate, const char *table, json_t *columns);
void
    convert_end (convert_t *self);

/*  Say that something is odd, and what was made of it.                      */
void
    convert_odd (convert_t *self, const char *format, ...)
        __attribute__ ((format (printf, 2, 3)));

/*  Keep a value under the name. Takes it.                                   */
void
    convert_keep (convert_t *self, const char *name, json_t *value);

/*  Take a column by the first of the names that it has, separated by spaces. Caller owns
    return value; NULL: it has none of them, or it is null.                  */
json_t *
    convert_take (convert_t *self, const char *names);

/*  The next of the names, which stand between spaces. False: there is none left. */
bool
    convert_next_name (const char **names, char name [64]);

/*  The same as text: numbers by their digits. Caller frees return value.    */
char *
    convert_take_text (convert_t *self, const char *names);

/*  Read JSON as Python writes it: NaN, Infinity and -Infinity become text, and are counted
    in 'words'. NULL: it is none. Caller owns return value.                  */
json_t *
    convert_parse (const char *text, size_t size, size_t flags, size_t *words);

/*  Say that a value had such words.                                         */
void
    convert_say_words (convert_t *self, const char *name, size_t words);

/*  Text, or the digits of a number; NULL for anything else. Caller frees.    */
char *
    convert_text_of (const json_t *value);

/*  A time as an earlier system wrote it. False: it is none.                 */
bool
    convert_read_time (const json_t *value, int64_t *time_us);

/*  Say of each of the other records of the id (NULL: there are none) that 'rule' decided
    against it, and keep them all. Takes them.                               */
void
    convert_keep_others (convert_t *self, json_t *others, const char *rule);

/*  A time. False: absent, or none (then it is kept, and said).              */
bool
    convert_take_time (convert_t *self, const char *names, int64_t *time_us);

/*  A word of a vocabulary. 0: absent. What is unknown is guessed ('otherwise' where there
    is no guess), kept under the name, and said.                             */
int
    convert_take_word (convert_t *self, const char *names, stele_vocabulary_t vocabulary, int otherwise);

/*  Take the column 'names' as the field of an event, by its kind and limit.  True: it was
    there.                                                                   */
bool
    convert_take_field (convert_t *self, json_t *event, const char *field, const char *names);

/*  The same for the text of an error: one that is empty is none.           */
bool
    convert_take_error (convert_t *self, json_t *event, const char *names);

/*  All columns that are left are kept.                                      */
void
    convert_keep_rest (convert_t *self);

/*  Add what is kept to an event, as "migrated" (of 'inside', an object, where not NULL). */
void
    convert_attach (convert_t *self, json_t *event, const char *inside);

/*  Any JSON value in the form of the protocol: a map of one entry whose key begins with $
    would be mistaken. Takes the value; caller owns return value.            */
json_t *
    convert_escape (json_t *value);

/*  Text of 'size' bytes as a JSON value: as bytes where it is not UTF-8.    */
json_t *
    convert_text (const char *text, size_t size);

/*  Bytes as a JSON value.                                                   */
json_t *
    convert_bytes (const void *bytes, size_t size);

/*  A time as an event has it. Caller owns return value.                     */
json_t *
    convert_time (int64_t time_us);

/*  An event of that type and time (0: none), the task's id in 'id_field'. Caller owns it. */
json_t *
    convert_event (const char *type, int64_t time_us, const char *id_field, const char *id);

/*  Check the event and add it to the spool. Takes it.                       */
void
    convert_emit (convert_t *self, int64_t order, json_t *event);

/*  The files of the room.                                                   */
void
    migrate_task_known (stele_migrate_t *self, const char *task_id);

#endif
