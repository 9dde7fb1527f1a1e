/*  fault - parse the rules, and apply those that match

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>
#include "fault/disk.h"
#include "fault/fault.h"
#include "stele_error.h"

#define RULES_MAX 16

typedef enum { S_PLAIN, S_EIO, S_ANY } s_returns_t;
typedef enum { S_KILL, S_EXIT, S_STOP, S_SLEEP, S_HOLD, S_RETURN } s_verb_t;

static const struct {
    const char *name;
    s_returns_t returns;
    const char *text;
} s_points [] = {
#define S_POINT(name, returns, text) { #name, S_##returns, text },
    STELE_FAULT_POINTS (S_POINT)
#undef S_POINT
};

static const char *const s_controls [] = {
#define S_CONTROL(name, text) #name,
    STELE_CONTROLS (S_CONTROL)
#undef S_CONTROL
};

static const struct {
    const char *name;
    s_verb_t verb;
    int code;
} s_actions [] = {
    { "kill", S_KILL, 0 },
    { "exit", S_EXIT, 0 },
    { "stop", S_STOP, 0 },
    { "sleep", S_SLEEP, 0 },
    { "hold", S_HOLD, 0 },
    { "error", S_RETURN, STELE_EIO },
    { "full", S_RETURN, STELE_EFULL },
    { "busy", S_RETURN, STELE_EBUSY },
    { "nomem", S_RETURN, STELE_ENO_MEMORY }
};

#define ACTION_COUNT (sizeof s_actions / sizeof *s_actions)

typedef struct {
    stele_fault_t point;
    size_t action;
    unsigned sleep_ms;
    char path [200];                // Of the file that holds it
    unsigned long from, to;         // Range of the hits, counted from 1
} s_rule_t;

typedef struct {
    s_rule_t items [RULES_MAX];
    size_t count;
    bool controls [STELE_CONTROL_COUNT];
} s_rules_t;

static s_rules_t s_rules;
static atomic_ulong s_hits [STELE_FAULT_COUNT];
static pthread_once_t s_once = PTHREAD_ONCE_INIT;

//  -- reading rules ----------------------------------------------------------------

static int
s_refuse (char *error, size_t error_size, const char *what, const char *rule)
{
    snprintf (error, error_size, "%s in fault rule '%s'", what, rule);
    return -1;
}

static bool
s_parse_control (s_rules_t *rules, const char *name)
{
    for (size_t i = 0; i < STELE_CONTROL_COUNT; i++)
        if (strcmp (s_controls [i], name) == 0) {
            rules->controls [i] = true;
            return true;
        }
    return false;
}

static bool
s_parse_number (const char *text, unsigned long *number, bool *open)
{
    char *end;
    errno = 0;
    *number = strtoul (text, &end, 10);
    *open = *end == '+';
    return errno == 0 && end > text && strcmp (end, *open? "+": "") == 0;
}

//  What follows the '=' of an action: NULL if it has none
static int
s_parse_value (s_rule_t *rule, const char *value)
{
    bool open = false;
    unsigned long number = 0;
    switch (s_actions [rule->action].verb) {
        case S_SLEEP:
            if (!value || !s_parse_number (value, &number, &open) || open)
                return -1;
            rule->sleep_ms = (unsigned) number;
            return 0;
        case S_HOLD:
            if (!value || !*value || strlen (value) >= sizeof rule->path)
                return -1;
            snprintf (rule->path, sizeof rule->path, "%s", value);
            return 0;
        default:
            return value? -1: 0;
    }
}

static int
s_parse_rule (s_rules_t *rules, char *text, char *error, size_t error_size)
{
    if (s_parse_control (rules, text))
        return 0;
    char whole [300];
    snprintf (whole, sizeof whole, "%s", text);
    char *rest = NULL;
    const char *name = strtok_r (text, ":", &rest);
    char *action = strtok_r (NULL, ":", &rest);
    const char *count = strtok_r (NULL, ":", &rest);
    s_rule_t rule = { .from = 1, .to = (unsigned long) -1 };
    while (rule.point < STELE_FAULT_COUNT && strcmp (s_points [rule.point].name, name? name: "") != 0)
        rule.point++;
    if (rule.point == STELE_FAULT_COUNT)
        return s_refuse (error, error_size, "unknown name", whole);
    char *value = action? strchr (action, '='): NULL;
    if (value)
        *value++ = 0;
    while (rule.action < ACTION_COUNT && strcmp (s_actions [rule.action].name, action? action: "") != 0)
        rule.action++;
    if (rule.action == ACTION_COUNT)
        return s_refuse (error, error_size, "unknown action", whole);
    s_returns_t returns = s_points [rule.point].returns;
    if (s_actions [rule.action].verb == S_RETURN
    &&  (returns == S_PLAIN || (returns == S_EIO && s_actions [rule.action].code != STELE_EIO)))
        return s_refuse (error, error_size, "an error that this place cannot return", whole);
    if (s_parse_value (&rule, value))
        return s_refuse (error, error_size, "an invalid time or file", whole);
    bool open = false;
    if (count) {
        if (!s_parse_number (count, &rule.from, &open) || rule.from == 0)
            return s_refuse (error, error_size, "an invalid count", whole);
        rule.to = open? rule.to: rule.from;
    }
    if (rules->count == RULES_MAX || *rest)
        return s_refuse (error, error_size, "too much", whole);
    rules->items [rules->count++] = rule;
    return 0;
}

int
stele_fault_set (const char *text, char *error, size_t error_size)
{
    s_rules_t rules = { .count = 0 };
    char copy [1024];
    if (text && strlen (text) >= sizeof copy)
        return s_refuse (error, error_size, "too much", "STELE_FAULT");
    snprintf (copy, sizeof copy, "%s", text? text: "");
    char *rest = NULL;
    for (char *rule = strtok_r (copy, ", ", &rest); rule; rule = strtok_r (NULL, ", ", &rest))
        if (s_parse_rule (&rules, rule, error, error_size))
            return -1;
    s_rules = rules;
    for (size_t i = 0; i < STELE_FAULT_COUNT; i++)
        atomic_store (&s_hits [i], 0);
    return 0;
}

static void
s_read_environment (void)
{
    char error [256];
    if (stele_fault_set (getenv ("STELE_FAULT"), error, sizeof error)) {
        fprintf (stderr, "STELE_FAULT: %s\n", error);
        _exit (EX_USAGE);
    }
    stele_fault_disk_start ();
}

//  -- acting -------------------------------------------------------------------------

static void
s_report (const char *name, const char *action)
{
    //  One write, so that it is complete if SIGKILL follows
    char line [128];
    int size = snprintf (line, sizeof line, "fault: %s: %s\n", name, action);
    if (write (STDERR_FILENO, line, (size_t) size) < 0)
        return;
}

static void
s_sleep (unsigned time_ms)
{
    struct timespec time = { time_ms / 1000, time_ms % 1000 * 1000000L };
    while (nanosleep (&time, &time) && errno == EINTR) {}
}

static int
s_act (const s_rule_t *rule)
{
    if (s_actions [rule->action].verb != S_SLEEP && s_actions [rule->action].verb != S_HOLD)
        s_report (s_points [rule->point].name, s_actions [rule->action].name);
    switch (s_actions [rule->action].verb) {
        case S_KILL:
            kill (getpid (), SIGKILL);
            while (true)
                pause ();
        case S_EXIT:
            _exit (EX_SOFTWARE);
        case S_STOP:
            kill (getpid (), SIGSTOP);
            return 0;
        case S_SLEEP:
            s_sleep (rule->sleep_ms);
            return 0;
        case S_HOLD:
            while (access (rule->path, F_OK) == 0)
                s_sleep (5);
            return 0;
        case S_RETURN:
            return s_actions [rule->action].code;
    }
    return 0;
}

int
stele_fault_hit (stele_fault_t point)
{
    pthread_once (&s_once, s_read_environment);
    unsigned long hit = atomic_fetch_add (&s_hits [point], 1) + 1;
    int code = 0;
    for (size_t i = 0; i < s_rules.count && code == 0; i++) {
        const s_rule_t *rule = &s_rules.items [i];
        if (rule->point == point && hit >= rule->from && hit <= rule->to)
            code = s_act (rule);
    }
    return code;
}

bool
stele_fault_control (stele_control_t control)
{
    pthread_once (&s_once, s_read_environment);
    return s_rules.controls [control];
}

unsigned long
stele_fault_hits (stele_fault_t point)
{
    return atomic_load (&s_hits [point]);
}

void
stele_fault_list (FILE *file, bool verbose)
{
    pthread_once (&s_once, s_read_environment);
    for (size_t i = 0; i < STELE_FAULT_COUNT; i++)
        if (verbose)
            fprintf (file, "%-24s  %s\n", s_points [i].name, s_points [i].text);
        else
            fprintf (file, "%s\n", s_points [i].name);
}
