/*  operations - look up and check a request; the table is in operations.h

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <string.h>
#include "broker/operations/operations.h"

//  More elements than the largest publish has; checking them takes some milliseconds
#define ELEMENTS_MAX 4000000
//  Of all other requests
#define ELEMENTS_FEW 10000

#define NEEDS(name, kind) { name, STELE_PARAM_##kind, true }
#define TAKES(name, kind) { name, STELE_PARAM_##kind, false }
#define NONE              { NULL, 0, false }
#define ROW(constant, name, route, role, handler, ...) \
    [STELE_OPERATION_##constant] = \
        { name, STELE_ROUTE_##route, STELE_ROLE_##role, (stele_scope_t) STELE_SCOPE_OF_##constant, handler, { __VA_ARGS__ } },

const stele_operation_t stele_operations [] = {
    STELE_OPERATIONS (ROW)
};

//  For the refusal of an unknown one
#define NAME(constant, name, ...) " " name
static const char s_names [] = STELE_OPERATIONS (NAME);

const stele_operation_t *
stele_operation_find (const char *name, size_t size)
{
    for (size_t i = 0; i < STELE_OPERATION_REQUESTS; i++)
        if (strlen (stele_operations [i].name) == size && memcmp (stele_operations [i].name, name, size) == 0)
            return &stele_operations [i];
    return NULL;
}

const stele_operation_t *
stele_operation_check (stele_params_t *params, const void *data, size_t size, stele_ignored_t *ignored)
{
    if (stele_params_check (params, data, size, ELEMENTS_MAX))
        return NULL;
    stele_span_t name = stele_params_id (params, "op");
    const stele_operation_t *operation = stele_operation_find (name.text, name.size);
    char shown [80];
    if (!operation)
        stele_params_fail (params, STELE_EUNKNOWN_OP, "op", "there is no operation '%s'; there are%s",
            stele_params_show (name, shown), s_names);
    else
    //  Each element has at least one byte: a small request needs no second look
    if (operation->route == STELE_ROUTE_WRITER || size <= ELEMENTS_FEW
    ||  stele_params_check (params, data, size, ELEMENTS_FEW) == 0)
        stele_params_match (params, operation->params, ignored);
    return operation;
}

int
stele_operation_check_scope (const stele_operation_t *self, stele_params_t *params)
{
    if (self->scope != STELE_SCOPE_UNBOUND || params->identity->user_count == 0)
        return 0;
    return stele_params_fail (params, STELE_EUNAUTHORIZED, NULL,
        "%s concerns all users, and key '%s' is bound to some: use a key that is not bound to users", self->name,
        params->identity->name);
}

stele_operation_id_t
stele_operation_id (const void *data, size_t size)
{
    stele_token_t op = stele_scan_find (data, size, "op", NULL, NULL);
    if (op.kind != STELE_SCAN_TEXT)
        return STELE_OPERATION_NONE;
    const stele_operation_t *operation = stele_operation_find (op.data, op.size);
    if (operation)
        return (stele_operation_id_t) (operation - stele_operations);
#define ACTOR_NAME(constant, name) \
    if (op.size == sizeof name - 1 && memcmp (op.data, name, op.size) == 0) \
        return STELE_OPERATION_##constant;
    STELE_ACTOR_OPERATIONS (ACTOR_NAME)
    return STELE_OPERATION_NONE;
}
