/*  stream - messages of a recorded stream

    JSON Lines, one event per line, optionally .zst. A producer's share is every n-th task or session,
    so that its events keep their order; each copy has its own ids.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "bench.h"
#include "wire/json/json.h"
#include "wire/pack.h"
#include "wire/scan.h"

static char *
s_read_all (const char *path, size_t *size)
{
    char command [600];
    snprintf (command, sizeof command, "%s '%s'", strstr (path, ".zst")? "zstd -dc": "cat", path);
    FILE *pipe = popen (command, "r");
    size_t room = 1 << 20;
    char *text = malloc (room);
    assert (text);
    *size = 0;
    size_t got;
    while (pipe && (got = fread (text + *size, 1, room - *size - 1, pipe)) > 0) {
        *size += got;
        if (room - *size < 4096)
            text = realloc (text, room *= 2);
        assert (text);
    }
    if (!pipe || pclose (pipe) != 0 || *size == 0)
        bench_die ("cannot read the stream %s", path);
    text [*size] = 0;
    return text;
}

static uint32_t
s_hash (const char *text, size_t size)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ (unsigned char) text [i]) * 16777619u;
    return hash;
}

//  A copy of the event, with "-COPY" appended to the ids of its task and session.
static void
s_copy (const char *data, size_t size, uint64_t seed, int64_t copy, stele_pack_t *pack)
{
    stele_scan_t scan = stele_scan_start (data, size);
    stele_token_t map = stele_scan_next (&scan);
    stele_pack_clear (pack);
    stele_pack_map (pack, map.count);
    for (uint32_t i = 0; i < map.count; i++) {
        const void *key, *value;
        size_t key_size, value_size;
        stele_scan_skip (&scan, &key, &key_size);
        stele_scan_skip (&scan, &value, &value_size);
        stele_scan_t one = stele_scan_start (key, key_size);
        stele_token_t name = stele_scan_next (&one);
        one = stele_scan_start (value, value_size);
        stele_token_t id = stele_scan_next (&one);
        stele_pack_packed (pack, key, key_size);
        bool is_id = (name.size == 7 && memcmp (name.data, "task_id", 7) == 0)
            || (name.size == 10 && memcmp (name.data, "session_id", 10) == 0);
        char text [300];
        if (is_id && id.kind == STELE_SCAN_TEXT && id.size < 200) {
            int length = snprintf (text, sizeof text, "%.*s-%llu-%lld", (int) id.size, id.data,
                (unsigned long long) seed, (long long) copy);
            stele_pack_text (pack, text, (size_t) length);
        }
        else
            stele_pack_packed (pack, value, value_size);
    }
}

void
bench_stream_messages (const char *path, int64_t copies, int producers, int index,
    uint64_t seed, bench_batcher_t *batcher)
{
    size_t size;
    char *text = s_read_all (path, &size);
    stele_pack_t *event = stele_pack_new (), *copy = stele_pack_new ();
    for (int64_t number = 0; number < copies; number++) {
        for (char *line = text; *line;) {
            size_t length = strcspn (line, "\n");
            stele_refusal_t refusal;
            stele_pack_clear (event);
            if (length && stele_json_parse_pack (line, length, event, &refusal) == 0) {
                const void *data = stele_pack_data (event);
                stele_token_t id = stele_scan_find (data, stele_pack_size (event), "task_id", NULL, NULL);
                if (id.kind != STELE_SCAN_TEXT)
                    id = stele_scan_find (data, stele_pack_size (event), "session_id", NULL, NULL);
                uint32_t hash = id.kind == STELE_SCAN_TEXT? s_hash (id.data, id.size): 0;
                if (hash % (uint32_t) producers == (uint32_t) index) {
                    s_copy (data, stele_pack_size (event), seed, number, copy);
                    bench_batcher_add (batcher, stele_pack_data (copy), stele_pack_size (copy));
                }
            }
            line += length + (line [length] == '\n');
        }
    }
    stele_pack_destroy (&event);
    stele_pack_destroy (&copy);
    free (text);
}
