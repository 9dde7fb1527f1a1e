/*  disk - inject errors into the file operations of the process

    The functions at the end have the names of the C library's: the dynamic linker finds these
    first, for SQLite too. They call the kernel directly.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#undef _FORTIFY_SOURCE              // It redefines open() and write()
#undef _FILE_OFFSET_BITS            // It makes open64 an alias of open
#ifndef _GNU_SOURCE
#define _GNU_SOURCE                 // pwrite64 and its like
#endif

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>
#include "fault/disk.h"
#include "stele_library.h"

#define RULES_MAX 16

typedef enum { S_OPEN, S_READ, S_WRITE, S_SYNC, S_TRUNCATE, S_CALL_COUNT } s_call_t;
typedef enum { S_ERROR, S_SHORT, S_KILL, S_TORN, S_SLEEP } s_verb_t;

static const char *const s_calls [] = { "open", "read", "write", "sync", "truncate" };

static const struct {
    const char *name;
    s_verb_t verb;
    int error;
} s_whats [] = {
    { "EIO", S_ERROR, EIO }, { "ENOSPC", S_ERROR, ENOSPC }, { "EDQUOT", S_ERROR, EDQUOT },
    { "EROFS", S_ERROR, EROFS }, { "EMFILE", S_ERROR, EMFILE },
    { "short", S_SHORT, 0 }, { "kill", S_KILL, 0 }, { "torn", S_TORN, 0 }, { "sleep", S_SLEEP, 0 }
};

#define WHAT_COUNT (sizeof s_whats / sizeof *s_whats)

typedef struct {
    s_call_t call;
    char suffix [64];
    size_t what;
    unsigned sleep_ms;
    unsigned long from, to;         // Range of the matching calls, counted from 1
    char flag [256];                // Path of while=; "": use from and to
} s_rule_t;

static s_rule_t s_rules [RULES_MAX];
static atomic_ulong s_matches [RULES_MAX];
static size_t s_count;
static pthread_once_t s_once = PTHREAD_ONCE_INIT;

//  -- reading rules ----------------------------------------------------------------

static int
s_refuse (char *error, size_t error_size, const char *what, const char *rule)
{
    snprintf (error, error_size, "%s in disk fault rule '%s'", what, rule);
    return -1;
}

static bool
s_parse_when (s_rule_t *rule, const char *text)
{
    if (strncmp (text, "while=", 6) == 0)
        return snprintf (rule->flag, sizeof rule->flag, "%s", text + 6) < (int) sizeof rule->flag;
    char *end;
    rule->from = strtoul (text, &end, 10);
    if (end == text || rule->from == 0)
        return false;
    rule->to = rule->from;
    if (strcmp (end, "+") == 0)
        rule->to = (unsigned long) -1;
    else
    if (*end == '-')
        rule->to = strtoul (end + 1, &end, 10);
    return rule->to == (unsigned long) -1 || (*end == 0 && rule->to >= rule->from);
}

static bool
s_parse_place (s_rule_t *rule, char *text)
{
    char *suffix = strchr (text, '@');
    if (!suffix || strlen (suffix) > sizeof rule->suffix)
        return false;
    *suffix++ = 0;
    strcpy (rule->suffix, suffix);
    while (rule->call < S_CALL_COUNT && strcmp (s_calls [rule->call], text) != 0)
        rule->call++;
    return rule->call < S_CALL_COUNT;
}

static bool
s_parse_what (s_rule_t *rule, char *text)
{
    char *value = strchr (text, '=');
    if (value)
        *value++ = 0;
    while (rule->what < WHAT_COUNT && strcmp (s_whats [rule->what].name, text) != 0)
        rule->what++;
    if (rule->what == WHAT_COUNT)
        return false;
    s_verb_t verb = s_whats [rule->what].verb;
    if ((verb == S_SHORT || verb == S_TORN) && rule->call != S_WRITE)
        return false;
    rule->sleep_ms = value? (unsigned) strtoul (value, NULL, 10): 0;
    return (verb == S_SLEEP) == (rule->sleep_ms > 0);
}

int
stele_fault_disk_set (const char *text, char *error, size_t error_size)
{
    s_rule_t rules [RULES_MAX] = { 0 };
    size_t count = 0;
    char copy [2048];
    if (text && strlen (text) >= sizeof copy)
        return s_refuse (error, error_size, "too much", "STELE_FAULT_DISK");
    snprintf (copy, sizeof copy, "%s", text? text: "");
    char *rest = NULL;
    for (char *item = strtok_r (copy, ", ", &rest); item; item = strtok_r (NULL, ", ", &rest)) {
        if (count == RULES_MAX)
            return s_refuse (error, error_size, "too much", item);
        char whole [256];
        snprintf (whole, sizeof whole, "%s", item);
        char *parts = NULL;
        char *place = strtok_r (item, ":", &parts);
        char *what = strtok_r (NULL, ":", &parts);
        s_rule_t rule = { .from = 1, .to = (unsigned long) -1 };
        if (!place || !s_parse_place (&rule, place))
            return s_refuse (error, error_size, "unknown call", whole);
        if (!what || !s_parse_what (&rule, what))
            return s_refuse (error, error_size, "unknown fault", whole);
        if (*parts && !s_parse_when (&rule, parts))
            return s_refuse (error, error_size, "unknown time", whole);
        rules [count++] = rule;
    }
    memcpy (s_rules, rules, sizeof rules);
    s_count = count;
    for (size_t i = 0; i < RULES_MAX; i++)
        atomic_store (&s_matches [i], 0);
    return 0;
}

static void
s_read_environment (void)
{
    char error [256];
    if (stele_fault_disk_set (getenv ("STELE_FAULT_DISK"), error, sizeof error)) {
        fprintf (stderr, "STELE_FAULT_DISK: %s\n", error);
        _exit (EX_USAGE);
    }
}

void
stele_fault_disk_start (void)
{
    pthread_once (&s_once, s_read_environment);
}

//  -- matching rules -----------------------------------------------------------------

static bool
s_ends_with (const char *path, const char *suffix)
{
    size_t size = strlen (path), suffix_size = strlen (suffix);
    return size >= suffix_size && strcmp (path + size - suffix_size, suffix) == 0;
}

//  The first rule that applies to this call on that file, or NULL; counts the call for each
//  rule that matches it.
static const s_rule_t *
s_match (s_call_t call, const char *path)
{
    const s_rule_t *found = NULL;
    for (size_t i = 0; i < s_count; i++) {
        const s_rule_t *rule = &s_rules [i];
        if (rule->call != call || !s_ends_with (path, rule->suffix))
            continue;
        unsigned long count = atomic_fetch_add (&s_matches [i], 1) + 1;
        bool now = *rule->flag? access (rule->flag, F_OK) == 0: count >= rule->from && count <= rule->to;
        if (now && !found)
            found = rule;
    }
    return found;
}

static const s_rule_t *
s_match_handle (s_call_t call, int handle)
{
    int saved = errno;
    pthread_once (&s_once, s_read_environment);
    const s_rule_t *rule = NULL;
    if (s_count) {
        char link [32], path [4096];
        snprintf (link, sizeof link, "/proc/self/fd/%d", handle);
        ssize_t size = readlink (link, path, sizeof path - 1);
        if (size > 0 && *path == '/') {
            path [size] = 0;
            rule = s_match (call, path);
        }
    }
    errno = saved;
    return rule;
}

static void
s_die (const s_rule_t *rule)
{
    char line [128];
    int size = snprintf (line, sizeof line, "fault: %s@%s: kill\n", s_calls [rule->call], rule->suffix);
    syscall (SYS_write, STDERR_FILENO, line, (size_t) size);
    kill (getpid (), SIGKILL);
    while (true)
        pause ();
}

//  Apply a rule before the call. Returns whether the call fails, with errno.
static bool
s_fails (const s_rule_t *rule)
{
    if (!rule)
        return false;
    struct timespec time = { rule->sleep_ms / 1000, rule->sleep_ms % 1000 * 1000000L };
    switch (s_whats [rule->what].verb) {
        case S_ERROR:
            errno = s_whats [rule->what].error;
            return true;
        case S_SLEEP:
            nanosleep (&time, NULL);
            return false;
        case S_KILL:
            s_die (rule);
            return false;
        default:
            return false;
    }
}

//  How many of 'size' bytes a rule lets through
static size_t
s_part (const s_rule_t *rule, size_t size)
{
    bool part = rule && (s_whats [rule->what].verb == S_SHORT || s_whats [rule->what].verb == S_TORN);
    return part && size > 1? size / 2: size;
}

//  -- the calls ------------------------------------------------------------------------

STELE_EXPORT ssize_t
pwrite (int handle, const void *data, size_t size, off_t offset)
{
    const s_rule_t *rule = s_match_handle (S_WRITE, handle);
    if (s_fails (rule))
        return -1;
    ssize_t rc = syscall (SYS_pwrite64, handle, data, s_part (rule, size), offset);
    if (rule && s_whats [rule->what].verb == S_TORN)
        s_die (rule);
    return rc;
}

STELE_EXPORT ssize_t
pwrite64 (int handle, const void *data, size_t size, off64_t offset)
{
    return pwrite (handle, data, size, (off_t) offset);
}

STELE_EXPORT ssize_t
pread (int handle, void *data, size_t size, off_t offset)
{
    return s_fails (s_match_handle (S_READ, handle))? -1:
        syscall (SYS_pread64, handle, data, size, offset);
}

STELE_EXPORT ssize_t
pread64 (int handle, void *data, size_t size, off64_t offset)
{
    return pread (handle, data, size, (off_t) offset);
}

STELE_EXPORT ssize_t
write (int handle, const void *data, size_t size)
{
    const s_rule_t *rule = s_match_handle (S_WRITE, handle);
    if (s_fails (rule))
        return -1;
    ssize_t rc = syscall (SYS_write, handle, data, s_part (rule, size));
    if (rule && s_whats [rule->what].verb == S_TORN)
        s_die (rule);
    return rc;
}

STELE_EXPORT int
fdatasync (int handle)
{
    return s_fails (s_match_handle (S_SYNC, handle))? -1: (int) syscall (SYS_fdatasync, handle);
}

STELE_EXPORT int
fsync (int handle)
{
    return s_fails (s_match_handle (S_SYNC, handle))? -1: (int) syscall (SYS_fsync, handle);
}

STELE_EXPORT int
ftruncate (int handle, off_t size)
{
    return s_fails (s_match_handle (S_TRUNCATE, handle))? -1:
        (int) syscall (SYS_ftruncate, handle, size);
}

STELE_EXPORT int
ftruncate64 (int handle, off64_t size)
{
    return ftruncate (handle, (off_t) size);
}

static int
s_open (const char *path, int flags, mode_t mode)
{
    pthread_once (&s_once, s_read_environment);
    if (s_count && s_fails (s_match (S_OPEN, path)))
        return -1;
    return (int) syscall (SYS_openat, AT_FDCWD, path, flags, mode);
}

STELE_EXPORT int
open (const char *path, int flags, ...)
{
    va_list args;
    va_start (args, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE)? (mode_t) va_arg (args, int): 0;
    va_end (args);
    return s_open (path, flags, mode);
}

STELE_EXPORT int
open64 (const char *path, int flags, ...)
{
    va_list args;
    va_start (args, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE)? (mode_t) va_arg (args, int): 0;
    va_end (args);
    return s_open (path, flags, mode);
}
