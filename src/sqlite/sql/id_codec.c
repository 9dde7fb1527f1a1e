/*  id_codec - store ids and hashes as bytes where that is shorter

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdbool.h>
#include "sqlite/sql/id_codec.h"
#include "sqlite/sql/sql.h"

#define UUID_TEXT 36
#define UUID_BYTES 16

static int
s_digit (char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f'? c - 'a' + 10: -1;
}

//  Is there a dash before the byte with this number?
static bool
s_dashed (size_t byte)
{
    return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

size_t
stele_id_pack (const char *text, size_t size, unsigned char bytes [STELE_ID_BYTES])
{
    bool uuid = size == UUID_TEXT;
    if (!uuid && size != 40 && size != 64)
        return 0;
    size_t count = uuid? UUID_BYTES: size / 2;
    for (size_t i = 0; i < count; i++) {
        if (uuid && s_dashed (i) && *text++ != '-')
            return 0;
        int high = s_digit (text [0]), low = s_digit (text [1]);
        if (high < 0 || low < 0)
            return 0;
        bytes [i] = (unsigned char) (high << 4 | low);
        text += 2;
    }
    return count;
}

size_t
stele_id_unpack (const void *bytes, size_t size, char text [STELE_ID_TEXT])
{
    static const char digits [] = "0123456789abcdef";
    const unsigned char *byte = bytes;
    bool uuid = size == UUID_BYTES;
    if (!uuid && size != 20 && size != 32)
        return 0;
    char *next = text;
    for (size_t i = 0; i < size; i++) {
        if (uuid && s_dashed (i))
            *next++ = '-';
        *next++ = digits [byte [i] >> 4];
        *next++ = digits [byte [i] & 15];
    }
    return (size_t) (next - text);
}

void
stele_id_bind (sqlite3_stmt *stmt, int index, const char *text, size_t size)
{
    unsigned char bytes [STELE_ID_BYTES];
    size_t count = text? stele_id_pack (text, size, bytes): 0;
    if (count)
        stele_sql_bound (sqlite3_bind_blob (stmt, index, bytes, (int) count, SQLITE_TRANSIENT));
    else
    if (text)
        sqlite3_bind_text64 (stmt, index, text, size, SQLITE_STATIC, SQLITE_UTF8);
    else
        sqlite3_bind_null (stmt, index);
}

const char *
stele_id_column (sqlite3_stmt *stmt, int column, char room [STELE_ID_TEXT], size_t *size)
{
    switch (sqlite3_column_type (stmt, column)) {
        case SQLITE_BLOB:
            *size = stele_id_unpack (sqlite3_column_blob (stmt, column),
                (size_t) sqlite3_column_bytes (stmt, column), room);
            return *size? room: NULL;
        case SQLITE_TEXT: {
            const char *text = (const char *) sqlite3_column_text (stmt, column);
            *size = (size_t) sqlite3_column_bytes (stmt, column);
            return text;
        }
        default:
            return NULL;
    }
}
