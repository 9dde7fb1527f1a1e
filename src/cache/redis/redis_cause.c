/*  redis_cause - why Redis refuses, from the text of its error, and what to do about it

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <string.h>
#include "cache/redis/redis_cause.h"

static const stele_redis_cause_t s_causes [] = {
    { "OOM ", "memory", "its memory is full: raise maxmemory of Redis, or remove keys of other programs" },
    { "NOAUTH ", "password", "it wants a password: give it in the setting 'redis' (redis://:PASSWORD@HOST)" },
    { "WRONGPASS ", "password", "correct the user or the password in the setting 'redis'" },
    { "ERR invalid password", "password", "correct the password in the setting 'redis'" },
    { "ERR AUTH ", "password", "it has no password: remove the one in the setting 'redis'" },
    { "ERR Client sent AUTH", "password", "it has no password: remove the one in the setting 'redis'" },
    { "NOPERM ", "permission", "the rules of Redis (ACL) deny this user a command or a key: allow it" },
    { "READONLY ", "read_only", "it is a replica: give the primary in the setting 'redis'" },
    { "LOADING ", "loading", "wait: Redis is still reading its data after a start" },
    { "MISCONF ", "disk", "it cannot save its data, so it refuses writes: look at its log and its disk" },
    { "MASTERDOWN ", "primary_down", "it is a replica that has lost its primary: start that, or name it in the setting "
        "'redis'" },
    { "NOREPLICAS ", "replicas", "it wants more replicas before it accepts writes: start them, or change "
        "min-replicas-to-write of Redis" },
    { "CLUSTERDOWN ", "cluster", "its cluster is down: look at the state of the cluster" },
    { "MOVED ", "cluster", "it is a node of a cluster that does not hold these keys: name the one that does" },
    { "ERR DB index", "database", "correct the number of the database in the setting 'redis'" },
    { "ERR max number of clients", "clients", "too many programs are connected to it: raise maxclients of Redis" },
    { "no answer within", "no_answer", "look at Redis: it accepted the connection and does not answer" },
    { "", "unreachable", "start Redis, or correct the setting 'redis'" }
};

const stele_redis_cause_t *
stele_redis_cause (const char *error)
{
    const stele_redis_cause_t *cause = s_causes;
    while (strncmp (error, cause->prefix, strlen (cause->prefix)) != 0)
        cause++;
    return cause;
}
