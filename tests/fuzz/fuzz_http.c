/*  fuzz_http - read bytes as the head of an HTTP request, and decode its target

    What is accepted must not depend on how many bytes came at a time or what follows, and must have no
    value that another reader could end elsewhere.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "fuzz.h"
#include "http/hosts.h"
#include "http/output.h"
#include "http/routes.h"
#include "http/scan.h"
#include "http/target.h"

static void
s_check_target (const http_head_t *head)
{
    static http_target_t target;
    const char *why = NULL;
    char allow [64];
    int rc = http_target_parse (&target, head->target, &why);
    FUZZ_HOLDS (rc == 0 || (rc == -400 && why));
    if (rc)
        return;
    FUZZ_HOLDS (target.used <= sizeof target.decoded);
    for (size_t i = 0; i < target.param_count; i++)
        FUZZ_HOLDS (strlen (target.params [i].value.data) == target.params [i].value.size);
    http_route_find (head->method, &target, allow);
}

static void
s_check_fields (const http_head_t *head, const char *start, const char *end)
{
    static const http_hosts_t hosts;
    size_t first, count;
    for (int i = 0; i < HTTP_FIELD_COUNT; i++) {
        http_span_t value = head->fields [i];
        if (!value.data)
            continue;
        FUZZ_HOLDS (value.data >= start && value.data + value.size <= end);
        FUZZ_HOLDS (!memchr (value.data, '\r', value.size) && !memchr (value.data, '\n', value.size));
        FUZZ_HOLDS (!memchr (value.data, 0, value.size));
        http_span_lists (value, "gzip");
    }
    FUZZ_HOLDS (head->fields [HTTP_HOST].size > 0);
    FUZZ_HOLDS (!head->fields [HTTP_TRANSFER_ENCODING].data);
    FUZZ_HOLDS (head->content_length >= 0);
    http_hosts_allow (&hosts, head->fields [HTTP_HOST]);
    if (http_output_range (head->fields [HTTP_RANGE], 1000, &first, &count) == 1)
        FUZZ_HOLDS (count > 0 && first + count <= 1000);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    http_head_t head, again;
    const char *bytes = (const char *) data;
    int head_size = http_scan (bytes, size, &head);
    FUZZ_HOLDS (head_size <= (int) size);
    if (head_size < 0) {
        FUZZ_HOLDS (head.why && head_size <= -400 && head_size > -600);
        return 0;
    }
    if (head_size == 0) {
        FUZZ_HOLDS (size < HTTP_HEAD_MAX);
        return 0;
    }
    FUZZ_HOLDS (memcmp (bytes + head_size - 4, "\r\n\r\n", 4) == 0);
    FUZZ_HOLDS (http_scan (bytes, (size_t) head_size, &again) == head_size);
    FUZZ_HOLDS (http_scan (bytes, (size_t) head_size - 1, &again) == 0);
    FUZZ_HOLDS (http_scan (bytes, (size_t) head_size / 2, &again) == 0);
    s_check_fields (&head, bytes, bytes + head_size);
    s_check_target (&head);
    return 0;
}
