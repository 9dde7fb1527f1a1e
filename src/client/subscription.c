/*  subscription - every committed event, once and in the order of positions

    A subscription to everything detects a loss as a gap in the positions. A subscription to a
    topic cannot, nor can one with a key that is bound to users: it suspects a loss after every connection, after a silence and after the
    queue may have overflowed. While it does, it reads the ledger up to the position of each
    message that it receives; the suspicion ends after SUBSCRIPTION_SUSPECT_MS.

    A live subscription does not read the ledger: it delivers what the feed has.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <czmq.h>
#include "base/memory.h"
#include "client/subscription.h"
#include "client/connection/handle.h"
#include "client/connection/link.h"
#include "client/request.h"
#include "client/sessions.h"
#include "client/topic.h"
#include "client/connection/wait.h"
#include "stele_client.h"
#include "wire/map.h"
#include "wire/pack.h"
#include "wire/scan.h"

#define SUBSCRIPTION_PAGE_EVENTS      1000
#define SUBSCRIPTION_QUEUE_MESSAGES   1000
#define SUBSCRIPTION_MESSAGE_BYTES 67108864
#define SUBSCRIPTION_HEAD_MS          1000      // To query the head, for "from now on"
#define SUBSCRIPTION_PAGE_MS          5000      // For one page; then it is requested again
#define SUBSCRIPTION_SILENCE_MS       3000      // Of a feed with a heartbeat each second
#define SUBSCRIPTION_SUSPECT_MS       2000      // Longer than a message is in flight
#define READ_TO_HEAD             INT64_MAX      // As 'read_to': up to the head, whatever it is

typedef struct {
    zmq_msg_t answer;               // Answer to events.read, which 'events' scans
    stele_scan_t events;
    uint32_t left;                  // Events not yet scanned
    int64_t end;                    // The page covers all positions up to this one
    bool last;                      // The page reached the head
} s_page_t;

struct stele_subscription {
    stele_link_t *link;
    stele_requester_t *requester;
    stele_pack_t *pack;
    stele_topic_t topic;
    stele_handle_t *handle;         // NULL: not requested
    stele_sessions_t *sessions;     // Of the task; NULL: the subscription is not to a task
    int64_t position;               // Every event up to this is delivered, or not of the topic; -1: not known
    int64_t read_to;                // Read the ledger up to this position
    bool pages_small;               // The broker does not allow SUBSCRIPTION_PAGE_EVENTS
    s_page_t page;
    bool page_open;
    bool requested;                 // A page was requested, and not answered yet
    int64_t requested_ms;
    bool received;                  // A message of the feed, since it was opened
    int64_t received_ms;            // When; or when the feed was opened
    int64_t heartbeat_position;     // Position of the last heartbeat
    char ledger [64];               // Id of the feed's ledger; "": not known yet
    bool ledger_unverified;         // Reconnected: it may be another ledger
    int consecutive;                // Messages since the queue was last empty
    bool by_user;                   // The key is bound to users: other positions are not for it
    bool live;                      // Reads no ledger, whatever is missing
    bool loss_suspected;
    int64_t suspect_until_ms;       // When the suspicion may end
};

//  Outcome of a message of the feed, or of an event of a page
typedef enum { NOTHING, SKIPPED, DELIVERED } s_result_t;

static int
s_open_feed (stele_subscription_t *self, stele_refusal_t *refusal)
{
    self->received = false;
    self->received_ms = zclock_mono ();
    int rc = stele_link_open (self->link, refusal);
    if (rc != 0)
        return rc;
    void *socket = stele_link_socket (self->link);
    stele_topic_subscribe (&self->topic, socket);
    return 0;
}

//  Position of the ledger's head; -1 without an answer: then the feed determines it
static int64_t
s_query_head (stele_subscription_t *self)
{
    stele_pack_clear (self->pack);
    stele_pack_map_begin (self->pack);
    stele_pack_key_string (self->pack, "op", "ping");
    stele_pack_map_end (self->pack);
    int64_t position = -1;
    zmq_msg_t answer;
    zmq_msg_init (&answer);
    stele_map_t message;
    if (stele_requester_send (self->requester, stele_pack_data (self->pack),
            stele_pack_size (self->pack), NULL) == 0
    &&  stele_requester_receive (self->requester, stele_wait_deadline (SUBSCRIPTION_HEAD_MS),
            &answer, NULL) == 0
    &&  stele_map_open (&message, zmq_msg_data (&answer), zmq_msg_size (&answer)) == 0)
        stele_map_integer (&message, "position", &position);
    zmq_msg_close (&answer);
    stele_requester_reset (self->requester);
    return position;
}

stele_subscription_t *
stele_subscription_new (const char *feed, const char *requests, const stele_key_t *key, const char *topic,
    const char *task_id, int64_t after, stele_refusal_t *refusal)
{
    stele_subscription_t *self = STELE_NEW (stele_subscription_t);
    self->link = stele_link_new (ZMQ_SUB, feed, key, SUBSCRIPTION_QUEUE_MESSAGES, SUBSCRIPTION_MESSAGE_BYTES);
    self->requester = stele_requester_new (requests, key);
    self->pack = stele_pack_new ();
    assert (self->pack);
    zmq_msg_init (&self->page.answer);
    self->live = after == STELE_FOLLOW_LIVE;
    if (task_id)
        stele_topic_set_task (&self->topic, task_id);
    else
        stele_topic_set (&self->topic, topic);
    if (task_id && !self->live)
        self->sessions = stele_sessions_new (task_id);
    self->position = self->live? -1: after;
    if (s_open_feed (self, refusal) != 0) {
        stele_subscription_destroy (&self);
        return NULL;
    }
    self->read_to = after < 0? -1: READ_TO_HEAD;
    if (after == -1)
        self->position = s_query_head (self);
    return self;
}

void
stele_subscription_destroy (stele_subscription_t **self_p)
{
    stele_subscription_t *self = *self_p;
    if (!self)
        return;
    zmq_msg_close (&self->page.answer);
    stele_link_destroy (&self->link, 0);
    stele_requester_destroy (&self->requester);
    stele_pack_destroy (&self->pack);
    stele_topic_clear (&self->topic);
    stele_sessions_destroy (&self->sessions);
    stele_handle_destroy (&self->handle);
    free (self);
    *self_p = NULL;
}

void
stele_subscription_expect (stele_subscription_t *self, const char *ledger)
{
    snprintf (self->ledger, sizeof self->ledger, "%s", ledger);
    self->ledger_unverified = true;
}

int64_t
stele_subscription_position (const stele_subscription_t *self)
{
    return self->position;
}

//  -- from the ledger -----------------------------------------------------------

static size_t
s_matching_types (const stele_subscription_t *self, const char **types)
{
    size_t count = 0;
    const char *type;
    for (int code = 1; code < STELE_EVENT_TYPE_END; code++)
        if ((type = stele_vocabulary_word (STELE_VOCABULARY_EVENT_TYPE, code))
        &&  stele_topic_has_type (&self->topic, type))
            types [count++] = type;
    return count;
}

static int
s_request_page (stele_subscription_t *self, stele_refusal_t *refusal)
{
    const char *types [STELE_EVENT_TYPE_END];
    size_t count = self->topic.count > 0? s_matching_types (self, types): 0;
    int64_t missing = self->read_to - self->position;
    stele_pack_t *pack = self->pack;
    stele_pack_clear (pack);
    stele_pack_map_begin (pack);
    stele_pack_key_string (pack, "op", "events.read");
    stele_pack_key_integer (pack, "after", self->position);
    if (!self->pages_small)
        stele_pack_key_integer (pack, "limit",
            missing < SUBSCRIPTION_PAGE_EVENTS? missing: SUBSCRIPTION_PAGE_EVENTS);
    if (self->read_to != READ_TO_HEAD)
        stele_pack_key_integer (pack, "min_position", self->read_to);
    if (count > 0) {
        stele_pack_key (pack, "types");
        stele_pack_array (pack, count);
        for (size_t i = 0; i < count; i++)
            stele_pack_string (pack, types [i]);
    }
    stele_pack_map_end (pack);
    int rc = stele_requester_send (self->requester, stele_pack_data (pack), stele_pack_size (pack), refusal);
    if (rc == 0) {
        self->requested = true;
        self->requested_ms = zclock_mono ();
    }
    return rc;
}

//  Open the page whose answer was received
static int
s_open_page (stele_subscription_t *self, stele_refusal_t *refusal)
{
    s_page_t *page = &self->page;
    stele_map_t message, error;
    char text [256] = "";
    bool ok = false;
    int64_t head, next;
    const void *events;
    size_t size;
    stele_map_open (&message, zmq_msg_data (&page->answer), zmq_msg_size (&page->answer));
    stele_map_bool (&message, "ok", &ok);
    if (!ok && stele_map_map (&message, "error", &error)) {
        int code = stele_map_code (&error, "code");
        if (!self->pages_small && (code == STELE_EBAD_REQUEST || code == STELE_EINVALID_FIELD)) {
            self->pages_small = true;
            return 0;               // Request it again, without a limit
        }
        stele_map_message (&error, text, sizeof text);
        return stele_refuse (refusal, code, NULL, "events.read: %.200s", text);
    }
    stele_token_t token = stele_scan_find (message.data, message.size, "events", &events, &size);
    if (!ok || token.kind != STELE_SCAN_ARRAY || !stele_map_integer (&message, "head", &head))
        return stele_refuse (refusal, STELE_EMALFORMED, NULL,
            "the answer to events.read has no events or no head");
    if (head < self->position)
        //  Delivered events are no longer in the ledger, and their positions are reused
        return stele_refuse (refusal, STELE_EBEHIND, NULL, "the ledger ends at position %" PRId64
            ", but this subscription has received %" PRId64 ": the end of the ledger was lost; "
            "subscribe again", head, self->position);
    page->last = !stele_map_integer (&message, "next", &next);
    page->end = page->last? head: next;
    page->events = stele_scan_start (events, size);
    page->left = stele_scan_next (&page->events).count;
    self->page_open = true;
    return 0;
}

//  Read the next page. Returns 0, STELE_ETIMEOUT (the next call continues to wait for the answer),
//  or the code of a failure.
static int
s_read_page (stele_subscription_t *self, int64_t deadline_ms, stele_refusal_t *refusal)
{
    while (true) {
        int rc = self->requested? 0: s_request_page (self, refusal);
        if (rc != 0)
            return rc;
        int64_t page_deadline_ms = self->requested_ms + SUBSCRIPTION_PAGE_MS;
        rc = stele_requester_receive (self->requester,
            deadline_ms < page_deadline_ms? deadline_ms: page_deadline_ms, &self->page.answer, refusal);
        if (rc == STELE_ETIMEOUT && zclock_mono () < page_deadline_ms)
            return rc;
        self->requested = false;
        if (rc == 0)
            return s_open_page (self, refusal);
        stele_requester_reset (self->requester);
        if (rc != STELE_ETIMEOUT || zclock_mono () >= deadline_ms)
            return rc;
    }
}

//  Is the event of the subscription? Unknown: of a session whose task is not known
typedef enum { OTHER, OURS, UNKNOWN } s_match_t;

static s_match_t
s_match (const stele_subscription_t *self, const stele_map_t *message)
{
    char type [64], id [256] = "default";
    if (self->topic.count == 0)
        return OURS;
    if (!stele_map_text (message, "type", type, sizeof type))
        return OTHER;
    if (self->sessions && strncmp (type, "session.", 8) == 0) {
        stele_sessions_answer_t answer = stele_sessions_match (self->sessions, message);
        return answer == STELE_SESSION_OURS? OURS: answer == STELE_SESSION_OTHER? OTHER: UNKNOWN;
    }
    stele_map_text (message, strncmp (type, "task.", 5) == 0? "task_id":
        strncmp (type, "session.", 8) == 0? "session_id": "user_id", id, sizeof id);
    return stele_topic_matches (&self->topic, type, id)? OURS: OTHER;
}

//  Deliver an event of that position to the caller
static int
s_deliver (stele_subscription_t *self, const stele_map_t *message, int64_t position,
    stele_event_t **event, stele_refusal_t *refusal)
{
    char error [256] = "";
    //  Even if it cannot be decoded: the event would otherwise block the subscription for ever
    self->position = position;
    stele_event_t *read = stele_event_decode (message->data, message->size, error, sizeof error);
    if (!read)
        return stele_refuse (refusal, STELE_EMALFORMED, NULL,
            "the event at position %" PRId64 " cannot be decoded: %.160s", position, error);
    *event = read;
    return 0;
}

//  The page is at its end: all positions that it covers are done
static void
s_close_page (stele_subscription_t *self)
{
    self->page_open = false;
    if (self->position < self->page.end)
        self->position = self->page.end;
    if (self->page.last && self->read_to == READ_TO_HEAD)
        self->read_to = self->position;
}

static s_result_t
s_next_of_page (stele_subscription_t *self, int64_t deadline_ms, stele_event_t **event, int *rc,
    stele_refusal_t *refusal)
{
    while (self->page.left > 0) {
        stele_map_t message;
        int64_t position;
        const stele_scan_t here = self->page.events;
        self->page.left--;
        stele_scan_skip (&self->page.events, &message.data, &message.size);
        if (stele_map_open (&message, message.data, message.size) != 0
        ||  !stele_map_integer (&message, "position", &position)
        ||  position <= self->position)
            continue;
        s_match_t match = s_match (self, &message);
        if (match == UNKNOWN) {
            //  Then look at this event again
            self->page.left++;
            self->page.events = here;
            *rc = stele_sessions_request (self->sessions, self->requester, &message, position, deadline_ms, refusal);
            return SKIPPED;
        }
        if (match == OURS) {
            *rc = s_deliver (self, &message, position, event, refusal);
            return DELIVERED;
        }
        self->position = position;
    }
    s_close_page (self);
    return SKIPPED;
}

//  -- from the feed --------------------------------------------------------------

//  Does it receive every position?
static bool
s_is_complete (const stele_subscription_t *self)
{
    return self->topic.count == 0 && !self->by_user;
}

static void
s_suspect_loss (stele_subscription_t *self, int64_t now_ms)
{
    if (s_is_complete (self))
        return;
    self->loss_suspected = true;
    self->suspect_until_ms = now_ms + SUBSCRIPTION_SUSPECT_MS;
}

static void
s_check_connected (stele_subscription_t *self)
{
    if (!stele_link_connected (self->link) || self->live)
        return;
    s_suspect_loss (self, zclock_mono ());
    //  Deliver nothing until a heartbeat identifies the ledger of the positions
    self->ledger_unverified = *self->ledger != 0;
    //  The broker may have restarted on a shorter ledger: reading up to the head detects that
    if (self->position > 0)
        self->read_to = READ_TO_HEAD;
}

//  Read the ledger up to that position, which the feed has reached
static void
s_read_to (stele_subscription_t *self, int64_t position, int64_t now_ms)
{
    if (self->read_to < position && !self->live)
        self->read_to = position;
    if (self->loss_suspected && now_ms >= self->suspect_until_ms)
        self->loss_suspected = false;
}

static int
s_check_ledger (stele_subscription_t *self, const stele_map_t *message, int64_t head, stele_refusal_t *refusal)
{
    char ledger [sizeof self->ledger];
    self->ledger_unverified = false;
    //  Other subscriptions learn that from the ledger
    if (self->live && head < self->heartbeat_position)
        return stele_refuse (refusal, STELE_EBEHIND, NULL, "the ledger ends at position %" PRId64 ", and had %" PRId64
            " before: its end was lost; subscribe again", head, self->heartbeat_position);
    if (!stele_map_text (message, "ledger", ledger, sizeof ledger))
        return 0;
    if (*self->ledger && strcmp (self->ledger, ledger) != 0)
        return stele_refuse (refusal, STELE_EBEHIND, NULL, "the feed is of ledger %s now, "
            "but this subscription started with %s: their positions differ; subscribe again", ledger,
            self->ledger);
    strcpy (self->ledger, ledger);
    return 0;
}

static void
s_on_heartbeat (stele_subscription_t *self, int64_t head, int64_t now_ms)
{
    if (self->position < 0) {
        self->position = head;
    }
    else
    if (self->loss_suspected || (s_is_complete (self) && head > self->position)) {
        s_read_to (self, head, now_ms);
    }
    else
    if (self->position < self->heartbeat_position) {
        //  Events committed before the last heartbeat were sent before this one
        self->position = self->heartbeat_position;
    }
    self->heartbeat_position = head;
}

//  Is that event the next one to deliver? If the ledger must be read first, arrange that.
static bool
s_is_next (stele_subscription_t *self, const stele_map_t *message, int64_t position,
    int64_t now_ms)
{
    if (self->position < 0)
        self->position = position - 1;
    if (position <= self->position)
        return false;
    if (self->live)
        return true;
    int64_t omitted;
    bool missing = s_is_complete (self)? position > self->position + 1: self->loss_suspected;
    if (missing || stele_map_integer (message, "content_omitted", &omitted)) {
        s_read_to (self, position, now_ms);
        return false;
    }
    return true;
}

//  Receive the second of two frames; false if there are not two
static bool
s_receive_body (void *socket, zmq_msg_t *body)
{
    int frames = 1, more = 0;
    size_t size = sizeof more;
    while (zmq_getsockopt (socket, ZMQ_RCVMORE, &more, &size) == 0 && more) {
        if (zmq_msg_recv (body, socket, ZMQ_DONTWAIT) < 0)
            return false;
        frames++;
    }
    return frames == 2;
}

//  Process one message of the feed, if there is one
static s_result_t
s_next_of_feed (stele_subscription_t *self, stele_event_t **event, int *rc, stele_refusal_t *refusal)
{
    s_check_connected (self);
    void *socket = stele_link_socket (self->link);
    char topic [10];
    int topic_size = zmq_recv (socket, topic, sizeof topic, ZMQ_DONTWAIT);
    if (topic_size < 0) {
        self->consecutive = 0;
        return NOTHING;
    }
    int64_t now_ms = zclock_mono ();
    if (self->consecutive < SUBSCRIPTION_QUEUE_MESSAGES)
        self->consecutive++;
    if (now_ms > self->received_ms + SUBSCRIPTION_SILENCE_MS
    ||  self->consecutive == SUBSCRIPTION_QUEUE_MESSAGES)
        s_suspect_loss (self, now_ms);
    self->received = true;
    self->received_ms = now_ms;
    if (!self->by_user && topic_size > 0 && *topic == '@') {
        self->by_user = true;
        s_suspect_loss (self, now_ms);
    }

    zmq_msg_t body;
    zmq_msg_init (&body);
    s_result_t result = SKIPPED;
    stele_map_t message;
    int64_t position;
    if (!s_receive_body (socket, &body)
    ||  stele_map_open (&message, zmq_msg_data (&body), zmq_msg_size (&body)) != 0
    ||  !stele_map_integer (&message, "position", &position)) {
        //  Not a message of the protocol
    }
    else
    if (topic_size == 9 && memcmp (topic, "heartbeat", 9) == 0) {
        *rc = s_check_ledger (self, &message, position, refusal);
        if (*rc == 0)
            s_on_heartbeat (self, position, now_ms);
    }
    else
    if (self->ledger_unverified)
        s_read_to (self, position, now_ms);
    else
    if (!s_is_next (self, &message, position, now_ms)) {
        //  Delivered already, or read from the ledger
    }
    else
    if (s_match (self, &message) == UNKNOWN)
        s_read_to (self, position, now_ms);     // The page of the ledger waits for the task of the session
    else
    if (s_match (self, &message) == OTHER)
        self->position = position;
    else {
        *rc = s_deliver (self, &message, position, event, refusal);
        result = DELIVERED;
    }
    zmq_msg_close (&body);
    return result;
}

//  Wait for the feed. False after the deadline, or on a failure.
static bool
s_wait_feed (stele_subscription_t *self, int64_t deadline_ms, int *rc, stele_refusal_t *refusal)
{
    *rc = stele_link_refused (self->link, refusal);
    if (*rc) {
        s_open_feed (self, NULL);       // For the next call
        return false;
    }
    //  Over inproc, only a new connection reaches a broker that was restarted
    int64_t silence_ms = INT64_MAX;
    if (self->received && stele_link_local (self->link))
        silence_ms = self->received_ms + SUBSCRIPTION_SILENCE_MS;
    zmq_pollitem_t items [2] = {
        { .socket = stele_link_socket (self->link), .events = ZMQ_POLLIN },
        { .socket = stele_link_monitor (self->link), .events = ZMQ_POLLIN }
    };
    if (stele_wait_poll (items, items [1].socket? 2: 1,
            deadline_ms < silence_ms? deadline_ms: silence_ms) > 0) {
        s_check_connected (self);
        return true;
    }
    int64_t now_ms = zclock_mono ();
    if (now_ms < silence_ms) {
        *rc = stele_refuse (refusal, STELE_ETIMEOUT, NULL, "no event within the timeout");
        return false;
    }
    s_suspect_loss (self, now_ms);
    *rc = s_open_feed (self, refusal);
    return *rc == 0;
}

//  Make the handle ready if a call without waiting would not time out. While an answer is awaited, the feed is not read.
static void
s_update_handle (stele_subscription_t *self, bool more)
{
    bool answer = stele_handle_watch (self->handle, stele_requester_socket (self->requester));
    bool message = stele_handle_watch (self->handle, stele_link_socket (self->link));
    bool event = stele_handle_watch (self->handle, stele_link_monitor (self->link));
    bool awaited = self->requested || self->page_open;
    stele_handle_arm (self->handle, more || (awaited? answer: message || event));
}

int
stele_subscription_fd (stele_subscription_t *self)
{
    if (!self->handle) {
        self->handle = stele_handle_new ();
        if (!self->handle)
            return -1;
        s_update_handle (self, true);
    }
    return stele_handle_fd (self->handle);
}

static int
s_next (stele_subscription_t *self, int timeout_ms, stele_event_t **event, stele_refusal_t *refusal)
{
    int64_t deadline_ms = stele_wait_deadline (timeout_ms);
    int rc = 0;
    while (rc == 0) {
        s_result_t result = SKIPPED;
        if (self->page_open) {
            result = s_next_of_page (self, deadline_ms, event, &rc, refusal);
        }
        else
        if (self->position < self->read_to && !self->ledger_unverified) {
            rc = s_read_page (self, deadline_ms, refusal);
        }
        else {
            result = s_next_of_feed (self, event, &rc, refusal);
        }
        if (result == DELIVERED)
            return rc;
        if (result == NOTHING)
            s_wait_feed (self, deadline_ms, &rc, refusal);
    }
    return rc;
}

int
stele_subscription_next (stele_subscription_t *self, int timeout_ms, stele_event_t **event,
    stele_refusal_t *refusal)
{
    int rc = s_next (self, timeout_ms, event, refusal);
    if (self->handle)
        s_update_handle (self, rc == 0);
    return rc;
}
