/*  difference - find which events of two copies of a history differ, and in which fields

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>
#include "base/memory.h"
#include "cli/proof/difference.h"

#define PORTION 1024                // Events of which lines are kept

typedef struct {
    char *lines [PORTION];
    int64_t first, count;
} s_portion_t;

static int
s_keep (int64_t position, const char *line, size_t size, const stele_record_t *event, void *arg)
{
    s_portion_t *self = arg;
    (void) event;
    (void) position;
    self->lines [self->count++] = stele_memory_copy (line, size);
    return 0;
}

static void
s_free (s_portion_t *self)
{
    for (int64_t i = 0; i < self->count; i++)
        free (self->lines [i]);
}

static void
s_add_name (char *names, size_t size, const char *name)
{
    size_t used = strlen (names);
    snprintf (names + used, size - used, "%s%s", used? ", ": "", name);
}

//  Names of the fields of two lines that differ
static void
s_name_fields (const char *one, const char *other, char *names, size_t size)
{
    json_t *left = json_loads (one, 0, NULL), *right = json_loads (other, 0, NULL), *value;
    const char *key;
    *names = '\0';
    json_object_foreach (left, key, value)
        if (!json_equal (value, json_object_get (right, key)))
            s_add_name (names, size, key);
    json_object_foreach (right, key, value)
        if (!json_object_get (left, key))
            s_add_name (names, size, key);
    json_decref (left);
    json_decref (right);
    if (!*names)
        s_add_name (names, size, "its text");
}

static int64_t
s_compare (const s_portion_t *one, const s_portion_t *other, cli_difference_fn *fn, void *arg)
{
    char names [400];
    int64_t differences = 0;
    for (int64_t i = 0; i < one->count && i < other->count; i++)
        if (strcmp (one->lines [i], other->lines [i]) != 0) {
            s_name_fields (one->lines [i], other->lines [i], names, sizeof names);
            fn (one->first + i, names, arg);
            differences++;
        }
    return differences;
}

int64_t
cli_difference_find (cli_history_t *one, cli_history_t *other, int64_t first, int64_t last, cli_difference_fn *fn,
    void *arg, stele_refusal_t *refusal)
{
    int64_t differences = 0;
    int code = 0;
    for (; first <= last && code == 0; first += PORTION) {
        s_portion_t left = { .first = first }, right = { .first = first };
        int64_t end = first + PORTION - 1 < last? first + PORTION - 1: last;
        code = cli_history_read (one, first - 1, end, s_keep, &left, refusal);
        if (code == 0)
            code = cli_history_read (other, first - 1, end, s_keep, &right, refusal);
        //  Also the lines before one that cannot be read
        differences += s_compare (&left, &right, fn, arg);
        s_free (&left);
        s_free (&right);
    }
    return code? code: differences;
}
