/*  mode_switch - enter and leave a mode, between batches

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <czmq.h>
#include "broker/ingest/redis_mode.h"

#define PAUSE_MS 10000              // For a step of the follower, which a Redis that hangs makes long

static int
s_say_pause (zsock_t *mailbox, bool paused)
{
    stele_pack_t *pack = stele_pack_new ();
    stele_pack_map (pack, 2);
    stele_pack_key_string (pack, "op", "pause");
    stele_pack_key_bool (pack, "paused", paused);
    int rc = zsock_send (mailbox, "bb", "pause", (size_t) 5, stele_pack_data (pack), stele_pack_size (pack));
    stele_pack_destroy (&pack);
    return rc;
}

//  Let the cache's actor go, or hold it. 0, or STELE_EUNAVAILABLE: then it stays as it was, also
//  when it reads the word later.
static int
s_pause (stele_writer_t *writer, bool paused)
{
    char endpoint [80];
    zsock_t *mailbox = zsock_new (ZMQ_DEALER);
    assert (mailbox);
    zsock_set_linger (mailbox, 0);
    zsock_set_rcvtimeo (mailbox, PAUSE_MS);
    int rc = zsock_connect (mailbox, "%s", stele_settings_inproc (writer->settings, "cache", endpoint));
    if (rc == 0)
        rc = s_say_pause (mailbox, paused);
    zmsg_t *answer = rc == 0? zmsg_recv (mailbox): NULL;
    if (rc == 0 && !answer)
        s_say_pause (mailbox, !paused);
    rc = answer? 0: STELE_EUNAVAILABLE;
    zmsg_destroy (&answer);
    zsock_destroy (&mailbox);
    return rc;
}

static int
s_enter (stele_writer_t *writer, stele_mode_t wanted, bool has_actor, stele_refusal_t *refusal)
{
    if (wanted == STELE_MODE_REDIS)
        return stele_writer_enter_redis_mode (writer, refusal);
    if (wanted == STELE_MODE_DUAL && has_actor && s_pause (writer, false))
        return stele_refuse (refusal, STELE_EUNAVAILABLE, "mode", "the follower of Redis does not answer: try again");
    return 0;
}

int
stele_mode_switch (stele_writer_t *writer, stele_mode_t wanted, stele_refusal_t *refusal)
{
    if ((int) wanted == writer->mode)
        return 0;
    if (streq (writer->settings->redis, "none"))
        return stele_refuse (refusal, STELE_EUNAVAILABLE, "mode",
            "this broker runs without Redis: mode %s needs the setting redis", stele_mode_word (wanted));
    int code = 0;
    if (writer->mode == STELE_MODE_DUAL && s_pause (writer, true))
        code = stele_refuse (refusal, STELE_EUNAVAILABLE, "mode", "the follower of Redis does not answer: try again");
    if (code == 0 && writer->mode == STELE_MODE_REDIS)
        code = stele_writer_leave_redis_mode (writer, refusal);
    if (code)
        return code;
    code = s_enter (writer, wanted, true, refusal);
    if (code == 0) {
        writer->mode = wanted;
        return 0;
    }
    //  Back to where acks wait for the ledger, which is safe
    writer->mode = writer->mode == STELE_MODE_DUAL && s_pause (writer, false) == 0?
        STELE_MODE_DUAL: STELE_MODE_SQLITE;
    return code;
}

int
stele_mode_start (stele_writer_t *writer, stele_refusal_t *refusal)
{
    int64_t recovered = stele_writer_recover_redis_mode (writer, refusal);
    if (recovered < 0)
        return (int) recovered;
    if (recovered)
        zsys_warning ("mode redis: %lld events that an earlier run acked from Redis are in the ledger now",
            (long long) recovered);
    stele_mode_t mode = stele_mode_initial (writer->settings);
    if (streq (writer->settings->mode, "redis") && mode != STELE_MODE_REDIS)
        return stele_refuse (refusal, STELE_EINVALID_FIELD, "mode", "mode redis needs the setting redis");
    int code = s_enter (writer, mode, false, refusal);
    if (code == 0)
        writer->mode = mode;
    return code;
}
