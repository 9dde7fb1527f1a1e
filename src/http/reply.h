/*  reply - an answer of the broker as JSON of HTTP

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_HTTP_REPLY_H_INCLUDED
#define STELE_HTTP_REPLY_H_INCLUDED

#include "http/scan.h"
#include "http/target.h"
#include "model/refusal.h"
#include "wire/pack.h"

/*  Did the operation succeed? Returns 0, or the code of its error with the refusal. */
int
    http_reply_check (const void *answer, size_t size, stele_refusal_t *refusal);

/*  The JSON of an answer without "ok" (protocol section 10, with times as RFC 3339); if 'only' is not NULL,
    only the keys of that list (each followed by a space) and position. 'pack' is scratch. Caller frees
    return value with free(). NULL: the answer is not one msgpack map with UTF-8 strings. */
char *
    http_reply_json (const void *answer, size_t size, const char *only, stele_pack_t *pack);

/*  The status of HTTP of a refusal, and the title of its problem            */
int
    http_reply_status (const stele_refusal_t *refusal);
const char *
    http_reply_title (const stele_refusal_t *refusal);

/*  The body of a problem (RFC 9457). Caller frees return value with free(). */
char *
    http_reply_problem (int status, const char *code, const char *title, const char *field, const char *detail,
        const char *request_id);

/*  The target of the next page: that of this one with 'name' set to 'cursor', and 'more' appended. The buffer
    holds any. False: it would be too long.                                  */
#define HTTP_NEXT_SIZE (HTTP_TARGET_MAX + 1)
bool
    http_reply_next (const http_target_t *target, const char *name, const char *cursor, const char *more,
        char next [HTTP_NEXT_SIZE]);

#endif
