/*  stele - the durable record of tasks

    Umbrella header. A program includes this one, links with -lstele
    (pkg-config libstele) and uses three classes:

      stele_event_t    one change of a task, a session or a preference
      stele_client_t   publishes events with acks, sends requests, subscribes to the feed
      stele_broker     a czmq actor: the whole broker inside your own process

    They implement the wire protocol of doc/PROTOCOL.md.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#ifndef STELE_H_INCLUDED
#define STELE_H_INCLUDED

#include "stele_library.h"
#include "stele_error.h"
#include "stele_event.h"
#include "stele_client.h"
#include "stele_broker.h"

#endif
