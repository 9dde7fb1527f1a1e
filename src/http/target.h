/*  target - the path and the query of a request, decoded

    The query is application/x-www-form-urlencoded, as URLSearchParams and Python's urlencode write
    it: "+" is a space. A path segment is decoded after the path is split, so that "%2F" is a part
    of an ID.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_HTTP_TARGET_H_INCLUDED
#define STELE_HTTP_TARGET_H_INCLUDED

#include "http/scan.h"

#define HTTP_SEGMENTS_MAX 8
#define HTTP_PARAMS_MAX  64

typedef struct {
    http_span_t name, value;
} http_param_t;

typedef struct {
    http_span_t path, query;        // As they came; borrowed
    size_t segment_count;
    http_span_t segments [HTTP_SEGMENTS_MAX];
    size_t param_count;
    http_param_t params [HTTP_PARAMS_MAX];
    size_t used;
    //  What the spans above point into, each with a NUL after it
    char decoded [HTTP_TARGET_MAX + HTTP_SEGMENTS_MAX + 2 * HTTP_PARAMS_MAX];
} http_target_t;

/*  Decode a target that http_scan accepted. Returns 0, or -400 with the reason in *why: "." or ".."
    as a segment, NUL, text that is not UTF-8, too many parts.               */
int
    http_target_parse (http_target_t *self, http_span_t target, const char **why);

/*  The value of the first parameter of that name; data NULL: there is none. */
http_span_t
    http_target_param (const http_target_t *self, const char *name);

#endif
