/*  vocabulary - look up words and codes

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdio.h>
#include <string.h>
#include "model/vocabulary.h"

#define WORD_ROW(constant, number, name, ...) [number] = name,
#define WORD_LIST(constant, number, name, ...) ", " name
#define SUBJECT_ROW(constant, number, name, subject) [number] = subject,

static const char *const s_task_states [] = { STELE_TASK_STATES (WORD_ROW) };
static const char *const s_session_states [] = { STELE_SESSION_STATES (WORD_ROW) };
static const char *const s_output_types [] = { STELE_OUTPUT_TYPES (WORD_ROW) };
static const char *const s_event_types [] = { STELE_EVENT_TYPES (WORD_ROW) };

static const struct {
    const char *const *words;
    int count;
    const char *list;
} s_vocabularies [] = {
    [STELE_VOCABULARY_TASK_STATE] = { s_task_states, STELE_TASK_STATE_END, STELE_TASK_STATES (WORD_LIST) },
    [STELE_VOCABULARY_SESSION_STATE] = { s_session_states, STELE_SESSION_STATE_END, STELE_SESSION_STATES (WORD_LIST) },
    [STELE_VOCABULARY_OUTPUT_TYPE] = { s_output_types, STELE_OUTPUT_TYPE_END, STELE_OUTPUT_TYPES (WORD_LIST) },
    [STELE_VOCABULARY_EVENT_TYPE] = { s_event_types, STELE_EVENT_TYPE_END, STELE_EVENT_TYPES (WORD_LIST) }
};

const char *
stele_vocabulary_word (stele_vocabulary_t vocabulary, int code)
{
    if (code < 1 || code >= s_vocabularies [vocabulary].count)
        return NULL;
    return s_vocabularies [vocabulary].words [code];
}

int
stele_vocabulary_code (stele_vocabulary_t vocabulary, const char *word, size_t size)
{
    for (int code = 1; code < s_vocabularies [vocabulary].count; code++) {
        const char *candidate = s_vocabularies [vocabulary].words [code];
        if (strlen (candidate) == size && memcmp (candidate, word, size) == 0)
            return code;
    }
    return 0;
}

stele_subject_t
stele_event_subject (int type)
{
    static const stele_subject_t subjects [STELE_EVENT_TYPE_END] = { STELE_EVENT_TYPES (SUBJECT_ROW) };
    return type > 0 && type < STELE_EVENT_TYPE_END? subjects [type]: STELE_SUBJECT_NONE;
}

//  ", a, b, c" as "a, b or c"
static const char *
s_list (const char *list)
{
    static _Thread_local char text [640];
    const char *last = strrchr (list, ',');
    snprintf (text, sizeof text, "%.*s or%s", (int) (last - list) - 2, list + 2, last + 1);
    return text;
}

const char *
stele_vocabulary_list (stele_vocabulary_t vocabulary)
{
    return s_list (s_vocabularies [vocabulary].list);
}

const char *
stele_vocabulary_published (void)
{
#define PUBLISHED_STELE_SUBJECT_TASK(name) ", " name
#define PUBLISHED_STELE_SUBJECT_SESSION(name) ", " name
#define PUBLISHED_STELE_SUBJECT_PREFERENCE(name) ", " name
#define PUBLISHED_STELE_SUBJECT_AUDIT(name)
#define PUBLISHED(constant, number, name, subject) PUBLISHED_##subject (name)
    return s_list (STELE_EVENT_TYPES (PUBLISHED));
}
