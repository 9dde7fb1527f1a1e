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
    char text [1024], trouble [512] = "", mode [16] = "";
    bool holding = false;
    stele_map_t message, ingest;
    if (stele_map_open (&message, answer, size) == 0 && stele_map_map (&message, "ingest", &ingest)) {
        stele_map_bool (&ingest, "holding", &holding);
        stele_map_text (&ingest, "trouble", trouble, sizeof trouble);
        stele_map_text (&ingest, "mode", mode, sizeof mode);
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
