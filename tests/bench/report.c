/*  report - figures as a page or as JSON

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "bench.h"

typedef struct {
    char section [16];
    char name [80];
    char unit [16];
    char limit_name [48];
    double value, limit;
} s_figure_t;

struct bench_report {
    const bench_options_t *options;
    bool page;
    bool muted;
    char section [16];
    s_figure_t *figures;
    size_t count, room;
};

bench_report_t *
bench_report_new (const bench_options_t *options)
{
    bench_report_t *self = calloc (1, sizeof *self);
    assert (self);
    self->options = options;
    self->page = !options->json || strcmp (options->json, "-") != 0;
    return self;
}

void
bench_report_destroy (bench_report_t **self_p)
{
    assert (self_p);
    if (!*self_p)
        return;
    free ((*self_p)->figures);
    free (*self_p);
    *self_p = NULL;
}

void
bench_report_section (bench_report_t *self, const char *name, const char *about)
{
    snprintf (self->section, sizeof self->section, "%s", name);
    if (self->page) {
        printf ("%s%s: %s\n", self->count? "\n": "", name, about);
        fflush (stdout);
    }
}

static void
s_print_number (double value)
{
    printf (value >= 100 || value == 0? "%12.0f": value >= 1? "%12.2f": "%12.3f", value);
}

void
bench_report_figure (bench_report_t *self, double value, const char *unit,
    double limit, const char *limit_name, const char *name, ...)
{
    if (self->count == self->room) {
        self->room = self->room? self->room * 2: 64;
        self->figures = realloc (self->figures, self->room * sizeof *self->figures);
        assert (self->figures);
    }
    s_figure_t *figure = &self->figures [self->count++];
    *figure = (s_figure_t) { .value = value, .limit = limit };
    snprintf (figure->section, sizeof figure->section, "%s", self->section);
    snprintf (figure->unit, sizeof figure->unit, "%s", unit);
    snprintf (figure->limit_name, sizeof figure->limit_name, "%s", limit_name? limit_name: "");
    va_list args;
    va_start (args, name);
    vsnprintf (figure->name, sizeof figure->name, name, args);
    va_end (args);
    if (!self->page || self->muted)
        return;
    printf ("  %-46s", figure->name);
    s_print_number (value);
    printf (" %-9s", unit);
    if (limit > 0)
        printf (" %6.2f x %s", value / limit, figure->limit_name);
    putchar ('\n');
    fflush (stdout);
}

void
bench_report_mute (bench_report_t *self, bool muted)
{
    self->muted = muted;
}

void
bench_report_note (bench_report_t *self, const char *format, ...)
{
    if (!self->page)
        return;
    va_list args;
    va_start (args, format);
    fputs ("  ", stdout);
    vprintf (format, args);
    putchar ('\n');
    va_end (args);
    fflush (stdout);
}

double
bench_report_value (const bench_report_t *self, const char *section, const char *name)
{
    for (size_t i = self->count; i-- > 0;)
        if (strcmp (self->figures [i].section, section) == 0
        &&  strcmp (self->figures [i].name, name) == 0)
            return self->figures [i].value;
    return 0;
}

//  Names and units are constants of bench: they need no escaping.
void
bench_report_finish (bench_report_t *self)
{
    if (!self->options->json)
        return;
    FILE *file = self->page? fopen (self->options->json, "w"): stdout;
    if (!file)
        bench_die ("cannot write %s", self->options->json);
    fputs ("[", file);
    for (size_t i = 0; i < self->count; i++) {
        const s_figure_t *figure = &self->figures [i];
        fprintf (file, "%s\n {\"section\":\"%s\",\"name\":\"%s\",\"value\":%.6g,\"unit\":\"%s\"",
            i? ",": "", figure->section, figure->name, figure->value, figure->unit);
        if (figure->limit > 0)
            fprintf (file, ",\"limit\":%.6g,\"limit_name\":\"%s\",\"ratio\":%.4g",
                figure->limit, figure->limit_name, figure->value / figure->limit);
        fputs ("}", file);
    }
    fputs ("\n]\n", file);
    if (file != stdout)
        fclose (file);
}
