/*  greeting - what this server has to know of a broker: its ledger, its limits, and whether it takes requests for others

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <string.h>
#include "base/clock.h"
#include "broker/common/log.h"
#include "http/greeting.h"
#include "http/reply.h"
#include "wire/map.h"

#define INFO_MS 5000
#define PROBE_MS 3000

static void
s_on_info (void *arg, const void *answer, size_t size, const stele_refusal_t *refusal)
{
    http_server_t *self = arg;
    stele_map_t map = { answer, size }, limits;
    if (refusal)
        return;
    char ledger [sizeof self->ledger] = "";
    stele_map_text (&map, "ledger", ledger, sizeof ledger);
    bool other = *self->ledger && strcmp (self->ledger, ledger) != 0;
    strcpy (self->ledger, ledger);
    if (other)
        http_hub_reset (self->hub, "other_ledger");
    if (stele_map_map (&map, "limits", &limits)) {
        stele_map_integer (&limits, "message_bytes", &self->message_bytes);
        stele_map_integer (&limits, "list_limit", &self->list_limit);
    }
}

//  Without the role gateway, no client gets an answer: say it once, and in /readyz
static void
s_on_probe (void *arg, const void *answer, size_t size, const stele_refusal_t *refusal)
{
    http_server_t *self = arg;
    stele_refusal_t error = { 0 };
    bool known = self->no_gateway.code != 0;
    if (refusal)
        return;
    self->no_gateway.code = 0;
    if (http_reply_check (answer, size, &error) != STELE_EUNAUTHORIZED)
        return;
    stele_refuse (&self->no_gateway, STELE_EUNAUTHORIZED, "key", "the broker takes no requests for clients with tokens from "
        "this server: make its key with the role gateway, besides those of its clients (%.300s)", error.message);
    if (!known)
        stele_log_error ("no_gateway", "%s", self->no_gateway.message);
}

static void
s_probe (http_server_t *self)
{
    stele_refusal_t refusal;
    self->probed_ms = stele_clock_steady_ms ();
    stele_pack_clear (self->pack);
    stele_pack_map_begin (self->pack);
    stele_pack_key_string (self->pack, "op", "ping");
    stele_pack_map_end (self->pack);
    http_upstream_send (self->upstream, self->pack, http_access_probe (self->access), INFO_MS, s_on_probe, self, &refusal);
}

//  A broker, perhaps another one: which ledger is it?
void
http_greeting_send (void *arg)
{
    http_server_t *self = arg;
    stele_refusal_t refusal;
    stele_pack_clear (self->pack);
    stele_pack_map_begin (self->pack);
    stele_pack_key_string (self->pack, "op", "info");
    stele_pack_map_end (self->pack);
    http_upstream_send (self->upstream, self->pack, NULL, INFO_MS, s_on_info, self, &refusal);
    if (self->access)
        s_probe (self);
}

void
http_greeting_tick (http_server_t *self)
{
    if (self->no_gateway.code && stele_clock_steady_ms () > self->probed_ms + PROBE_MS)
        s_probe (self);
}
