/*  stele_error - what can go wrong, in one table

    Functions of the library return 0 (or a count) on success and a negative
    STELE_E... code on failure. The same code has a name on the wire
    (doc/PROTOCOL.md section 8) and a hint for the person who sees it.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_ERROR_H_INCLUDED
#define STELE_ERROR_H_INCLUDED

#include "stele_library.h"

#ifdef __cplusplus
extern "C" {
#endif

/*  X (constant, number, name on the wire, what it means and the way out)    */
#define STELE_ERRORS(X) \
    X (STELE_EMALFORMED,     1, "malformed",          "not one msgpack map of valid UTF-8 strings: check the encoder") \
    X (STELE_EUNKNOWN_OP,    2, "unknown_op",         "no such operation: see doc/PROTOCOL.md for the list") \
    X (STELE_EUNKNOWN_TYPE,  3, "unknown_type",       "no such type of event: see doc/PROTOCOL.md for the list") \
    X (STELE_EMISSING_FIELD, 4, "missing_field",      "a required field is absent: add it") \
    X (STELE_EINVALID_FIELD, 5, "invalid_field",      "a field has the wrong type or value: correct it") \
    X (STELE_ETOO_LARGE,     6, "too_large",          "over a limit: make it smaller or split it") \
    X (STELE_EILLEGAL,       7, "illegal_transition", "the task is in a terminal state: retry it (queued) first") \
    X (STELE_EEXISTS,        8, "task_exists",        "the task was created with other fields: use task.updated") \
    X (STELE_EGAP,           9, "sequence_gap",       "events are missing before this one: resend from 'expected'") \
    X (STELE_EWINDOW,       10, "window_exceeded",    "too many events unacked: wait for acks") \
    X (STELE_EFENCED,       11, "fenced",             "a newer instance of this producer took over: stop this one") \
    X (STELE_ENO_HELLO,     12, "no_hello",           "say hello first, then go on from the welcome") \
    X (STELE_EPROTOCOL,     13, "unsupported_protocol", "this broker speaks another version of the protocol") \
    X (STELE_EUNAUTHORIZED, 14, "unauthorized",       "this key may not do that") \
    X (STELE_EBAD_REQUEST,  15, "bad_request",        "the request is not of the form that its operation takes") \
    X (STELE_ENOT_FOUND,    16, "not_found",          "no such record") \
    X (STELE_ETIMEOUT,      17, "timeout",            "not done in time: is the broker running and reachable?") \
    X (STELE_EUNAVAILABLE,  18, "unavailable",        "a part that this needs is away: see stats") \
    X (STELE_EINTERNAL,     19, "internal",           "a fault of the broker: see its log") \
    X (STELE_ENO_MEMORY,    20, "no_memory",          "out of memory") \
    X (STELE_EFULL,         21, "storage_full",       "the disk is full: make room, the broker goes on by itself") \
    X (STELE_EBUSY,         22, "storage_busy",       "another process holds the ledger: only one broker a ledger") \
    X (STELE_EIO,           23, "storage_failed",     "reading or writing the disk failed: see the log, check the disk") \
    X (STELE_ELEDGER,       24, "bad_ledger",         "the file is not a ledger that this version can use") \
    X (STELE_EBEHIND,       25, "ledger_behind",      "the ledger is shorter than what it had acked: restore it, or accept the loss")

enum {
#define STELE_ERROR_ENUM(constant, number, name, text) constant = -(number),
    STELE_ERRORS (STELE_ERROR_ENUM)
#undef STELE_ERROR_ENUM
    STELE_OK = 0
};

/*  Name on the wire of a code, "ok" for 0. Never NULL.                      */
STELE_EXPORT const char *
    stele_error_name (int code);

/*  What the code means and what to do about it. Never NULL.                 */
STELE_EXPORT const char *
    stele_error_text (int code);

/*  Code of a name on the wire; STELE_EINTERNAL where the name is unknown.   */
STELE_EXPORT int
    stele_error_code (const char *name);

#ifdef __cplusplus
}
#endif

#endif
