/*  refusal - the reason why a peer's input is refused

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdarg.h>
#include <stdio.h>
#include "base/character.h"
#include "model/refusal.h"

int
stele_refuse (stele_refusal_t *self, int code, const char *field, const char *format, ...)
{
    if (!self)
        return code;
    self->code = code;
    snprintf (self->field, sizeof self->field, "%s", field? field: "");
    va_list args;
    va_start (args, format);
    vsnprintf (self->message, sizeof self->message, format, args);
    va_end (args);
    //  It may quote what a peer sent, and be cut inside a character
    stele_character_mend (self->message);
    return code;
}
