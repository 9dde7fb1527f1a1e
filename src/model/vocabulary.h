/*  vocabulary - closed sets of words, and their codes in the ledger

    Codes are stored: only add new ones, never change one. Source: protocol section 3.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_VOCABULARY_H_INCLUDED
#define STELE_VOCABULARY_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>

#define STELE_TASK_STATES(X) \
    X (STELE_TASK_QUEUED,      1, "queued") \
    X (STELE_TASK_STARTING,    2, "starting") \
    X (STELE_TASK_RUNNING,     3, "running") \
    X (STELE_TASK_PAUSED,      4, "paused") \
    X (STELE_TASK_COMPLETING,  5, "completing") \
    X (STELE_TASK_PASSED,      6, "passed") \
    X (STELE_TASK_FAILED,      7, "failed") \
    X (STELE_TASK_ERROR,       8, "error") \
    X (STELE_TASK_CANCELLED,   9, "cancelled") \
    X (STELE_TASK_TIMEOUT,    10, "timeout")

#define STELE_SESSION_STATES(X) \
    X (STELE_SESSION_INITIALIZING,  1, "initializing") \
    X (STELE_SESSION_STARTING,      2, "starting") \
    X (STELE_SESSION_RUNNING,       3, "running") \
    X (STELE_SESSION_WAITING_INPUT, 4, "waiting_input") \
    X (STELE_SESSION_PROCESSING,    5, "processing") \
    X (STELE_SESSION_COMPLETED,     6, "completed") \
    X (STELE_SESSION_ERROR,         7, "error") \
    X (STELE_SESSION_TERMINATED,    8, "terminated")

#define STELE_OUTPUT_TYPES(X) \
    X (STELE_OUTPUT_STDOUT,     1, "stdout") \
    X (STELE_OUTPUT_STDERR,     2, "stderr") \
    X (STELE_OUTPUT_LOG,        3, "log") \
    X (STELE_OUTPUT_ARTIFACT,   4, "artifact") \
    X (STELE_OUTPUT_COMMIT,     5, "commit") \
    X (STELE_OUTPUT_DIAGNOSTIC, 6, "diagnostic")

/*  X (constant, code, word, subject of the event). To add an event type: a row here, its fields in
    model/field.c, a migration in sql/, and the steps listed in sqlite/sql/event_tables.h. */
#define STELE_EVENT_TYPES(X) \
    X (STELE_TASK_CREATED,             1, "task.created",             STELE_SUBJECT_TASK) \
    X (STELE_TASK_UPDATED,             2, "task.updated",             STELE_SUBJECT_TASK) \
    X (STELE_TASK_STATE_CHANGED,       3, "task.state_changed",       STELE_SUBJECT_TASK) \
    X (STELE_TASK_OUTPUT_ADDED,        4, "task.output_added",        STELE_SUBJECT_TASK) \
    X (STELE_TASK_METRIC_RECORDED,     5, "task.metric_recorded",     STELE_SUBJECT_TASK) \
    X (STELE_SESSION_STARTED,          6, "session.started",          STELE_SUBJECT_SESSION) \
    X (STELE_SESSION_STATE_CHANGED,    7, "session.state_changed",    STELE_SUBJECT_SESSION) \
    X (STELE_SESSION_COMMAND_EXECUTED, 8, "session.command_executed", STELE_SUBJECT_SESSION) \
    X (STELE_PREFERENCE_SET,           9, "preference.set",           STELE_SUBJECT_PREFERENCE) \
    X (STELE_AUDIT_RECORDED,          10, "audit.recorded",           STELE_SUBJECT_AUDIT)

/*  The subject of an event, whose id the event contains                     */
typedef enum {
    STELE_SUBJECT_NONE,
    STELE_SUBJECT_TASK,
    STELE_SUBJECT_SESSION,
    STELE_SUBJECT_PREFERENCE,
    STELE_SUBJECT_AUDIT             // Who did it. Only the broker makes these events
} stele_subject_t;

#define STELE_WORD_ENUM(constant, number, ...) constant = number,
typedef enum { STELE_TASK_STATES (STELE_WORD_ENUM) STELE_TASK_STATE_END } stele_task_state_t;
typedef enum { STELE_SESSION_STATES (STELE_WORD_ENUM) STELE_SESSION_STATE_END } stele_session_state_t;
typedef enum { STELE_OUTPUT_TYPES (STELE_WORD_ENUM) STELE_OUTPUT_TYPE_END } stele_output_type_t;
typedef enum { STELE_EVENT_TYPES (STELE_WORD_ENUM) STELE_EVENT_TYPE_END } stele_event_type_t;
#undef STELE_WORD_ENUM

/*  Terminal states are the last ones of their set, from these on            */
#define STELE_TASK_TERMINAL_FROM STELE_TASK_PASSED
#define STELE_SESSION_TERMINAL_FROM STELE_SESSION_COMPLETED
_Static_assert (STELE_TASK_COMPLETING < STELE_TASK_TERMINAL_FROM && STELE_TASK_STATE_END == STELE_TASK_TERMINAL_FROM + 5,
    "a new state of tasks is terminal by its code: check what compares with STELE_TASK_TERMINAL_FROM");
_Static_assert (STELE_SESSION_PROCESSING < STELE_SESSION_TERMINAL_FROM
    && STELE_SESSION_STATE_END == STELE_SESSION_TERMINAL_FROM + 3,
    "a new state of sessions is terminal by its code: check what compares with STELE_SESSION_TERMINAL_FROM");

typedef enum {
    STELE_VOCABULARY_NONE,
    STELE_VOCABULARY_TASK_STATE,
    STELE_VOCABULARY_SESSION_STATE,
    STELE_VOCABULARY_OUTPUT_TYPE,
    STELE_VOCABULARY_EVENT_TYPE
} stele_vocabulary_t;

/*  Word of a code; NULL: no such code. Static storage.                      */
const char *
    stele_vocabulary_word (stele_vocabulary_t vocabulary, int code);

/*  Code of a word of 'size' bytes; 0: no such word.                         */
int
    stele_vocabulary_code (stele_vocabulary_t vocabulary, const char *word, size_t size);

/*  Subject of events of a type; NONE for a number that is no type.      */
stele_subject_t
    stele_event_subject (int type);

/*  All words as "a, b or c", for error messages. Valid until the next call in the same thread. */
const char *
    stele_vocabulary_list (stele_vocabulary_t vocabulary);

/*  The same of the event types that producers publish: all but those that only the broker makes. */
const char *
    stele_vocabulary_published (void);

#endif
