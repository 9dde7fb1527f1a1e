/*  intake - the events of a target: from the broker into its queue

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/memory.h"
#include "broker/common/log.h"
#include "relay/filter.h"
#include "relay/span.h"
#include "relay/target_internal.h"

#define BYTES_MAX (16 << 20)        // Of the bodies in the queue; one event more may exceed it
#define BURST 256                   // Events per call, so that answers of the target are not delayed
#define AGAIN_MIN_MS 1000
#define AGAIN_MAX_MS 10000
#define OPEN_MS 5000                // A subscription that is refused is refused earlier
#define FULL_MS 1000                // A subscription that is not read for longer is closed

static void
s_source_failed (relay_target_t *self, const char *what, int64_t now_ms)
{
    int64_t pause_ms = AGAIN_MIN_MS << (self->source_failures < 4? self->source_failures: 4);
    if (self->source_failures++ == 0)
        stele_log_warning ("broker", "target %s: %s: %s; it is tried again", self->settings->name, what, relay_source_error (self->source));
    self->source_again_ms = now_ms + (pause_ms < AGAIN_MAX_MS? pause_ms: AGAIN_MAX_MS);
}

//  -- an event as an item of the queue ------------------------------------------------------------

static uint64_t
s_lane (const char *kind, const char *id)
{
    uint64_t hash = 14695981039346656037u;
    for (; *kind; kind++)
        hash = (hash ^ (unsigned char) *kind) * 1099511628211u;
    for (; *id; id++)
        hash = (hash ^ (unsigned char) *id) * 1099511628211u;
    return hash;
}

//  Returns 1 and the item, which has the body; 0: there is nothing to deliver; or a code: the broker did not answer
static int
s_make (relay_target_t *self, const stele_event_t *event, relay_item_t *item)
{
    const char *type = stele_event_type (event), *field = strncmp (type, "task.", 5) == 0? "task_id":
        strncmp (type, "session.", 8) == 0? "session_id": strncmp (type, "audit.", 6) == 0? "who": "user_id";
    const char *id = relay_event_text (event, field);
    char *body = NULL, subject [320];
    int rc = 1;
    if (self->settings->otlp)
        rc = relay_span_request (self->source, self->cursor.ledger, event, &body);
    else
        body = stele_event_to_json (event);
    if (rc == 1 && !body) {
        stele_log_error ("event", "target %s: event %" PRId64 " has text that is not UTF-8, and is skipped", self->settings->name,
            stele_event_position (event));
        rc = 0;
    }
    if (rc != 1)
        return rc;
    snprintf (subject, sizeof subject, "%s/%s", type, id);
    *item = (relay_item_t) { .position = stele_event_position (event), .lane = s_lane (field, id),
        .subject = stele_memory_copy (subject, strlen (subject)), .body = body, .size = strlen (body) };
    return 1;
}

//  Returns 0, or a code: the broker did not answer, take the event again
static int
s_take (relay_target_t *self, const stele_event_t *event)
{
    int64_t position = stele_event_position (event);
    relay_item_t item;
    int rc = position <= self->cursor.position || (self->settings->otlp && !relay_span_ends (event))? 0:
        relay_filter_passes (self->settings, self->source, event);
    if (rc == 1)
        rc = s_make (self, event, &item);
    if (rc < 0)
        return rc;
    if (rc == 1)
        relay_queue_add (&self->queue, &item);
    if (position > self->cursor.position)
        self->cursor.position = position;
    self->dirty = true;
    return 0;
}

//  -- what the state has ---------------------------------------------------------------------------

typedef struct {
    relay_pending_t *items;
    size_t count, room;
} s_list_t;

static void
s_list_pending (const relay_pending_t *pending, void *arg)
{
    s_list_t *list = arg;
    list->items = stele_array_must_grow (list->items, &list->room, list->count + 1, sizeof *list->items);
    list->items [list->count++] = *pending;
}

static void
s_list_dead (const relay_dead_t *dead, void *arg)
{
    const relay_pending_t pending = { dead->position, 0, 0 };
    if (((s_list_t *) arg)->count < BURST)
        s_list_pending (&pending, arg);
}

//  Read an event again. Returns 0 (it is in the queue, or a dead letter), or a code: the broker did not answer.
static int
s_restore (relay_target_t *self, const relay_pending_t *pending, bool was_dead)
{
    stele_event_t *event = NULL;
    relay_item_t item = { 0 };
    int rc = relay_source_read (self->source, pending->position, &event);
    const char *why = rc == STELE_ENOT_FOUND? "the event cannot be read any more": "the event makes no request any more";
    if (rc == 0)
        rc = s_make (self, event, &item);
    stele_event_destroy (&event);
    if (rc < 0 && rc != STELE_ENOT_FOUND)
        return rc;
    if (rc != 1)
        item = (relay_item_t) { .position = pending->position, .subject = stele_memory_copy ("", 0), .body = stele_memory_copy ("", 0) };
    item.attempts = pending->attempts;
    item.first_us = pending->first_us;
    item.was_dead = was_dead;
    bool added = relay_queue_add (&self->queue, &item);
    for (size_t i = 0; i < self->queue.count && added && rc != 1; i++)
        if (self->queue.items [i]->position == pending->position) {
            relay_target_bury (self, self->queue.items [i], why);
            break;
        }
    self->dirty = self->flush = true;
    return 0;
}


void
relay_intake_retry (relay_target_t *self)
{
    s_list_t list = { 0 };
    size_t done = 0;
    if (self->loaded && relay_state_dead (self->state, self->settings->name, true, s_list_dead, &list) == 0)
        while (done < list.count && relay_intake_has_room (self) && s_restore (self, &list.items [done], true) == 0)
            done++;
    if (done < list.count || list.count == BURST)
        self->version = -1;         // Look again
    free (list.items);
}

//  -- the source --------------------------------------------------------------------------------------

//  The end of the history of the cursor's ledger was lost, as an operator accepted: its positions up to there remain. Returns
//  false if it is another ledger.
static bool
s_continue_after_loss (relay_target_t *self, const json_t *losses)
{
    size_t at = 0;
    int64_t end = self->cursor.position;
    const char *ledger;
    while ((ledger = json_string_value (json_object_get (json_array_get (losses, at), "ledger"))) && strcmp (ledger, self->cursor.ledger) != 0)
        at++;
    if (!ledger)
        return false;
    for (size_t i = 0; i <= at; i++) {
        int64_t first = json_integer_value (json_object_get (json_array_get (losses, i), "first"));
        end = first > 0 && first - 1 < end? first - 1: end;
    }
    stele_log_warning ("loss", "target %s: the end of the ledger was lost: continuing after position %" PRId64 " instead of %" PRId64,
        self->settings->name, end, self->cursor.position);
    self->cursor.position = end;
    return true;
}

//  Is it the ledger to which the position belongs? A new target gets its position here.
static bool
s_check_ledger (relay_target_t *self, const char *ledger, int64_t head, const json_t *losses)
{
    relay_cursor_t *cursor = &self->cursor;
    bool is_new = !*cursor->ledger, same = strcmp (cursor->ledger, ledger) == 0;
    if (is_new && cursor->position < 0)
        cursor->position = strcmp (self->settings->from, "beginning") == 0? 0: head;
    if (is_new && cursor->position > head)
        cursor->position = head;
    if (!is_new && (same? head < cursor->position: !s_continue_after_loss (self, losses))) {
        char error [sizeof cursor->error];
        snprintf (error, sizeof error, "the broker has %s: run 'stele-relay reset %.64s' to begin anywhere else", same?
            "a shorter ledger than this target has read": "another ledger than this target has read", self->settings->name);
        if (strcmp (error, cursor->error) != 0)
            stele_log_error ("ledger", "target %s: %s", self->settings->name, error);
        memcpy (cursor->error, error, sizeof error);
        self->wrong_ledger = self->dirty = self->flush = true;
        return false;
    }
    if (!same || self->wrong_ledger || !self->loaded) {
        snprintf (cursor->ledger, sizeof cursor->ledger, "%s", ledger);
        *cursor->error = 0;
        self->dirty = self->flush = true;
    }
    self->wrong_ledger = false;
    return true;
}

//  Put the undelivered events of the state into the queue; those beyond the position were lost
static int
s_load (relay_target_t *self)
{
    s_list_t list = { 0 };
    int rc = 0;
    //  Undelivered events that could not be read would be deleted by the next commit
    if (relay_state_pending (self->state, self->settings->name, s_list_pending, &list) != 0)
        rc = relay_source_fail (self->source, STELE_EIO, "cannot read the state");
    while (list.count > 0 && list.items [list.count - 1].position > self->cursor.position)
        list.count--;
    for (size_t i = 0; i < list.count && rc == 0; i++)
        rc = s_restore (self, &list.items [i], false);
    free (list.items);
    self->loaded = rc == 0;
    if (self->loaded)
        relay_intake_retry (self);
    return rc;
}

static void
s_open (relay_target_t *self, int64_t now_ms)
{
    json_t *request = json_pack ("{ss}", "op", "info"), *answer = NULL;
    int rc = relay_source_ask (self->source, request, &answer);
    json_decref (request);
    const char *ledger = json_string_value (json_object_get (answer, "ledger"));
    if (rc != 0 || !ledger)
        s_source_failed (self, "cannot query the broker", now_ms);
    else
    if (!s_check_ledger (self, ledger, json_integer_value (json_object_get (answer, "position")), json_object_get (answer, "losses")))
        self->source_again_ms = now_ms + AGAIN_MAX_MS;
    else
    if ((!self->loaded && s_load (self) != 0) || relay_source_follow (self->source, self->cursor.ledger, self->cursor.position) != 0)
        s_source_failed (self, "cannot read events", now_ms);
    else
        self->opened_ms = now_ms;
    json_decref (answer);
}

bool
relay_intake_has_room (const relay_target_t *self)
{
    return !self->cursor.disabled && !self->commit_failing && self->queue.count < (size_t) self->settings->window
        && self->queue.bytes < BYTES_MAX;
}

//  The next event, or that which is held
static int
s_next (relay_target_t *self, stele_event_t **event)
{
    *event = self->held;
    self->held = NULL;
    return *event? 0: relay_source_next (self->source, event);
}

//  With a key that is bound to users, positions pass without an event
static void
s_pass (relay_target_t *self)
{
    int64_t position = relay_source_position (self->source);
    if (position > self->cursor.position) {
        self->cursor.position = position;
        self->dirty = true;
    }
}

//  An event came, or a subscription that was open for some time was not refused
static void
s_source_works (relay_target_t *self)
{
    if (self->source_failures > 0)
        stele_log_info ("broker", "target %s: the broker answers again", self->settings->name);
    self->source_failures = 0;
}

static void
s_read (relay_target_t *self, int64_t now_ms)
{
    self->more = true;
    for (int i = 0; i < BURST && relay_intake_has_room (self); i++) {
        stele_event_t *event = NULL;
        int rc = s_next (self, &event);
        if (rc == STELE_ETIMEOUT) {
            s_pass (self);
            self->more = false;
            if (now_ms - self->opened_ms > OPEN_MS)
                s_source_works (self);
            return;
        }
        if (rc == STELE_EMALFORMED) {
            stele_log_error ("event", "target %s: skipped: %s", self->settings->name, relay_source_error (self->source));
            continue;
        }
        if (rc == 0 && s_take (self, event) != 0) {
            self->held = event;
            s_source_failed (self, "cannot query the broker about an event", now_ms);
            return;
        }
        stele_event_destroy (&event);
        if (rc != 0) {
            s_source_failed (self, "cannot read events", now_ms);
            relay_source_pause (self->source);
            return;
        }
        s_source_works (self);
    }
}

void
relay_intake_run (relay_target_t *self, int64_t now_ms)
{
    bool room = relay_intake_has_room (self);
    if (room)
        self->full_since_ms = 0;
    else
    if (self->full_since_ms == 0)
        self->full_since_ms = now_ms;
    else
    if (now_ms - self->full_since_ms > FULL_MS) {
        relay_source_pause (self->source);
        stele_event_destroy (&self->held);
    }
    if (now_ms < self->source_again_ms || self->cursor.disabled)
        return;
    //  Before the queue is loaded there is room; after a pause, only if half of it is free
    if (!relay_source_follows (self->source) && (!self->loaded || (room && self->queue.count <= (size_t) self->settings->window / 2)))
        s_open (self, now_ms);
    if (relay_source_follows (self->source))
        s_read (self, now_ms);
}
