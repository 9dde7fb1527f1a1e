/*  spool_format - the bytes of a spool: three blocks, then records

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <string.h>
#include "client/spool/spool_format.h"
#include "wire/checksum.h"

#define MAGIC_IDENTITY UINT64_C (0x316c6f6f70737473)    // "stspool1"
#define MAGIC_BASE     UINT64_C (0x3165736162737473)    // "stsbase1"
#define MAGIC_ACKED    UINT64_C (0x316b636161737473)    // "stsaack1"
#define MAGIC_RECORD   UINT32_C (0x63727473)            // "strc"
#define HEAD_SUM       28                               // Offset of a record's checksum

static void
s_put (unsigned char *bytes, uint64_t value, int size)
{
    for (int i = 0; i < size; i++)
        bytes [i] = (unsigned char) (value >> (8 * i));
}

static uint64_t
s_get (const unsigned char *bytes, int size)
{
    uint64_t value = 0;
    for (int i = 0; i < size; i++)
        value |= (uint64_t) bytes [i] << (8 * i);
    return value;
}

//  -- blocks: magic, number, text, checksum -----------------------------------------

static void
s_pack_block (unsigned char *block, uint64_t magic, int64_t number, const char *text)
{
    memset (block, 0, STELE_SPOOL_BLOCK);
    s_put (block, magic, 8);
    s_put (block + 8, (uint64_t) number, 8);
    memcpy (block + 16, text, strlen (text));
    s_put (block + STELE_SPOOL_BLOCK - 4, stele_checksum (0, block, STELE_SPOOL_BLOCK - 4), 4);
}

static bool
s_read_block (const unsigned char *block, uint64_t magic, int64_t *number, char *text,
    size_t text_size)
{
    if (s_get (block, 8) != magic
    ||  s_get (block + STELE_SPOOL_BLOCK - 4, 4) != stele_checksum (0, block, STELE_SPOOL_BLOCK - 4))
        return false;
    *number = (int64_t) s_get (block + 8, 8);
    if (text) {
        memcpy (text, block + 16, text_size - 1);
        text [text_size - 1] = 0;
    }
    return true;
}

void
stele_spool_pack_identity (unsigned char *block, const stele_spool_identity_t *identity)
{
    s_pack_block (block, MAGIC_IDENTITY, identity->first, identity->producer);
}

bool
stele_spool_read_identity (const unsigned char *block, stele_spool_identity_t *identity)
{
    return s_read_block (block, MAGIC_IDENTITY, &identity->first, identity->producer,
        sizeof identity->producer);
}

void
stele_spool_pack_base (unsigned char *block, const stele_spool_base_t *base)
{
    s_pack_block (block, MAGIC_BASE, base->base, base->ledger);
}

bool
stele_spool_read_base (const unsigned char *block, stele_spool_base_t *base)
{
    return s_read_block (block, MAGIC_BASE, &base->base, base->ledger, sizeof base->ledger);
}

void
stele_spool_pack_acked (unsigned char *block, int64_t number)
{
    s_pack_block (block, MAGIC_ACKED, number, "");
}

bool
stele_spool_read_acked (const unsigned char *block, int64_t *number)
{
    return s_read_block (block, MAGIC_ACKED, number, NULL, 0);
}

//  -- records --------------------------------------------------------------------------

void
stele_spool_pack_head (unsigned char *head, const stele_spool_record_t *record,
    const void *event)
{
    memset (head, 0, STELE_SPOOL_HEAD);
    s_put (head, MAGIC_RECORD, 4);
    s_put (head + 4, record->size, 4);
    s_put (head + 8, (uint64_t) record->number, 8);
    s_put (head + 16, (uint64_t) record->synced, 8);
    uint32_t sum = stele_checksum (0, head, HEAD_SUM);
    s_put (head + HEAD_SUM, stele_checksum (sum, event, record->size), 4);
}

bool
stele_spool_read_head (const unsigned char *head, int64_t size_max, stele_spool_record_t *record)
{
    record->size = (uint32_t) s_get (head + 4, 4);
    record->number = (int64_t) s_get (head + 8, 8);
    record->synced = (int64_t) s_get (head + 16, 8);
    return s_get (head, 4) == MAGIC_RECORD && record->size <= size_max;
}

bool
stele_spool_is_whole (const unsigned char *head, const void *event, size_t size)
{
    uint32_t sum = stele_checksum (0, head, HEAD_SUM);
    return stele_checksum (sum, event, size) == s_get (head + HEAD_SUM, 4);
}
