/*  kinds - reports of a migration, one line per kind

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "config.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <jansson.h>
#include "base/memory.h"
#include "cli/transfer/kinds.h"
#include "cli/terminal/format.h"
#include "cli/terminal/text.h"

#define EXAMPLES 3

typedef struct {
    UT_hash_handle hh;
    const char *table, *text;       // In 'key'
    char *first;                    // The first report
    int64_t count;
    bool printed;
    struct { char *id; size_t size; } examples [EXAMPLES];
    char key [];
} s_kind_t;

struct cli_kinds {
    s_kind_t *kinds;
    const char *word;
    bool json, verbose;
};

cli_kinds_t *
cli_kinds_new (const char *word, bool json, bool verbose)
{
    cli_kinds_t *self = STELE_NEW (cli_kinds_t);
    self->word = word;
    self->json = json;
    self->verbose = verbose;
    return self;
}

void
cli_kinds_destroy (cli_kinds_t **self_p)
{
    cli_kinds_t *self = *self_p;
    if (!self)
        return;
    s_kind_t *kind, *next;
    HASH_ITER (hh, self->kinds, kind, next) {
        HASH_DELETE (hh, self->kinds, kind);
        for (int i = 0; i < EXAMPLES; i++)
            free (kind->examples [i].id);
        free (kind->first);
        free (kind);
    }
    free (self);
    *self_p = NULL;
}

//  The report with N for numbers, and ... for what is between the first and the last quote
static void
s_generalize (const char *what, char *text)
{
    const char *open = strchr (what, '\''), *close = open? strrchr (what, '\''): NULL;
    for (const char *c = what; *c; c++) {
        if (open && close > open && c == open) {
            text = stpcpy (text, "'...'");
            c = close;
        }
        else
        if (isdigit ((unsigned char) *c) && (c == what || !isalnum ((unsigned char) c [-1]))) {
            *text++ = 'N';
            c += strspn (c, "0123456789") - 1;
        }
        else
            *text++ = *c;
    }
    *text = 0;
}

static void
s_print_id (const char *id, size_t size)
{
    cli_text_print (stdout, id, size, 0, CLI_CUT_END);
}

static void
s_print_report (const cli_kinds_t *self, const char *table, const char *id, size_t id_size, const char *what)
{
    if (self->json) {
        json_t *line = json_pack ("{ssss}", "table", table, self->word, what);
        json_t *text = json_stringn (id, id_size);
        json_object_set_new (line, "id", text? text: json_string ("?"));
        char *json = json_dumps (line, JSON_COMPACT);
        puts (json? json: "{}");
        free (json);
        json_decref (line);
        return;
    }
    fputs (table, stdout);
    if (id_size)
        putchar (' ');
    s_print_id (id, id_size);
    fputs (": ", stdout);
    cli_text_print (stdout, what, strlen (what), 0, CLI_CUT_END);
    putchar ('\n');
}

void
cli_kinds_add (cli_kinds_t *self, const char *table, const char *id, size_t id_size, const char *what)
{
    size_t table_size = strlen (table) + 1;
    char *key = stele_memory_new (table_size + strlen (what) * 2 + 16);
    memcpy (key, table, table_size);
    s_generalize (what, key + table_size);
    size_t size = table_size + strlen (key + table_size) + 1;
    s_kind_t *kind;
    HASH_FIND (hh, self->kinds, key, size, kind);
    if (!kind) {
        kind = stele_memory_new (sizeof *kind + size);
        memcpy (kind->key, key, size);
        kind->table = kind->key;
        kind->text = kind->key + table_size;
        kind->first = stele_memory_copy (what, strlen (what));
        HASH_ADD_KEYPTR (hh, self->kinds, kind->key, size, kind);
    }
    free (key);
    if (kind->count < EXAMPLES) {
        kind->examples [kind->count].id = stele_memory_copy (id, id_size);
        kind->examples [kind->count].size = id_size;
    }
    kind->count++;
    if (self->verbose) {
        kind->printed = true;
        s_print_report (self, table, id, id_size, what);
    }
}

static void
s_print_kind (const cli_kinds_t *self, const s_kind_t *kind)
{
    int shown = kind->count < EXAMPLES? (int) kind->count: EXAMPLES;
    if (self->json) {
        json_t *line = json_pack ("{sssssssI}", "table", kind->table, self->word, kind->first, "kind", kind->text,
            "count", (json_int_t) kind->count);
        json_t *examples = json_array ();
        for (int i = 0; i < shown; i++) {
            json_t *id = json_stringn (kind->examples [i].id, kind->examples [i].size);
            json_array_append_new (examples, id? id: json_string ("?"));
        }
        json_object_set (line, "id", json_array_get (examples, 0));
        json_object_set_new (line, "examples", examples);
        char *json = json_dumps (line, JSON_COMPACT);
        puts (json? json: "{}");
        free (json);
        json_decref (line);
        return;
    }
    if (kind->count == 1) {
        s_print_report (self, kind->table, kind->examples [0].id, kind->examples [0].size, kind->first);
        return;
    }
    printf ("%s, %s times (", kind->table, cli_format_count (kind->count).text);
    for (int i = 0; i < shown; i++) {
        fputs (i? ", ": "", stdout);
        s_print_id (kind->examples [i].id, kind->examples [i].size);
    }
    printf ("%s): ", kind->count > EXAMPLES? ", ...": "");
    //  The text of the first, unless all are equal
    if (strcmp (kind->first, kind->text) != 0)
        fputs ("for example ", stdout);
    cli_text_print (stdout, kind->first, strlen (kind->first), 0, CLI_CUT_END);
    putchar ('\n');
}

void
cli_kinds_print (cli_kinds_t *self)
{
    for (s_kind_t *kind = self->kinds; kind; kind = kind->hh.next)
        if (!kind->printed) {
            kind->printed = true;
            s_print_kind (self, kind);
        }
}

int64_t
cli_kinds_count (const cli_kinds_t *self)
{
    return HASH_COUNT (self->kinds);
}
