/*  text_changes - tasks whose texts a part of the log changed

    Texts are those that a search reads: title, description, last error.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_TEXT_CHANGES_H_INCLUDED
#define STELE_TEXT_CHANGES_H_INCLUDED

#include "sqlite/reader/reader_internal.h"

typedef struct {
    int64_t task;
    int64_t position;               // Of the last event that gave it a text, 0: none did
    bool is_new;                    // Its first event is in this part of the log
} reader_text_change_t;

typedef struct {
    reader_text_change_t *items;    // The caller frees it
    size_t count, room;
} reader_text_changes_t;

//  Add the tasks that the events in (after, last] created or gave a text, each once, by position.
//  Returns the status of the call.
int
    reader_text_changes (stele_reader_t *self, int64_t after, int64_t last,
        reader_text_changes_t *changes);

#endif
