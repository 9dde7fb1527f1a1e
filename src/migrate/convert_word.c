/*  convert_word - states and types of an earlier system, by their usual names

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "config.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "migrate/convert.h"

static const struct { const char *word; stele_vocabulary_t vocabulary; int code; } s_guesses [] = {
    { "pending", STELE_VOCABULARY_TASK_STATE, STELE_TASK_QUEUED },
    { "new", STELE_VOCABULARY_TASK_STATE, STELE_TASK_QUEUED },
    { "created", STELE_VOCABULARY_TASK_STATE, STELE_TASK_QUEUED },
    { "waiting", STELE_VOCABULARY_TASK_STATE, STELE_TASK_QUEUED },
    { "retrying", STELE_VOCABULARY_TASK_STATE, STELE_TASK_QUEUED },
    { "initializing", STELE_VOCABULARY_TASK_STATE, STELE_TASK_STARTING },
    { "active", STELE_VOCABULARY_TASK_STATE, STELE_TASK_RUNNING },
    { "assigned", STELE_VOCABULARY_TASK_STATE, STELE_TASK_STARTING },
    { "in_progress", STELE_VOCABULARY_TASK_STATE, STELE_TASK_RUNNING },
    { "processing", STELE_VOCABULARY_TASK_STATE, STELE_TASK_RUNNING },
    { "suspended", STELE_VOCABULARY_TASK_STATE, STELE_TASK_PAUSED },
    { "blocked", STELE_VOCABULARY_TASK_STATE, STELE_TASK_PAUSED },
    { "done", STELE_VOCABULARY_TASK_STATE, STELE_TASK_PASSED },
    { "complete", STELE_VOCABULARY_TASK_STATE, STELE_TASK_PASSED },
    { "completed", STELE_VOCABULARY_TASK_STATE, STELE_TASK_PASSED },
    { "success", STELE_VOCABULARY_TASK_STATE, STELE_TASK_PASSED },
    { "succeeded", STELE_VOCABULARY_TASK_STATE, STELE_TASK_PASSED },
    { "failure", STELE_VOCABULARY_TASK_STATE, STELE_TASK_FAILED },
    { "crashed", STELE_VOCABULARY_TASK_STATE, STELE_TASK_ERROR },
    { "canceled", STELE_VOCABULARY_TASK_STATE, STELE_TASK_CANCELLED },
    { "aborted", STELE_VOCABULARY_TASK_STATE, STELE_TASK_CANCELLED },
    { "killed", STELE_VOCABULARY_TASK_STATE, STELE_TASK_CANCELLED },
    { "timed_out", STELE_VOCABULARY_TASK_STATE, STELE_TASK_TIMEOUT },
    { "active", STELE_VOCABULARY_SESSION_STATE, STELE_SESSION_RUNNING },
    { "ready", STELE_VOCABULARY_SESSION_STATE, STELE_SESSION_WAITING_INPUT },
    { "idle", STELE_VOCABULARY_SESSION_STATE, STELE_SESSION_WAITING_INPUT },
    { "failed", STELE_VOCABULARY_SESSION_STATE, STELE_SESSION_ERROR },
    { "closed", STELE_VOCABULARY_SESSION_STATE, STELE_SESSION_TERMINATED },
    { "killed", STELE_VOCABULARY_SESSION_STATE, STELE_SESSION_TERMINATED },
    { "output", STELE_VOCABULARY_OUTPUT_TYPE, STELE_OUTPUT_STDOUT },
    { "error", STELE_VOCABULARY_OUTPUT_TYPE, STELE_OUTPUT_STDERR },
    { "file", STELE_VOCABULARY_OUTPUT_TYPE, STELE_OUTPUT_ARTIFACT }
};

int
convert_take_word (convert_t *self, const char *names, stele_vocabulary_t vocabulary, int otherwise)
{
    char name [64];
    char *text = convert_take_text_as (self, names, name);
    if (!text)
        return 0;
    //  An enumeration of Python may be stored as RUNNING or TaskState.RUNNING
    char word [64];
    const char *dot = strrchr (text, '.');
    snprintf (word, sizeof word, "%s", dot? dot + 1: text);
    for (char *c = word; *c; c++)
        *c = *c == ' ' || *c == '-'? '_': (char) tolower ((unsigned char) *c);
    int code = stele_vocabulary_code (vocabulary, word, strlen (word));
    if (code == 0) {
        for (size_t i = 0; i < sizeof s_guesses / sizeof s_guesses [0] && !code; i++)
            if (s_guesses [i].vocabulary == vocabulary && strcmp (s_guesses [i].word, word) == 0)
                code = s_guesses [i].code;
        code = code? code: otherwise;
        convert_report (self, "%s '%s' is unknown: imported as %s, kept in migrated.%s",
            name, text, stele_vocabulary_word (vocabulary, code), name);
        convert_keep (self, name, convert_string (text));
    }
    else
    if (strcmp (text, stele_vocabulary_word (vocabulary, code)) != 0)
        convert_report (self, "%s '%s' is another spelling of %s: read as that", name, text,
            stele_vocabulary_word (vocabulary, code));
    free (text);
    return code;
}
