/*  packed_file - compress a file to a frame of zstd with a checksum, and expand it again

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include <zstd.h>
#include "base/file.h"
#include "base/memory.h"
#include "repository/packed_file.h"

#define LEVEL         1             // Most texts of a ledger are compressed already: a higher one gains little
#define PORTION_BYTES (1024 * 1024)
#define SYNC_BYTES    (2 * 1024 * 1024)

typedef struct {
    const char *source_path, *target_path;
    int source, target;
    char *in, *out;
    ZSTD_CCtx *compress;            // Or
    ZSTD_DCtx *expand;
    bool whole;                     // The last frame ended
    int64_t read, written, synced;
    stele_packed_stop_fn *stop;
    void *arg;
    stele_refusal_t *refusal;
} s_work_t;

static int
s_refuse (s_work_t *self, const char *path, int error)
{
    char reason [400];
    stele_file_reason (path, error, reason, sizeof reason);
    return stele_refuse (self->refusal, error == ENOSPC || error == EDQUOT? STELE_EFULL: error == EEXIST? STELE_EEXISTS:
        error == ENOENT? STELE_ENOT_FOUND: STELE_EIO, "backup", "%s", reason);
}

static int
s_write (s_work_t *self, size_t size)
{
    for (size_t done = 0; done < size; ) {
        ssize_t rc = write (self->target, self->out + done, size - done);
        if (rc < 0 && errno != EINTR)
            return s_refuse (self, self->target_path, errno);
        done += rc > 0? (size_t) rc: 0;
    }
    self->written += (int64_t) size;
    if (self->written - self->synced < SYNC_BYTES)
        return 0;
    self->synced = self->written;
    return fdatasync (self->target) == 0? 0: s_refuse (self, self->target_path, errno);
}

//  Pass the bytes in 'in' on; none: the end of the source
static int
s_convert (s_work_t *self, size_t size)
{
    ZSTD_inBuffer in = { self->in, size, 0 };
    size_t left = 1;
    bool full = false;              // There may be more to write than has room in 'out'
    while (full || in.pos < in.size || (size == 0 && left > 0)) {
        ZSTD_outBuffer out = { self->out, PORTION_BYTES, 0 };
        left = self->expand? ZSTD_decompressStream (self->expand, &out, &in):
            ZSTD_compressStream2 (self->compress, &out, &in, size? ZSTD_e_continue: ZSTD_e_end);
        if (ZSTD_isError (left))
            return stele_refuse (self->refusal, STELE_ELEDGER, "backup", "%s is damaged after %lld bytes: %s",
                self->source_path, (long long) self->read, ZSTD_getErrorName (left));
        //  After the end of a frame there is no more: a further call would begin the next one
        full = out.pos == out.size && left > 0;
        self->whole = left == 0;
        int code = s_write (self, out.pos);
        if (code)
            return code;
    }
    return 0;
}

static int
s_work (s_work_t *self)
{
    while (true) {
        ssize_t size = read (self->source, self->in, PORTION_BYTES);
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0)
            return s_refuse (self, self->source_path, errno);
        int code = size > 0 || self->compress? s_convert (self, (size_t) size): 0;
        if (code)
            return code;
        if (size == 0)
            break;
        self->read += size;
        if (self->stop && self->stop (self->read, self->arg))
            return stele_refuse (self->refusal, STELE_ETIMEOUT, "backup", "stopped");
    }
    if (!self->whole)
        return stele_refuse (self->refusal, STELE_ELEDGER, "backup", "%s is damaged: its end is missing",
            self->source_path);
    return fdatasync (self->target) == 0? 0: s_refuse (self, self->target_path, errno);
}

static int64_t
s_run (s_work_t *self)
{
    int code = 0;
    self->target = -1;
    self->source = stele_file_open (self->source_path, O_RDONLY, 0);
    if (self->source < 0)
        code = s_refuse (self, self->source_path, errno);
    else {
        self->target = stele_file_open (self->target_path, O_WRONLY | O_CREAT | O_EXCL, 0600);
        if (self->target < 0)
            code = s_refuse (self, self->target_path, errno);
    }
    self->in = stele_memory_new (PORTION_BYTES);
    self->out = stele_memory_new (PORTION_BYTES);
    if (code == 0)
        code = s_work (self);
    bool created = self->target >= 0;
    if (created && close (self->target) != 0 && code == 0)
        code = s_refuse (self, self->target_path, errno);
    if (created && code)
        unlink (self->target_path);
    if (self->source >= 0)
        close (self->source);
    ZSTD_freeCCtx (self->compress);
    ZSTD_freeDCtx (self->expand);
    free (self->in);
    free (self->out);
    return code? code: self->written;
}

int64_t
stele_packed_file_compress (const char *source, const char *target, stele_packed_stop_fn *stop, void *arg,
    stele_refusal_t *refusal)
{
    s_work_t self = { .source_path = source, .target_path = target, .stop = stop, .arg = arg, .refusal = refusal };
    self.compress = ZSTD_createCCtx ();
    assert (self.compress);
    ZSTD_CCtx_setParameter (self.compress, ZSTD_c_compressionLevel, LEVEL);
    ZSTD_CCtx_setParameter (self.compress, ZSTD_c_checksumFlag, 1);
    return s_run (&self);
}

int64_t
stele_packed_file_expand (const char *source, const char *target, stele_packed_stop_fn *stop, void *arg,
    stele_refusal_t *refusal)
{
    s_work_t self = { .source_path = source, .target_path = target, .stop = stop, .arg = arg, .refusal = refusal };
    self.expand = ZSTD_createDCtx ();
    assert (self.expand);
    return s_run (&self);
}
