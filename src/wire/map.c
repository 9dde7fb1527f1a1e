/*  map - typed reads from one map of msgpack

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <string.h>
#include "wire/map.h"
#include "wire/quote.h"
#include "stele_error.h"
#include "wire/scan.h"

int
stele_map_open (stele_map_t *self, const void *data, size_t size)
{
    const char *why;
    //  Elements are not allocated, so the number of bytes bounds them well enough
    if (stele_scan_check (data, size, size, &why) != 0)
        return STELE_EMALFORMED;
    stele_scan_t scan = stele_scan_start (data, size);
    if (stele_scan_next (&scan).kind != STELE_SCAN_MAP)
        return STELE_EMALFORMED;
    self->data = data;
    self->size = size;
    return 0;
}

bool
stele_map_integer (const stele_map_t *self, const char *key, int64_t *value)
{
    stele_token_t token = stele_scan_find (self->data, self->size, key, NULL, NULL);
    if (token.kind != STELE_SCAN_INTEGER)
        return false;
    *value = token.integer;
    return true;
}

bool
stele_map_bool (const stele_map_t *self, const char *key, bool *value)
{
    stele_token_t token = stele_scan_find (self->data, self->size, key, NULL, NULL);
    if (token.kind != STELE_SCAN_BOOL)
        return false;
    *value = token.integer != 0;
    return true;
}

bool
stele_map_text (const stele_map_t *self, const char *key, char *text, size_t size_max)
{
    stele_token_t token = stele_scan_find (self->data, self->size, key, NULL, NULL);
    if (token.kind != STELE_SCAN_TEXT)
        return false;
    size_t size = token.size < size_max? token.size: size_max - 1;
    memcpy (text, token.data, size);
    text [size] = 0;
    return true;
}

void
stele_map_message (const stele_map_t *self, char *text, size_t size_max)
{
    stele_token_t token = stele_scan_find (self->data, self->size, "message", NULL, NULL);
    bool is_text = token.kind == STELE_SCAN_TEXT;
    stele_quote_within (text, size_max - 4, is_text? token.data: "", is_text? token.size: 0);
}

bool
stele_map_map (const stele_map_t *self, const char *key, stele_map_t *map)
{
    const void *data;
    size_t size;
    stele_token_t token = stele_scan_find (self->data, self->size, key, &data, &size);
    if (token.kind != STELE_SCAN_MAP)
        return false;
    map->data = data;
    map->size = size;
    return true;
}

int
stele_map_code (const stele_map_t *self, const char *key)
{
    char name [64];
    if (!stele_map_text (self, key, name, sizeof name))
        return STELE_EINTERNAL;
    return stele_error_code (name);
}
