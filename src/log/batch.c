/*  batch - chain of hashes, compression

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <endian.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>
#include "base/memory.h"
#include "log/batch.h"

void
stele_batch_start (stele_batch_end_t *end, const char *ledger_id, int64_t position)
{
    static const char prefix [] = "stele log ";
    EVP_MD_CTX *context = EVP_MD_CTX_new ();
    *end = (stele_batch_end_t) { .position = position };
    int done = context && EVP_DigestInit_ex (context, EVP_sha256 (), NULL)
        && EVP_DigestUpdate (context, prefix, strlen (prefix))
        && EVP_DigestUpdate (context, ledger_id, strlen (ledger_id))
        && EVP_DigestFinal_ex (context, end->hash, NULL);
    assert (done);
    EVP_MD_CTX_free (context);
}

static void
s_hash (const stele_batch_t *self, const unsigned char *previous, unsigned char *hash)
{
    uint64_t numbers [] = {
        htobe64 ((uint64_t) self->number), htobe64 ((uint64_t) self->first), htobe64 ((uint64_t) self->last),
        htobe64 ((uint64_t) self->epoch), htobe64 ((uint64_t) self->time_us)
    };
    uint32_t format = htobe32 ((uint32_t) self->format);
    EVP_MD_CTX *context = EVP_MD_CTX_new ();
    int done = context && EVP_DigestInit_ex (context, EVP_sha256 (), NULL)
        && EVP_DigestUpdate (context, previous, STELE_BATCH_HASH)
        && EVP_DigestUpdate (context, numbers, sizeof numbers)
        && EVP_DigestUpdate (context, &format, sizeof format)
        && EVP_DigestUpdate (context, self->data, self->size)
        && EVP_DigestFinal_ex (context, hash, NULL);
    assert (done);
    EVP_MD_CTX_free (context);
}

void
stele_batch_seal (stele_batch_t *self, const stele_batch_end_t *end)
{
    self->number = end->number + 1;
    self->first = end->position + 1;
    s_hash (self, end->hash, self->hash);
}

void
stele_batch_advance (const stele_batch_t *self, stele_batch_end_t *end)
{
    end->number = self->number;
    end->position = self->last;
    end->epoch = self->epoch;
    memcpy (end->hash, self->hash, sizeof end->hash);
}

int
stele_batch_check (const stele_batch_t *self, const stele_batch_end_t *end, stele_refusal_t *refusal)
{
    if (self->format > STELE_BATCH_FORMAT)
        return stele_refuse (refusal, STELE_EPROTOCOL, "shared-log", "batch %" PRId64 " of the log has format %d, this version reads "
            "formats up to %d: upgrade this node; it then continues", self->number, self->format, STELE_BATCH_FORMAT);
    if (self->number != end->number + 1)
        return stele_refuse (refusal, STELE_ELEDGER, "shared-log", "batch %" PRId64 " is missing in the log, which continues with batch %"
            PRId64 ": restore the log, or start this node from a snapshot", end->number + 1, self->number);
    if (self->first != end->position + 1 || self->last < self->first - 1 || self->epoch < end->epoch)
        return stele_refuse (refusal, STELE_ELEDGER, "shared-log", "batch %" PRId64 " of the log (positions %" PRId64 " to %" PRId64
            ", epoch %" PRId64 ") does not continue position %" PRId64 ", epoch %" PRId64 ": start this node from a snapshot (stele restore "
            "--snapshot); or the log is damaged (stele log verify)", self->number, self->first,
            self->last, self->epoch, end->position, end->epoch);
    unsigned char hash [STELE_BATCH_HASH];
    s_hash (self, end->hash, hash);
    if (memcmp (hash, self->hash, sizeof hash))
        return stele_refuse (refusal, STELE_ELEDGER, "shared-log", "the hash of batch %" PRId64 " of the log does not match: the batch "
            "is damaged, or it does not continue what this node has. 'stele log verify' checks all of it", self->number);
    return 0;
}

void *
stele_batch_compress (const void *operations, size_t size, int level, size_t *frame_size)
{
    size_t room = ZSTD_compressBound (size);
    void *frame = stele_memory_new (room);
    *frame_size = ZSTD_compress (frame, room, operations, size, level);
    //  The room always suffices
    assert (!ZSTD_isError (*frame_size));
    return frame;
}

void *
stele_batch_expand (const stele_batch_t *self, size_t *size, stele_refusal_t *refusal)
{
    unsigned long long most = ZSTD_getFrameContentSize (self->data, self->size);
    bool known = most != ZSTD_CONTENTSIZE_UNKNOWN && most != ZSTD_CONTENTSIZE_ERROR;
    void *operations = known && most <= STELE_BATCH_BYTES_MAX? stele_memory_new (most + 1): NULL;
    size_t expanded = operations? ZSTD_decompress (operations, most, self->data, self->size): 0;
    if (operations && !ZSTD_isError (expanded)) {
        *size = expanded;
        return operations;
    }
    free (operations);
    stele_refuse (refusal, STELE_ELEDGER, "shared-log", "batch %" PRId64 " of the log is not a complete zstd frame of at most %d bytes",
        self->number, STELE_BATCH_BYTES_MAX);
    return NULL;
}
