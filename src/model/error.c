/*  error - look up the table of include/stele_error.h

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <string.h>
#include "model/refusal.h"

static const struct {
    int code;
    const char *name;
    const char *text;
} s_errors [] = {
#define STELE_ERROR_ROW(constant, number, name, text) { constant, name, text },
    STELE_ERRORS (STELE_ERROR_ROW)
#undef STELE_ERROR_ROW
};

#define ERROR_COUNT (sizeof s_errors / sizeof s_errors [0])

const char *
stele_error_name (int code)
{
    if (code >= 0)
        return "ok";
    for (size_t i = 0; i < ERROR_COUNT; i++)
        if (s_errors [i].code == code)
            return s_errors [i].name;
    return "internal";
}

const char *
stele_error_text (int code)
{
    if (code >= 0)
        return "ok";
    for (size_t i = 0; i < ERROR_COUNT; i++)
        if (s_errors [i].code == code)
            return s_errors [i].text;
    return "unknown error";
}

int
stele_error_code (const char *name)
{
    for (size_t i = 0; i < ERROR_COUNT; i++)
        if (strcmp (s_errors [i].name, name) == 0)
            return s_errors [i].code;
    return STELE_EINTERNAL;
}

bool
stele_error_is_transient (int code)
{
    return code == 0 || code == STELE_EBUSY || code == STELE_EFULL || code == STELE_ENO_MEMORY;
}
