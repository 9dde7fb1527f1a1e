/*  zap - the actor that decides which connections to let in

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include "base/thread.h"
#include "broker/access/access.h"
#include "broker/access/zap.h"
#include "broker/common/poll.h"
#include "fault/fault.h"
#include "wire/key_file.h"

#define USER_ID_SIZE (STELE_KEY_TEXT + 21)     // And a number
#define ENDPOINT "inproc://zeromq.zap.01"

//  [version][request][domain][address][routing id][mechanism][key]: from libzmq, of this process
enum { VERSION, REQUEST, DOMAIN, ADDRESS, ROUTING_ID, MECHANISM, KEY, COUNT };

//  The User-Id of whoever is let in, else NULL: the public key; for the feed, which has to tell connections apart, with
//  the number of the connection.
static const char *
s_decide (stele_access_t *access, zmsg_t *request, char text [USER_ID_SIZE], int64_t number)
{
    char domain [64], address [64];
    zframe_t *frames [COUNT];
    if (zmsg_size (request) != COUNT)
        return NULL;
    frames [0] = zmsg_first (request);
    for (int i = 1; i < COUNT; i++)
        frames [i] = zmsg_next (request);
    if (!zframe_streq (frames [VERSION], "1.0") || !zframe_streq (frames [MECHANISM], "CURVE")
    ||  zframe_size (frames [KEY]) != 32 || !zmq_z85_encode (text, zframe_data (frames [KEY]), 32))
        return NULL;
    snprintf (domain, sizeof domain, "%.*s", (int) zframe_size (frames [DOMAIN]), (char *) zframe_data (frames [DOMAIN]));
    snprintf (address, sizeof address, "%.*s", (int) zframe_size (frames [ADDRESS]),
        (char *) zframe_data (frames [ADDRESS]));
    if (!stele_access_admit (access, text, domain, address))
        return NULL;
    if (strcmp (domain, STELE_ACCESS_FEED_DOMAIN) == 0)
        snprintf (text + STELE_KEY_TEXT - 1, USER_ID_SIZE - STELE_KEY_TEXT + 1, " %lld", (long long) number);
    return text;
}

//  The answer to every request, or the socket would not take another one
static void
s_answer (stele_access_t *access, zsock_t *handler, int64_t connection)
{
    zmsg_t *request = zmsg_recv (handler);
    if (!request)
        return;
    char text [USER_ID_SIZE];
    const char *user = s_decide (access, request, text, connection);
    zframe_t *number = zmsg_first (request);
    number = zmsg_size (request) > 1? zmsg_next (request): NULL;
    zmsg_t *answer = zmsg_new ();
    zmsg_addstr (answer, "1.0");
    zmsg_addmem (answer, number? zframe_data (number): NULL, number? zframe_size (number): 0);
    zmsg_addstr (answer, user? "200": "400");
    zmsg_addstr (answer, user? "OK": "no such key, or not valid any more");
    zmsg_addstr (answer, user? user: "");
    zmsg_addmem (answer, NULL, 0);
    zmsg_send (&answer, handler);
    zmsg_destroy (&answer);
    zmsg_destroy (&request);
}

void
stele_zap (zsock_t *pipe, void *args)
{
    stele_access_t *access = args;
    zsock_t *handler = zsock_new (ZMQ_REP);
    zsock_signal (pipe, 0);
    stele_thread_name ("zap");
    bool bound = handler && zsock_bind (handler, "%s", ENDPOINT) == 0;
    if (!bound)
        zstr_sendx (pipe, "FAILED", "keys: this process has a ZAP handler already, its own or that of another broker with "
            "keys, and libzmq asks only one: run the broker as a process of its own (steled), or without keys on ipc", NULL);
    else {
        zstr_sendx (pipe, "READY", NULL);
        zmq_pollitem_t items [] = {
            { zsock_resolve (pipe), 0, ZMQ_POLLIN, 0 },
            { zsock_resolve (handler), 0, ZMQ_POLLIN, 0 }
        };
        int answers = 0;
        int64_t connections = 0;
        while (stele_poll (items, 2, -1) >= 0 && !(items [0].revents & ZMQ_POLLIN))
            if (items [1].revents & ZMQ_POLLIN) {
                if (STELE_CONTROL (zap_ends) && ++answers == 3)
                    break;
                s_answer (access, handler, ++connections);
            }
    }
    stele_access_close (access);
    if (bound)
        zsock_unbind (handler, "%s", ENDPOINT);
    zsock_destroy (&handler);
}
