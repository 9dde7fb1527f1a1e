/*  mode_switch - enter and leave modes, between batches

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <czmq.h>
#include "broker/common/log.h"
#include "base/clock.h"
#include "broker/ingest/redis_mode.h"

#define PAUSE_MS 10000              // A step of the follower takes long if Redis hangs

static int
s_send_pause (zsock_t *mailbox, bool paused)
{
    stele_pack_t *pack = stele_pack_new ();
    stele_pack_map_begin (pack);
    stele_pack_key_string (pack, "op", "pause");
    stele_pack_key_bool (pack, "paused", paused);
    stele_pack_map_end (pack);
    int rc = zsock_send (mailbox, "bb", "pause", (size_t) 5, stele_pack_data (pack), stele_pack_size (pack));
    stele_pack_destroy (&pack);
    return rc;
}

//  Pause or resume the cache follower. Returns 0, or STELE_EUNAVAILABLE: then its state is unchanged,
//  even if it reads the request later, since the opposite follows.
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
        rc = s_send_pause (mailbox, paused);
    zmsg_t *answer = rc == 0? zmsg_recv (mailbox): NULL;
    if (rc == 0 && !answer)
        s_send_pause (mailbox, !paused);
    rc = answer? 0: STELE_EUNAVAILABLE;
    zmsg_destroy (&answer);
    zsock_destroy (&mailbox);
    return rc;
}

static int
s_unanswered (stele_refusal_t *refusal)
{
    return stele_refuse (refusal, STELE_EUNAVAILABLE, "mode", "the cache follower does not answer: try again");
}

static int
s_enter (stele_writer_t *writer, stele_mode_t wanted, bool has_actor, stele_refusal_t *refusal)
{
    if (wanted == STELE_MODE_REDIS && writer->lead)
        return stele_refuse (refusal, STELE_EUNAVAILABLE, "mode", "with a shared-log, acks wait for that log: there is no mode redis");
    if (wanted == STELE_MODE_REDIS)
        return stele_writer_enter_redis_mode (writer, refusal);
    if (wanted == STELE_MODE_DUAL && has_actor && s_pause (writer, false))
        return s_unanswered (refusal);
    return 0;
}

int
stele_mode_switch (stele_writer_t *writer, stele_mode_t wanted, stele_refusal_t *refusal)
{
    if ((int) wanted == writer->mode)
        return 0;
    if (streq (writer->settings->redis, "none"))
        return stele_refuse (refusal, STELE_EUNAVAILABLE, "redis",
            "mode %s needs Redis, but this broker runs without it", stele_mode_word (wanted));
    int code = 0;
    if (writer->mode == STELE_MODE_DUAL && s_pause (writer, true))
        code = s_unanswered (refusal);
    if (code == 0 && writer->mode == STELE_MODE_REDIS)
        code = stele_writer_leave_redis_mode (writer, refusal);
    if (code)
        return code;
    code = s_enter (writer, wanted, true, refusal);
    writer->mode_since_us = stele_clock_steady_us ();
    if (code == 0) {
        writer->mode = wanted;
        return 0;
    }
    //  Return to a mode in which acks wait for the ledger
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
        stele_log_warning ("recovered_from_redis", "mode redis: wrote %lld event%s to the ledger that an earlier run acked from Redis",
            (long long) recovered, recovered == 1? "": "s");
    stele_mode_t mode = stele_mode_initial (writer->settings);
    int code = s_enter (writer, mode, false, refusal);
    writer->mode_since_us = stele_clock_steady_us ();
    if (code == 0)
        writer->mode = mode;
    return code;
}
