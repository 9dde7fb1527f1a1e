/*  trouble - query the broker for the reason why acks do not arrive

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <stdio.h>
#include <string.h>
#include "base/memory.h"
#include "client/trouble.h"
#include "wire/map.h"

char *
stele_trouble_text (const char *endpoint, const void *answer, size_t size)
{
    char text [1600], trouble [512] = "", mode [16] = "";
    bool holding = false;
    char writer [64] = "", role [16] = "", endpoints [512] = "";
    stele_map_t message, ingest, shared;
    if (stele_map_open (&message, answer, size) == 0 && stele_map_map (&message, "ingest", &ingest)) {
        stele_map_bool (&ingest, "holding", &holding);
        stele_map_text (&ingest, "trouble", trouble, sizeof trouble);
        stele_map_text (&ingest, "mode", mode, sizeof mode);
    }
    if (stele_map_open (&message, answer, size) == 0 && stele_map_map (&message, "shared_log", &shared)) {
        stele_map_text (&shared, "role", role, sizeof role);
        stele_map_text (&shared, "writer", writer, sizeof writer);
        stele_map_text (&shared, "endpoints", endpoints, sizeof endpoints);
        stele_map_text (&shared, "trouble", trouble, sizeof trouble);
    }
    if (strcmp (role, "follower") == 0) {
        snprintf (text, sizeof text, "the node at %.160s follows a shared log; its writer is %s (%s)%s%s. It continues by itself when "
            "a writer can be reached: give the endpoints of all nodes, and set 'advertise' on each", endpoint,
            *writer? writer: "not known", *endpoints? endpoints: "no endpoint known", *trouble? "; ": "", trouble);
        return stele_memory_copy (text, strlen (text));
    }
    const char *also = strcmp (mode, "redis") == 0? "; it is in mode redis, where acks wait for Redis": "";
    if (holding)
        snprintf (text, sizeof text, "the broker at %.160s is running, but holds acks back: %s%s. It continues by itself "
            "when this is resolved", endpoint, *trouble? trouble: "its storage cannot take writes", also);
    else
        snprintf (text, sizeof text, "the broker at %.160s is running and reports no trouble%s: check that the "
            "events endpoint is that of the same broker, or wait longer", endpoint, also);
    return stele_memory_copy (text, strlen (text));
}
