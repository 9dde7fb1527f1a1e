/*  event_tables - the table of the ledger for each event type

    To add an event type:
      model/vocabulary.h            its code, its word and its subject
      model/field.c                 its fields: required, optional
      sql/                          a migration: its word, and a kind of row or a table for it
      sqlite/sql/event_tables.h     its table
      sqlite/write/append.c         how its row is written
      sqlite/reader/event_rows.c    how its row is read
    The record that is passed between the folders, and the topic of the feed, follow from these tables. The compiler
    reports a type that is missing in event_tables.h and append.c, and a table that is
    missing in rows.c and log.c.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_EVENT_TABLES_H_INCLUDED
#define STELE_EVENT_TABLES_H_INCLUDED

#include "model/vocabulary.h"

//  X (name, table in the ledger, subject of its events). The order is free.
#define STELE_EVENT_TABLES(X) \
    X (HISTORY,     "task_history",            STELE_SUBJECT_TASK) \
    X (OUTPUTS,     "task_outputs",            STELE_SUBJECT_TASK) \
    X (METRICS,     "task_metrics",            STELE_SUBJECT_TASK) \
    X (SESSIONS,    "cli_session_history",     STELE_SUBJECT_SESSION) \
    X (COMMANDS,    "cli_session_commands",    STELE_SUBJECT_SESSION) \
    X (PREFERENCES, "user_preference_history", STELE_SUBJECT_PREFERENCE) \
    X (AUDIT,       "audit_events",            STELE_SUBJECT_AUDIT)

//  X (type of event, name of its table above). Each type once, in any order.
#define STELE_EVENT_TYPE_TABLES(X) \
    X (STELE_TASK_CREATED,             HISTORY) \
    X (STELE_TASK_UPDATED,             HISTORY) \
    X (STELE_TASK_STATE_CHANGED,       HISTORY) \
    X (STELE_TASK_OUTPUT_ADDED,        OUTPUTS) \
    X (STELE_TASK_METRIC_RECORDED,     METRICS) \
    X (STELE_SESSION_STARTED,          SESSIONS) \
    X (STELE_SESSION_STATE_CHANGED,    SESSIONS) \
    X (STELE_SESSION_COMMAND_EXECUTED, COMMANDS) \
    X (STELE_PREFERENCE_SET,           PREFERENCES) \
    X (STELE_AUDIT_RECORDED,           AUDIT)

#define STELE_EVENT_TYPE_COUNT_ONE(type, table) + 1
_Static_assert (0 STELE_EVENT_TYPE_TABLES (STELE_EVENT_TYPE_COUNT_ONE) == STELE_EVENT_TYPE_END - 1,
    "each type of event has its table");
#undef STELE_EVENT_TYPE_COUNT_ONE

#endif
