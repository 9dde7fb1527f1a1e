/*  scope - what each request answers to a key that is bound to users

    One row per operation of operations.h; the compiler reports an operation without one.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_SCOPE_H_INCLUDED
#define STELE_SCOPE_H_INCLUDED

typedef enum {
    STELE_SCOPE_OPEN,               // Nothing that belongs to a user: as to any other key
    STELE_SCOPE_READS,              // What belongs to its users: the reader is restricted to them
    STELE_SCOPE_WRITES,             // Each event must belong to one of its users
    STELE_SCOPE_UNBOUND             // Refused: the answer concerns all users
} stele_scope_t;

/*  X (constant, scope)                                                      */
#define STELE_OPERATION_SCOPES(X) \
    X (PING,              OPEN) \
    X (INFO,              OPEN)     /*  Without losses  */ \
    X (STATS,             UNBOUND) \
    X (STATS_TASKS,       READS) \
    X (STATS_SERIES,      UNBOUND)  /*  The counts are not kept per user  */ \
    X (STORAGE,           UNBOUND) \
    X (PUBLISH,           WRITES) \
    X (TASK_STATUS,       READS) \
    X (TASK_STATUSES,     READS) \
    X (TASK_GET,          READS) \
    X (TASK_LIST,         READS) \
    X (TASK_STUCK,        READS) \
    X (TASK_HISTORY,      READS) \
    X (TASK_OUTPUTS,      READS) \
    X (TASK_METRICS,      READS) \
    X (TASK_RECOVER,      UNBOUND) \
    X (TASK_ERASE,        UNBOUND) \
    X (SESSION_LIST,      READS) \
    X (SESSION_GET,       READS) \
    X (SESSION_COMMANDS,  READS) \
    X (SESSION_TIMES,     READS) \
    X (COMMAND_LIST,      READS) \
    X (PREFERENCE_GET,    READS) \
    X (EVENTS_READ,       READS) \
    X (TABLE_READ,        READS) \
    X (REJECTED_LIST,     UNBOUND) \
    X (REJECTED_RETRY,    UNBOUND) \
    X (PRODUCER_GET,      UNBOUND) \
    X (AUDIT_LIST,        UNBOUND) \
    X (MODE,              UNBOUND) \
    X (RECOVER,           UNBOUND) \
    X (KEYS_RELOAD,       UNBOUND) \
    X (CONSISTENCY_CHECK, UNBOUND) \
    X (BACKUP,            UNBOUND) \
    X (BACKUP_LIST,       UNBOUND)

#define STELE_SCOPE_ROW(constant, scope) STELE_SCOPE_OF_##constant = STELE_SCOPE_##scope,
enum { STELE_OPERATION_SCOPES (STELE_SCOPE_ROW) };
#undef STELE_SCOPE_ROW

#endif
