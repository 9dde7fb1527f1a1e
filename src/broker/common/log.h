/*  log - the log of the broker: one line per message, on standard error

    A message has a level, the name of its event, a text and fields. Formats:
      text   2026-11-29T20:30:27.123Z warning steled: TEXT
             If standard error is the journal of systemd (JOURNAL_STREAM), "<4>steled: TEXT" instead:
             the journal records time and level itself.
      json   {"time":"…","level":"warning","event":"redis_away","message":"TEXT", fields}
      zsys   through zsys_warning and so on of czmq, for a program that embeds the broker

    Everything is escaped as it is written, so that no peer, file or server can forge a line or send a
    control sequence to a terminal: control characters, C1, the characters that change the
    direction of writing, line separators, and bytes that are not UTF-8.

    Format and level are those of the process. Any thread may log: a line is one write.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_LOG_H_INCLUDED
#define STELE_LOG_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "stele_error.h"

typedef enum {
    STELE_LOG_ERROR,                // The operator has to act
    STELE_LOG_WARNING,              // A problem; the broker continues
    STELE_LOG_INFO,                 // Normal, and worth a line
    STELE_LOG_DEBUG                 // Each committed batch
} stele_log_level_t;

/*  A field of a message; the last one of an array has the name NULL.        */
typedef struct {
    const char *name;
    const char *text;               // NULL: the value is 'number'
    int64_t number;
} stele_log_field_t;

#define STELE_LOG_TEXT(name, text) { name, text, 0 }
#define STELE_LOG_NUMBER(name, number) { name, NULL, number }
#define STELE_LOG_FIELDS(...) (const stele_log_field_t []) { __VA_ARGS__, { NULL, NULL, 0 } }

/*  Set format and level by the words of the settings log and log-level, which were checked. */
void
    stele_log_configure (const char *format, const char *level);

/*  Name of the program in lines of text, instead of steled; static storage. Call it before threads log. */
void
    stele_log_set_program (const char *name);

/*  Returns whether a message of this level would be written                                */
bool
    stele_log_has (stele_log_level_t level);

/*  Write a message. 'event' is a word without spaces; 'fields' may be NULL. */
void
    stele_log (stele_log_level_t level, const char *event, const stele_log_field_t *fields,
        const char *format, ...) STELE_PRINTF (4, 5);

#define stele_log_error(event, ...) stele_log (STELE_LOG_ERROR, event, NULL, __VA_ARGS__)
#define stele_log_warning(event, ...) stele_log (STELE_LOG_WARNING, event, NULL, __VA_ARGS__)
#define stele_log_info(event, ...) stele_log (STELE_LOG_INFO, event, NULL, __VA_ARGS__)

/*  Format a line without its newline, as 'json' or as text; in the journal's form if 'journal'.
    Caller owns return value, and frees it with free().                      */
char *
    stele_log_line (bool json, bool journal, int64_t time_us, stele_log_level_t level, const char *event,
        const stele_log_field_t *fields, const char *message);

#endif
