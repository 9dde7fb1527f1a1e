/*  stele_error - every error of the library and the protocol, in one table

    Functions of the library return 0 (or a count) on success and a negative
    STELE_E... code on failure. Each code has a name on the wire (doc/PROTOCOL.md
    section 8) and a text for people: what is wrong, then the way out.

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

/*  X (constant, number, name on the wire, what is wrong: the way out)       */
#define STELE_ERRORS(X) \
    X (STELE_EMALFORMED,     1, "malformed",          "the message is not one msgpack map with valid UTF-8 strings: check the encoder") \
    X (STELE_EUNKNOWN_OP,    2, "unknown_op",         "the operation does not exist: see doc/PROTOCOL.md for the list") \
    X (STELE_EUNKNOWN_TYPE,  3, "unknown_type",       "the event type does not exist: see doc/PROTOCOL.md for the list") \
    X (STELE_EMISSING_FIELD, 4, "missing_field",      "a required field is missing: add it") \
    X (STELE_EINVALID_FIELD, 5, "invalid_field",      "a field has the wrong type or value: correct it") \
    X (STELE_ETOO_LARGE,     6, "too_large",          "a size limit is exceeded: make the value smaller or split it") \
    X (STELE_EILLEGAL,       7, "illegal_transition", "the task is finished: only a change of its state to queued (a retry) may follow") \
    X (STELE_EEXISTS,        8, "task_exists",        "the task was created with other fields: change it with task.updated") \
    X (STELE_EGAP,           9, "sequence_gap",       "events before this one are missing: resend from the sequence in the field 'expected'") \
    X (STELE_EWINDOW,       10, "window_exceeded",    "too many events are unacked: wait for acks before sending more") \
    X (STELE_EFENCED,       11, "fenced",             "a newer run of this producer has taken over: stop this one") \
    X (STELE_ENO_HELLO,     12, "no_hello",           "the broker has received no hello on this connection: send one, and resend the events after the sequence in its answer (welcome)") \
    X (STELE_EPROTOCOL,     13, "unsupported_protocol", "the broker speaks another version of the protocol: use a client of its version") \
    X (STELE_EUNAUTHORIZED, 14, "unauthorized",       "this peer may not do that: request access from the operator of the broker") \
    X (STELE_EBAD_REQUEST,  15, "bad_request",        "the request does not have the form that its operation takes: see doc/PROTOCOL.md") \
    X (STELE_ENOT_FOUND,    16, "not_found",          "the record does not exist: check its ID") \
    X (STELE_ETIMEOUT,      17, "timeout",            "the operation did not finish in time: check that the broker is running and reachable") \
    X (STELE_EUNAVAILABLE,  18, "unavailable",        "a component that this needs is unavailable: see the statistics of the broker, and retry later") \
    X (STELE_EINTERNAL,     19, "internal",           "the broker had an internal error: see its log") \
    X (STELE_ENO_MEMORY,    20, "no_memory",          "the process is out of memory: free some and retry") \
    X (STELE_EFULL,         21, "storage_full",       "the disk is full: free space, and the broker continues by itself") \
    X (STELE_EBUSY,         22, "storage_busy",       "another process holds the ledger: run only one broker per ledger") \
    X (STELE_EIO,           23, "storage_failed",     "the disk could not be read or written: see the log and check the disk") \
    X (STELE_ELEDGER,       24, "bad_ledger",         "the file is not a ledger that this version can use: check its path and its version") \
    X (STELE_EBEHIND,       25, "ledger_behind",      "the ledger lacks events that were acked: restore the right ledger, or accept the loss") \
    X (STELE_ESECRET,       26, "contains_secret",    "the event contains a secret (a key, a token, a password): remove it, and revoke it if others saw it") \
    X (STELE_ENOT_WRITER,   27, "not_writer",         "this node follows a shared log: connect to its writer, which the answer names")

enum {
#define STELE_ERROR_ENUM(constant, number, name, text) constant = -(number),
    STELE_ERRORS (STELE_ERROR_ENUM)
#undef STELE_ERROR_ENUM
    STELE_OK = 0
};

/*  Name of a code on the wire, "ok" for 0. Never NULL; a constant string.   */
STELE_EXPORT const char *
    stele_error_name (int code);

/*  Text of a code, from the table. Never NULL; a constant string.           */
STELE_EXPORT const char *
    stele_error_text (int code);

/*  Code of a name on the wire; STELE_EINTERNAL if the name is unknown.      */
STELE_EXPORT int
    stele_error_code (const char *name);

#ifdef __cplusplus
}
#endif

#endif
