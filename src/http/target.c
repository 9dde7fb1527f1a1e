/*  target - the path and the query of a request, decoded

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <string.h>
#include "http/target.h"
#include "wire/scan.h"

static unsigned
s_hex (char c)
{
    return c <= '9'? (unsigned) (c - '0'): (unsigned) ((c | 0x20) - 'a') + 10;
}

//  Decoded parts are never longer than the target, and 'decoded' has room for a NUL after each of them
static int
s_decode (http_target_t *self, const char *data, size_t size, bool form, http_span_t *decoded, const char **why)
{
    char *start = self->decoded + self->used, *to = start;
    for (size_t i = 0; i < size; i++, to++) {
        if (data [i] == '%') {
            *to = (char) (s_hex (data [i + 1]) << 4 | s_hex (data [i + 2]));
            i += 2;
        }
        else
            *to = form && data [i] == '+'? ' ': data [i];
        if (*to == 0) {
            *why = "the request target contains NUL";
            return -400;
        }
    }
    *decoded = (http_span_t) { start, (size_t) (to - start) };
    if (!stele_utf8_valid (decoded->data, decoded->size)) {
        *why = "the request target is not UTF-8";
        return -400;
    }
    *to = 0;
    self->used += decoded->size + 1;
    return 0;
}

static int
s_read_path (http_target_t *self, const char **why)
{
    const char *data = self->path.data + 1;
    size_t left = self->path.size - 1;
    while (true) {
        const char *slash = left? memchr (data, '/', left): NULL;
        size_t size = slash? (size_t) (slash - data): left;
        if (self->segment_count == HTTP_SEGMENTS_MAX) {
            *why = "the path has too many segments";
            return -400;
        }
        http_span_t *segment = &self->segments [self->segment_count++];
        int rc = s_decode (self, data, size, false, segment, why);
        if (rc)
            return rc;
        //  A proxy may resolve them
        if (strcmp (segment->data, ".") == 0 || strcmp (segment->data, "..") == 0) {
            *why = "the path has a segment '.' or '..'";
            return -400;
        }
        if (!slash)
            return 0;
        data = slash + 1;
        left -= size + 1;
    }
}

static int
s_read_query (http_target_t *self, const char **why)
{
    const char *data = self->query.data;
    size_t left = self->query.size;
    while (left) {
        const char *end = memchr (data, '&', left);
        size_t size = end? (size_t) (end - data): left;
        const char *equals = memchr (data, '=', size);
        size_t name_size = equals? (size_t) (equals - data): size;
        if (self->param_count == HTTP_PARAMS_MAX) {
            *why = "the query has more than 64 parameters";
            return -400;
        }
        if (size) {
            http_param_t *param = &self->params [self->param_count++];
            int rc = s_decode (self, data, name_size, true, &param->name, why);
            if (rc == 0)
                rc = s_decode (self, data + name_size + (equals != NULL), size - name_size - (equals != NULL), true,
                    &param->value, why);
            if (rc)
                return rc;
        }
        data += size + (end != NULL);
        left -= size + (end != NULL);
    }
    return 0;
}

int
http_target_parse (http_target_t *self, http_span_t target, const char **why)
{
    self->used = self->segment_count = self->param_count = 0;
    const char *mark = memchr (target.data, '?', target.size);
    size_t path_size = mark? (size_t) (mark - target.data): target.size;
    self->path = (http_span_t) { target.data, path_size };
    self->query = mark? (http_span_t) { mark + 1, target.size - path_size - 1 }: (http_span_t) { "", 0 };
    int rc = s_read_path (self, why);
    return rc? rc: s_read_query (self, why);
}

http_span_t
http_target_param (const http_target_t *self, const char *name)
{
    for (size_t i = 0; i < self->param_count; i++)
        if (strcmp (self->params [i].name.data, name) == 0)
            return self->params [i].value;
    return (http_span_t) { NULL, 0 };
}
