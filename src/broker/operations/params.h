/*  params - the parameters of one request, typed and checked

    stele_params_match checks the types of all parameters of an operation. Its handler then reads
    each with a getter, which checks the value, and checks for an error once at the end: 'refusal' keeps
    the first wrong parameter, with its name, the allowed values and the given one. nil is the
    same as absent.

        int64_t limit = stele_params_number (params, "limit", 100, 1, 1000);
        stele_span_t id = stele_params_id (params, "task_id");
        if (params->refusal.code)
            return params->refusal.code;

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_PARAMS_H_INCLUDED
#define STELE_PARAMS_H_INCLUDED

#include "broker/access/identity.h"
#include "ledger/reader.h"
#include "model/refusal.h"
#include "model/vocabulary.h"
#include "wire/scan.h"

/*  Most values that a parameter which takes several may have                */
#define STELE_PARAMS_VALUES 64

/*  The same of numbers                                                      */
#define STELE_PARAMS_NUMBERS 1000

/*  The same of ids                                                          */
#define STELE_PARAMS_IDS 500

/*  Most parameters that an operation may take                               */
#define STELE_PARAMS_MAX 32

/*  X (constant, what the parameter takes, for a message)                    */
#define STELE_PARAM_KINDS(X) \
    X (STELE_PARAM_ID,      "text of 1 to 255 bytes of UTF-8") \
    X (STELE_PARAM_IDS,     "an array of texts of 1 to 255 bytes of UTF-8") \
    X (STELE_PARAM_NAME,    "text that is not empty")       /*  Who reads it bounds it  */ \
    X (STELE_PARAM_TEXT,    "text of at most 64 KiB of UTF-8") \
    X (STELE_PARAM_TEXTS,   "a text or an array of texts") \
    X (STELE_PARAM_NUMBER,  "an integer") \
    X (STELE_PARAM_NUMBERS, "an integer or an array of integers") \
    X (STELE_PARAM_BOOL,    "true or false") \
    X (STELE_PARAM_TIME,    "a time (RFC 3339 text such as 2026-01-31T23:59:59Z, " \
                            "microseconds since 1970, or a timestamp)") \
    X (STELE_PARAM_ARRAY,   "an array")

#define STELE_PARAM_ENUM(constant, takes) constant,
typedef enum { STELE_PARAM_KINDS (STELE_PARAM_ENUM) STELE_PARAM_KIND_COUNT } stele_param_kind_t;
#undef STELE_PARAM_ENUM

/*  One parameter of an operation                                            */
typedef struct {
    const char *name;
    stele_param_kind_t kind;
    bool required;
} stele_param_t;

typedef struct {
    const void *map;
    size_t size;
    stele_refusal_t refusal;        // code 0: nothing wrong so far
    const stele_identity_t *identity;   // Who requests it
    //  What every request may have, set by stele_params_match
    int64_t min_position;
    int64_t timeout_ms;             // -1: absent
    bool has_actor;                 // access/delegate.h
} stele_params_t;

/*  Names of parameters that an operation does not take, as text for a person: usually misspelt.
    Only the first ones are kept.                                            */
#define STELE_PARAMS_SHOWN 80
typedef struct {
    size_t count;
    char names [16] [STELE_PARAMS_SHOWN];
} stele_ignored_t;

/*  Check the bytes of a request: one well-formed map of msgpack, of at most
    'elements_max' elements. Returns 0, or STELE_EBAD_REQUEST with the refusal. The
    bytes are borrowed.                                                      */
int
    stele_params_check (stele_params_t *self, const void *data, size_t size,
        size_t elements_max);

/*  Start to read bytes that were checked before. The identity is stele_identity_local until it is set. */
void
    stele_params_start (stele_params_t *self, const void *map, size_t size);

/*  Check, in one walk, that each value is of the type in the list, and that nothing
    required is missing; the list ends with a parameter without a name. Names that are not in it
    are added to 'ignored'. Returns the code in the refusal, which names the first parameter
    that is wrong, else one that is missing.                                 */
int
    stele_params_match (stele_params_t *self, const stele_param_t *list, stele_ignored_t *ignored);

bool
    stele_params_has (const stele_params_t *self, const char *name);

/*  Required text of 1 to STELE_LIMIT_ID bytes. .text is "" where it is wrong. */
stele_span_t
    stele_params_id (stele_params_t *self, const char *name);

/*  A required array of such texts, which stele_params_match has checked. Returns how many, from 1 to STELE_PARAMS_IDS. */
size_t
    stele_params_ids (stele_params_t *self, const char *name, stele_span_t ids [STELE_PARAMS_IDS]);

/*  Text of at most STELE_LIMIT_PATH bytes; .text NULL where it is absent or wrong. */
stele_span_t
    stele_params_text (stele_params_t *self, const char *name);

/*  One of 'count' words: its index; 'otherwise' where it is absent or wrong. 'takes' lists the
    words for a message.                                                     */
size_t
    stele_params_choice (stele_params_t *self, const char *name, const char *const words [],
        size_t count, size_t otherwise, const char *takes);

/*  Integer from 'min' to 'max'.                                             */
int64_t
    stele_params_number (stele_params_t *self, const char *name,
        int64_t otherwise, int64_t min, int64_t max);

/*  One integer or an array of them, at most STELE_PARAMS_NUMBERS. Returns how many, 0 where it is
    absent or wrong; read them with stele_scan_next from *scan.              */
size_t
    stele_params_numbers (stele_params_t *self, const char *name, stele_scan_t *scan);

bool
    stele_params_bool (stele_params_t *self, const char *name, bool otherwise);

/*  A time in any of its three forms, in microseconds; 0 where it is absent.  */
int64_t
    stele_params_time (stele_params_t *self, const char *name);

/*  One word of a vocabulary or an array of them, as bits 1 << code; 0: absent. */
uint32_t
    stele_params_words (stele_params_t *self, const char *name,
        stele_vocabulary_t vocabulary);

/*  One text or an array of them, at most STELE_PARAMS_VALUES. Returns how many. */
size_t
    stele_params_texts (stele_params_t *self, const char *name, stele_span_t *texts);

/*  Refuse a parameter whose value is not of the form that 'takes' names: fills the
    refusal unless there is one already. Returns its code.                   */
int
    stele_params_refuse (stele_params_t *self, const char *name, const char *takes);

/*  The same with a message of the caller's own.                             */
int
    stele_params_fail (stele_params_t *self, int code, const char *name,
        const char *format, ...) STELE_PRINTF (4, 5);

/*  Text of a peer for a message to a person: as it is when it is short and clean, else
    its beginning, with what cannot be shown as '?'. 'buffer' holds STELE_PARAMS_SHOWN bytes. */
const char *
    stele_params_show (stele_span_t text, char *buffer);

#endif
