/*  value_pack - one value of a record as msgpack

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "wire/json/json.h"

void
stele_value_pack (const stele_value_t *value, stele_pack_t *pack)
{
    size_t start = stele_pack_size (pack);
    const char *word;
    switch (value->kind) {
        case STELE_VALUE_INTEGER:
            stele_pack_integer (pack, value->integer);
            return;
        case STELE_VALUE_UNSIGNED:
            stele_pack_natural (pack, value->natural);
            return;
        case STELE_VALUE_REAL:
            stele_pack_real (pack, value->real);
            return;
        case STELE_VALUE_BOOL:
            stele_pack_bool (pack, value->integer != 0);
            return;
        case STELE_VALUE_WORD:
            word = stele_vocabulary_word (value->vocabulary, (int) value->integer);
            if (word) {
                stele_pack_string (pack, word);
                return;
            }
            break;
        case STELE_VALUE_TEXT:
            stele_pack_text (pack, value->text, value->size);
            return;
        case STELE_VALUE_BYTES:
            stele_pack_bytes (pack, value->text, value->size);
            return;
        case STELE_VALUE_JSON:
            if (stele_json_text_pack (value->text, value->size, pack) == 0)
                return;
            stele_pack_rewind (pack, start);
            break;
        case STELE_VALUE_PACKED:
            stele_pack_packed (pack, value->text, value->size);
            return;
        default:
            break;
    }
    stele_pack_nil (pack);
}
