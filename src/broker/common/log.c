/*  log - the log of the broker: one line per message, on standard error

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#define _GNU_SOURCE                 // vasprintf
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <czmq.h>
#include "base/character.h"
#include "base/clock.h"
#include "base/memory.h"
#include "broker/common/log.h"

typedef enum { S_TEXT, S_JSON, S_ZSYS } s_format_t;

static const char *const s_levels [] = { "error", "warning", "info", "debug" };

//  Of the process: read by every thread, set at the start and by a reload
static const char *s_program = "steled";
static atomic_int s_format = S_TEXT;
static atomic_int s_level = STELE_LOG_INFO;

void
stele_log_set_program (const char *name)
{
    s_program = name;
}

void
stele_log_configure (const char *format, const char *level)
{
    atomic_store (&s_format, strcmp (format, "json") == 0? S_JSON: strcmp (format, "zsys") == 0? S_ZSYS: S_TEXT);
    for (int i = 0; i <= STELE_LOG_DEBUG; i++)
        if (strcmp (level, s_levels [i]) == 0)
            atomic_store (&s_level, i);
}

bool
stele_log_has (stele_log_level_t level)
{
    return (int) level <= atomic_load (&s_level);
}

//  -- escaping -----------------------------------------------------------------------

//  Does it control the terminal or reorder the line, instead of being shown?
static bool
s_acts (uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0)
        || code == 0x200e || code == 0x200f || code == 0x061c           // Marks of direction
        || (code >= 0x2028 && code <= 0x202e)                           // Separators; embeddings, overrides
        || (code >= 0x2066 && code <= 0x2069);                          // Isolates
}

//  The only function that writes text of others to a line
static void
s_escape (FILE *line, const char *text, bool json)
{
    for (size_t left = strlen (text), size; left; text += size, left -= size) {
        uint32_t code = 0;
        size = stele_character_decode (text, left, &code);
        if (size == 0) {
            fprintf (line, json? "\\ufffd": "\\x%02x", (unsigned char) *text);
            size = 1;
        }
        else
        if (s_acts (code))
            fprintf (line, json || code > 0xff? "\\u%04" PRIx32: "\\x%02" PRIx32, code);
        else {
            if (json && (code == '"' || code == '\\'))
                fputc ('\\', line);
            fwrite (text, 1, size, line);
        }
    }
}

//  -- lines ----------------------------------------------------------------------------

//  RFC 3339 in UTC, with milliseconds
static void
s_put_time (FILE *line, int64_t time_us)
{
    time_t seconds = (time_t) (time_us / 1000000);
    struct tm parts;
    char text [40];
    gmtime_r (&seconds, &parts);
    strftime (text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
    fprintf (line, "%s.%03dZ", text, (int) (time_us / 1000 % 1000));
}

static void
s_put_json (FILE *line, const char *name, const char *text)
{
    fprintf (line, ",\"%s\":\"", name);
    s_escape (line, text, true);
    fputc ('"', line);
}

char *
stele_log_line (bool json, bool journal, int64_t time_us, stele_log_level_t level, const char *event,
    const stele_log_field_t *fields, const char *message)
{
    char *text = NULL;
    size_t size = 0;
    FILE *line = open_memstream (&text, &size);
    if (!line)
        abort ();
    if (json) {
        fputs ("{\"time\":\"", line);
        s_put_time (line, time_us);
        fprintf (line, "\",\"level\":\"%s\",\"event\":\"%s\"", s_levels [level], event);
        s_put_json (line, "message", message);
        for (; fields && fields->name; fields++)
            if (fields->text)
                s_put_json (line, fields->name, fields->text);
            else
                fprintf (line, ",\"%s\":%" PRId64, fields->name, fields->number);
        fputc ('}', line);
    }
    else {
        if (journal)                    //  sd-daemon(3): error is 3, debug is 7, and notice (5) is not used
            fprintf (line, "<%d>", level <= STELE_LOG_WARNING? 3 + (int) level: 4 + (int) level);
        else {
            s_put_time (line, time_us);
            fprintf (line, " %s ", s_levels [level]);
        }
        fprintf (line, "%s: ", s_program);
        s_escape (line, message, false);
    }
    if (fclose (line) != 0)
        abort ();
    return text;
}

//  Is standard error the stream that JOURNAL_STREAM names (device:inode)? A program started by a
//  service inherits the variable, but may log elsewhere.
static bool
s_is_journal (void)
{
    const char *stream = getenv ("JOURNAL_STREAM");
    struct stat status;
    unsigned long long device, inode;
    return stream && sscanf (stream, "%llu:%llu", &device, &inode) == 2 && fstat (STDERR_FILENO, &status) == 0
        && device == (unsigned long long) status.st_dev && inode == (unsigned long long) status.st_ino;
}

static void
s_send_zsys (stele_log_level_t level, const char *message)
{
    char *text = NULL;
    size_t size = 0;
    FILE *line = open_memstream (&text, &size);
    if (!line)
        abort ();
    s_escape (line, message, false);
    if (fclose (line) != 0)
        abort ();
    static void (*const send []) (const char *format, ...) = { zsys_error, zsys_warning, zsys_info, zsys_debug };
    send [level] ("%s", text);
    free (text);
}

void
stele_log (stele_log_level_t level, const char *event, const stele_log_field_t *fields, const char *format, ...)
{
    if (!stele_log_has (level))
        return;
    int reason = errno;
    char *message = NULL;
    va_list args;
    va_start (args, format);
    if (vasprintf (&message, format, args) < 0)
        abort ();
    va_end (args);
    s_format_t kind = (s_format_t) atomic_load (&s_format);
    if (kind == S_ZSYS)
        s_send_zsys (level, message);
    else {
        char *line = stele_log_line (kind == S_JSON, kind == S_TEXT && s_is_journal (), stele_clock_us (), level,
            event, fields, message);
        //  The newline replaces the terminating zero, so that the line is one write
        size_t size = strlen (line);
        line [size] = '\n';
        if (write (STDERR_FILENO, line, size + 1) < 0)
            errno = 0;                  //  Nowhere to report it
        free (line);
    }
    free (message);
    errno = reason;
}
