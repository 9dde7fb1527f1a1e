/*  segment_format - the frames and the trailer of a segment, as bytes

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>
#include "base/memory.h"
#include "repository/repository.h"
#include "repository/segment_format.h"
#include "wire/json/json.h"
#include "wire/map.h"
#include "wire/scan.h"

#define MAGIC "STELESG1"
#define SKIPPABLE 0x184D2A53u
#define HEAD_BYTES 8
#define SHA_BYTES 32
#define FOOT_BYTES (SHA_BYTES + 4 + 8)
#define JSON_BYTES_MAX (1024 * 1024)
#define TEXT_BYTES_MAX ((uint64_t) 1 << 28)     // Far more than STELE_SEGMENT_FRAME_BYTES and the longest line
#define LEVEL 3
#define POSITION_MAX INT64_C (10000000000000000)    // Its name has 16 digits

void
stele_bytes_add (stele_bytes_t *self, const void *data, size_t size)
{
    self->data = stele_array_must_grow (self->data, &self->room, self->size + size, 1);
    if (size)
        memcpy (self->data + self->size, data, size);
    self->size += size;
}

static void
s_digest (const void *data, size_t size, unsigned char sha [SHA_BYTES])
{
    int done = EVP_Digest (data, size, sha, NULL, EVP_sha256 (), NULL);
    assert (done == 1);
}

static void
s_digest_text (const unsigned char sha [SHA_BYTES], char text [STELE_DIGEST_TEXT])
{
    for (size_t i = 0; i < SHA_BYTES; i++)
        snprintf (text + 2 * i, 3, "%02x", sha [i]);
}

//  Read exactly that many bytes. Returns 0, STELE_ELEDGER (the file ends before) or STELE_EIO.
static int
s_read (int fd, void *data, size_t size, int64_t offset, stele_refusal_t *refusal)
{
    char *to = data;
    while (size) {
        ssize_t count = pread (fd, to, size, (off_t) offset);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return stele_refuse (refusal, STELE_EIO, NULL, "cannot be read: %s", strerror (errno));
        if (count == 0)
            return stele_refuse (refusal, STELE_ELEDGER, NULL, "is cut off");
        to += count;
        offset += count;
        size -= (size_t) count;
    }
    return 0;
}

//  -- the trailer ------------------------------------------------------------------

void
stele_trailer_clear (stele_trailer_t *self)
{
    free (self->frames);
    memset (self, 0, sizeof *self);
}

stele_frame_t *
stele_trailer_add (stele_trailer_t *self)
{
    self->frames = stele_array_must_grow (self->frames, &self->room, self->count + 1, sizeof *self->frames);
    memset (&self->frames [self->count], 0, sizeof *self->frames);
    return &self->frames [self->count++];
}

static void
s_pack (const stele_trailer_t *self, stele_pack_t *pack)
{
    stele_pack_map_begin (pack);
    stele_pack_key_integer (pack, "format", STELE_REPOSITORY_FORMAT);
    stele_pack_key_string (pack, "ledger_id", self->ledger_id);
    stele_pack_key_string (pack, "previous", self->previous);
    stele_pack_key_bool (pack, "complete", self->complete);
    stele_pack_key_integer (pack, "first", self->first);
    stele_pack_key_integer (pack, "last", self->last);
    stele_pack_key_integer (pack, "producers", self->producers);
    stele_pack_key_integer (pack, "rejected", self->rejected);
    stele_pack_key_integer (pack, "committed", self->committed);
    stele_pack_key_integer (pack, "committed_at", self->committed_at);
    stele_pack_key (pack, "frames");
    stele_pack_array (pack, self->count);
    for (size_t i = 0; i < self->count; i++) {
        const stele_frame_t *frame = &self->frames [i];
        stele_pack_array (pack, 5);
        stele_pack_integer (pack, frame->offset);
        stele_pack_integer (pack, frame->size);
        stele_pack_integer (pack, frame->first);
        stele_pack_integer (pack, frame->last);
        stele_pack_string (pack, frame->digest);
    }
    stele_pack_map_end (pack);
}

void
stele_trailer_write (stele_trailer_t *self, stele_bytes_t *bytes)
{
    stele_pack_t *pack = stele_pack_new ();
    assert (pack);
    s_pack (self, pack);
    size_t size;
    char *json = stele_json_line (stele_pack_data (pack), stele_pack_size (pack), false, &size);
    assert (json);
    unsigned char sha [SHA_BYTES];
    s_digest (json, size, sha);
    s_digest_text (sha, self->digest);
    uint32_t head [2] = { htole32 (SKIPPABLE), htole32 ((uint32_t) (size + FOOT_BYTES)) };
    uint32_t size_le = htole32 ((uint32_t) size);
    stele_bytes_add (bytes, head, sizeof head);
    stele_bytes_add (bytes, json, size);
    stele_bytes_add (bytes, sha, sizeof sha);
    stele_bytes_add (bytes, &size_le, sizeof size_le);
    stele_bytes_add (bytes, MAGIC, 8);
    free (json);
    stele_pack_destroy (&pack);
}

static bool
s_integer (stele_scan_t *scan, int64_t *value)
{
    stele_token_t token = stele_scan_next (scan);
    *value = token.integer;
    return token.kind == STELE_SCAN_INTEGER && token.integer >= 0;
}

//  The frames cover the bytes before the trailer, and the positions of the segment
static bool
s_read_frames (stele_trailer_t *self, stele_scan_t scan, uint32_t count, int64_t end)
{
    int64_t offset = 0, next = self->first;
    for (uint32_t i = 0; i < count; i++) {
        stele_frame_t *frame = stele_trailer_add (self);
        stele_token_t array = stele_scan_next (&scan);
        if (array.kind != STELE_SCAN_ARRAY || array.count != 5 || !s_integer (&scan, &frame->offset)
        ||  !s_integer (&scan, &frame->size) || !s_integer (&scan, &frame->first) || !s_integer (&scan, &frame->last))
            return false;
        stele_token_t digest = stele_scan_next (&scan);
        if (digest.kind != STELE_SCAN_TEXT || digest.size != STELE_DIGEST_TEXT - 1)
            return false;
        memcpy (frame->digest, digest.data, digest.size);
        if (frame->offset != offset || frame->size > end - offset || frame->first != next || frame->last < next - 1
        ||  frame->last >= POSITION_MAX)
            return false;
        offset += frame->size;
        next = frame->last + 1;
    }
    return offset == end && next == self->last + 1;
}

static bool
s_unpack (stele_trailer_t *self, const stele_pack_t *pack, int64_t end)
{
    stele_map_t map;
    int64_t format = 0;
    if (stele_map_open (&map, stele_pack_data (pack), stele_pack_size (pack)))
        return false;
    stele_token_t frames = stele_scan_find (map.data, map.size, "frames", NULL, NULL);
    const void *data;
    size_t size;
    stele_scan_find (map.data, map.size, "frames", &data, &size);
    if (!stele_map_integer (&map, "format", &format) || format != STELE_REPOSITORY_FORMAT
    ||  !stele_map_text (&map, "ledger_id", self->ledger_id, sizeof self->ledger_id)
    ||  !stele_map_text (&map, "previous", self->previous, sizeof self->previous)
    ||  !stele_map_bool (&map, "complete", &self->complete)
    ||  !stele_map_integer (&map, "first", &self->first) || !stele_map_integer (&map, "last", &self->last)
    ||  !stele_map_integer (&map, "producers", &self->producers)
    ||  !stele_map_integer (&map, "rejected", &self->rejected)
    ||  !stele_map_integer (&map, "committed", &self->committed)
    ||  !stele_map_integer (&map, "committed_at", &self->committed_at)
    ||  frames.kind != STELE_SCAN_ARRAY || frames.count > STELE_TRAILER_FRAMES_MAX || self->first < 1
    ||  self->first >= POSITION_MAX || self->last >= POSITION_MAX)
        return false;
    stele_scan_t scan = stele_scan_start (data, size);
    stele_scan_next (&scan);
    return s_read_frames (self, scan, frames.count, end);
}

static int
s_parse (stele_trailer_t *self, const char *json, size_t size, int64_t end, stele_refusal_t *refusal)
{
    stele_pack_t *pack = stele_pack_new ();
    assert (pack);
    bool parsed = stele_json_parse_pack (json, size, pack, refusal) == 0 && s_unpack (self, pack, end);
    stele_pack_destroy (&pack);
    return parsed? 0: stele_refuse (refusal, STELE_ELEDGER, NULL,
        "has a trailer that this version cannot read");
}

int
stele_trailer_read (int fd, stele_trailer_t *self, stele_refusal_t *refusal)
{
    unsigned char foot [FOOT_BYTES], sha [SHA_BYTES];
    uint32_t head [2], size;
    struct stat status;
    memset (self, 0, sizeof *self);
    if (fstat (fd, &status))
        return stele_refuse (refusal, STELE_EIO, NULL, "cannot be read: %s", strerror (errno));
    if (status.st_size < HEAD_BYTES + FOOT_BYTES)
        return stele_refuse (refusal, STELE_ELEDGER, NULL, "is cut off");
    int code = s_read (fd, foot, sizeof foot, status.st_size - FOOT_BYTES, refusal);
    if (code)
        return code;
    memcpy (&size, foot + SHA_BYTES, sizeof size);
    size = le32toh (size);
    int64_t end = status.st_size - FOOT_BYTES - (int64_t) size - HEAD_BYTES;
    if (memcmp (foot + SHA_BYTES + 4, MAGIC, 8) || size > JSON_BYTES_MAX || end < 0)
        return stele_refuse (refusal, STELE_ELEDGER, NULL, "has no trailer: its end is missing or damaged");
    char *json = stele_memory_new (HEAD_BYTES + size + 1);
    code = s_read (fd, json, HEAD_BYTES + size, end, refusal);
    if (code == 0) {
        memcpy (head, json, sizeof head);
        s_digest (json + HEAD_BYTES, size, sha);
        s_digest_text (sha, self->digest);
        code = memcmp (sha, foot, SHA_BYTES) || le32toh (head [0]) != SKIPPABLE || le32toh (head [1]) != size + FOOT_BYTES?
            stele_refuse (refusal, STELE_ELEDGER, NULL, "has a damaged trailer"):
            s_parse (self, json + HEAD_BYTES, size, end, refusal);
    }
    free (json);
    return code;
}

//  -- frames -----------------------------------------------------------------------

void
stele_frame_write (stele_frame_t *self, const void *text, size_t size, stele_bytes_t *bytes)
{
    size_t bound = ZSTD_compressBound (size);
    bytes->data = stele_array_must_grow (bytes->data, &bytes->room, bytes->size + bound, 1);
    ZSTD_CCtx *context = ZSTD_createCCtx ();
    assert (context);
    ZSTD_CCtx_setParameter (context, ZSTD_c_compressionLevel, LEVEL);
    ZSTD_CCtx_setParameter (context, ZSTD_c_checksumFlag, 1);
    size_t written = ZSTD_compress2 (context, bytes->data + bytes->size, bound, text, size);
    assert (!ZSTD_isError (written));
    ZSTD_freeCCtx (context);
    unsigned char sha [SHA_BYTES];
    s_digest (bytes->data + bytes->size, written, sha);
    s_digest_text (sha, self->digest);
    self->offset = (int64_t) bytes->size;
    self->size = (int64_t) written;
    bytes->size += written;
}

static char *
s_expand (const char *data, size_t data_size, size_t *size, stele_refusal_t *refusal)
{
    uint64_t bytes = ZSTD_getFrameContentSize (data, data_size);
    char *text = bytes < TEXT_BYTES_MAX? stele_memory_new ((size_t) bytes + 1): NULL;
    size_t expanded = text? ZSTD_decompress (text, (size_t) bytes, data, data_size): 0;
    if (text && !ZSTD_isError (expanded) && expanded == bytes) {
        *size = expanded;
        return text;
    }
    free (text);
    stele_refuse (refusal, STELE_ELEDGER, NULL, "cannot be expanded: it is damaged");
    return NULL;
}

char *
stele_frame_read (int fd, const stele_frame_t *frame, size_t *size, stele_refusal_t *refusal)
{
    unsigned char sha [SHA_BYTES];
    char digest [STELE_DIGEST_TEXT], *text = NULL;
    char *data = stele_memory_new ((size_t) frame->size + 1);
    if (s_read (fd, data, (size_t) frame->size, frame->offset, refusal) == 0) {
        s_digest (data, (size_t) frame->size, sha);
        s_digest_text (sha, digest);
        if (strcmp (digest, frame->digest))
            stele_refuse (refusal, STELE_ELEDGER, NULL, "is damaged: its SHA-256 is not the one in the trailer");
        else
            text = s_expand (data, (size_t) frame->size, size, refusal);
    }
    free (data);
    return text;
}
