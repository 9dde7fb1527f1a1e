/*  rules - read a rule file

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/memory.h"
#include "redact/keywords.h"
#include "redact/rules.h"

struct stele_rules {
    stele_rule_t *rules;
    size_t count, room;
};

//  The place in a file, for refusals
typedef struct {
    stele_rules_t *rules;
    stele_rule_t *rule;             // Of the section; NULL: before the first one
    const char *name;
    int line;
    stele_refusal_t *refusal;
} s_reading_t;

static void
s_clear (stele_rule_t *rule)
{
    for (size_t i = 0; i < rule->keyword_count; i++)
        free (rule->keywords [i]);
    for (size_t i = 0; i < rule->name_count; i++)
        free (rule->names [i]);
    free (rule->regex);
}

stele_rules_t *
stele_rules_new (void)
{
    stele_rules_t *self = STELE_NEW (stele_rules_t);
    stele_refusal_t refusal;
    int rc = stele_rules_read (self, stele_rules_default, strlen (stele_rules_default), "redact.rules", &refusal);
    assert (rc == 0);
    return self;
}

void
stele_rules_destroy (stele_rules_t **self_p)
{
    stele_rules_t *self = *self_p;
    if (!self)
        return;
    for (size_t i = 0; i < self->count; i++)
        s_clear (&self->rules [i]);
    free (self->rules);
    free (self);
    *self_p = NULL;
}

size_t
stele_rules_count (const stele_rules_t *self)
{
    return self->count;
}

const stele_rule_t *
stele_rules_at (const stele_rules_t *self, size_t index)
{
    return &self->rules [index];
}

static int
s_refuse (const s_reading_t *at, const char *format, const char *text)
{
    char reason [400];
    snprintf (reason, sizeof reason, format, text);
    return stele_refuse (at->refusal, STELE_EINVALID_FIELD, "redact-rules", "%s:%d: %s", at->name, at->line, reason);
}

//  The section that was read last is complete?
static int
s_finish (const s_reading_t *at)
{
    const stele_rule_t *rule = at->rule;
    if (!rule || !rule->enabled)
        return 0;
    if (!rule->regex)
        return s_refuse (at, "rule %s has no regex", rule->id);
    if (rule->keyword_count == 0 && rule->name_count == 0)
        return s_refuse (at, "rule %s has no keyword", rule->id);
    if (rule->name_count && (rule->keyword_count || rule->back || rule->boundary))
        return s_refuse (at, "rule %s has names, so it cannot have keyword, back or boundary", rule->id);
    return 0;
}

static int
s_begin (s_reading_t *at, const char *text, size_t size)
{
    char id [STELE_RULE_ID + 1] = "";
    if (size < 3 || size - 2 > STELE_RULE_ID || text [size - 1] != ']')
        return s_refuse (at, "a section is [id], the id of a-z, 0-9 and -, at most 40 bytes%s", "");
    memcpy (id, text + 1, size - 2);
    if (strspn (id, "abcdefghijklmnopqrstuvwxyz0123456789-") != size - 2)
        return s_refuse (at, "an id has only a-z, 0-9 and -%s", "");
    stele_rules_t *rules = at->rules;
    size_t index = 0;
    while (index < rules->count && strcmp (rules->rules [index].id, id) != 0)
        index++;
    if (index < rules->count)
        s_clear (&rules->rules [index]);
    else {
        if (rules->count == STELE_RULES_MAX)
            return s_refuse (at, "more than 1000 rules%s", "");
        rules->rules = stele_array_must_grow (rules->rules, &rules->room, rules->count + 1, sizeof *rules->rules);
        rules->count++;
    }
    at->rule = &rules->rules [index];
    *at->rule = (stele_rule_t) { .enabled = true };
    memcpy (at->rule->id, id, sizeof id);
    return 0;
}

static int
s_keyword (const s_reading_t *at, const char *value)
{
    char keyword [STELE_KEYWORD_MAX + 1];
    size_t size = 0;
    bool quoted = *value == '"';
    for (value += quoted; *value && !(quoted && *value == '"' && !value [1]); value++) {
        if (quoted && *value == '\\' && value [1])
            value++;
        if (size == STELE_KEYWORD_MAX)
            return s_refuse (at, "a keyword has 3 to 64 bytes%s", "");
        keyword [size++] = *value;
    }
    if (size < STELE_KEYWORD_MIN)
        return s_refuse (at, "a keyword has 3 to 64 bytes%s", "");
    if (at->rule->keyword_count == STELE_RULE_KEYWORDS)
        return s_refuse (at, "rule %s has more than 64 keywords", at->rule->id);
    at->rule->keywords [at->rule->keyword_count++] = stele_memory_copy (keyword, size);
    return 0;
}

static int
s_name (const s_reading_t *at, const char *value)
{
    size_t size = strlen (value);
    if (size < STELE_KEYWORD_MIN || size > STELE_RULE_NAME
    ||  strspn (value, "abcdefghijklmnopqrstuvwxyz0123456789_") != size)
        return s_refuse (at, "a name has 3 to 31 of a-z, 0-9 and _%s", "");
    if (at->rule->name_count == STELE_RULE_KEYWORDS)
        return s_refuse (at, "rule %s has more than 64 names", at->rule->id);
    at->rule->names [at->rule->name_count++] = stele_memory_copy (value, size);
    return 0;
}

static int
s_number (const s_reading_t *at, const char *key, const char *value, double max, double *number)
{
    char *end, takes [80];
    *number = strtod (value, &end);
    if (*value >= '0' && *value <= '9' && !*end && *number <= max)
        return 0;
    snprintf (takes, sizeof takes, "%s takes a number from 0 to %g", key, max);
    return s_refuse (at, "%s", takes);
}

static int
s_flag (const s_reading_t *at, const char *value, const char *yes, const char *no, bool *flag)
{
    char takes [80];
    *flag = strcmp (value, yes) == 0;
    if (*flag || strcmp (value, no) == 0)
        return 0;
    snprintf (takes, sizeof takes, "it takes %s or %s", yes, no);
    return s_refuse (at, "%s", takes);
}

static int
s_set (const s_reading_t *at, const char *key, const char *value)
{
    stele_rule_t *rule = at->rule;
    double back;
    if (strcmp (key, "keyword") == 0)
        return s_keyword (at, value);
    if (strcmp (key, "name") == 0)
        return s_name (at, value);
    if (strcmp (key, "regex") == 0) {
        if (rule->regex || strlen (value) > STELE_RULE_REGEX)
            return s_refuse (at, "rule %s: one regex of at most 4096 bytes", rule->id);
        rule->regex = stele_memory_copy (value, strlen (value));
        return 0;
    }
    if (strcmp (key, "entropy") == 0)
        return s_number (at, key, value, 8, &rule->entropy);
    if (strcmp (key, "case") == 0)
        return s_flag (at, value, "ignore", "exact", &rule->fold);
    if (strcmp (key, "boundary") == 0)
        return s_flag (at, value, "yes", "no", &rule->boundary);
    if (strcmp (key, "enabled") == 0)
        return s_flag (at, value, "yes", "no", &rule->enabled);
    if (strcmp (key, "back") != 0)
        return s_refuse (at, "unknown key; use keyword, name, regex, back, case, boundary, entropy or enabled%s", "");
    int rc = s_number (at, key, value, STELE_RULE_BACK, &back);
    rule->back = rc? 0: (size_t) back;
    return rc;
}

//  One line, trimmed and terminated
static int
s_line (s_reading_t *at, char *line, size_t size)
{
    if (size == 0 || *line == '#')
        return 0;
    if (*line == '[') {
        int rc = s_finish (at);
        return rc? rc: s_begin (at, line, size);
    }
    char *equals = strchr (line, '=');
    if (!at->rule || !equals)
        return s_refuse (at, "a line is [id], key = value, or a comment that begins with #%s", "");
    char *end = equals;
    while (end > line && (end [-1] == ' ' || end [-1] == '\t'))
        end--;
    *end = 0;
    return s_set (at, line, equals + 1 + strspn (equals + 1, " \t"));
}

int
stele_rules_read (stele_rules_t *self, const char *text, size_t size, const char *name, stele_refusal_t *refusal)
{
    s_reading_t at = { .rules = self, .name = name, .refusal = refusal };
    if (memchr (text, 0, size))
        return s_refuse (&at, "it has a NUL byte%s", "");
    const char *end = text + size;
    int rc = 0;
    while (text < end && rc == 0) {
        const char *next = memchr (text, '\n', (size_t) (end - text));
        const char *stop = next? next: end;
        at.line++;
        while (text < stop && strchr (" \t\r", *text))
            text++;
        while (stop > text && strchr (" \t\r", stop [-1]))
            stop--;
        char *line = stele_memory_copy (text, (size_t) (stop - text));
        rc = s_line (&at, line, (size_t) (stop - text));
        free (line);
        text = next? next + 1: end;
    }
    return rc? rc: s_finish (&at);
}

int
stele_rules_load (stele_rules_t *self, const char *path, stele_refusal_t *refusal)
{
    FILE *file = fopen (path, "re");
    if (!file)
        return stele_refuse (refusal, STELE_EINVALID_FIELD, "redact-rules", "%s: %s", path, strerror (errno));
    char *text = stele_memory_new (STELE_RULES_FILE + 1);
    size_t size = fread (text, 1, STELE_RULES_FILE + 1, file);
    int rc;
    if (ferror (file))
        rc = stele_refuse (refusal, STELE_EINVALID_FIELD, "redact-rules", "%s: %s", path, strerror (errno));
    else
    if (size > STELE_RULES_FILE)
        rc = stele_refuse (refusal, STELE_EINVALID_FIELD, "redact-rules", "%s: larger than %d bytes", path, STELE_RULES_FILE);
    else
        rc = stele_rules_read (self, text, size, path, refusal);
    fclose (file);
    free (text);
    return rc;
}
