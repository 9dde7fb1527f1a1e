/*  compress_ahead - compress texts on another thread before the writer needs them

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "base/memory.h"
#include "sqlite/compress/compress_ahead.h"
#include "sqlite/compress/compressor.h"
#include "base/thread.h"
#include "stele_error.h"
#include "wire/event/message.h"

#define ERROR_FROM 1024             // Shorter error texts are stored plain (write/append_task.c)

//  WAITS: either thread may compress it. TAKEN, DONE: by this thread.
typedef enum { TEXT_WAITS, TEXT_TAKEN, TEXT_DONE } s_state_t;

typedef struct {
    const char *text;
    size_t size;
    char *frame;
    size_t frame_size;
    s_state_t state;
} s_text_t;

typedef struct s_message {
    struct s_message *next;
    const char *data;
    size_t size;
    const char *written;            // The place that the writer has reached
    bool scanned;                    // Its texts are known
    s_text_t *texts;                // In order of their addresses
    size_t count, room;
    size_t left;                    // So many of them, from the first, still wait
} s_message_t;

struct stele_compress_ahead {
    pthread_t thread;
    pthread_mutex_t mutex;          // For all that follows, except the text or message in work
    pthread_cond_t offered;         // Signalled to the thread
    pthread_cond_t finished;        // Signalled to the writer
    s_message_t *messages;          // In the order of offers
    s_message_t *working;           // The message in work
    bool sleeping;
    bool waited;                    // The writer waits for the thread
    bool ended;
    stele_compressor_t *compressor;
    unsigned id;
};

//  -- the thread --------------------------------------------------------------------------

static void
s_add (s_message_t *self, const stele_token_t *value)
{
    s_text_t *texts = stele_array_grow (self->texts, &self->room, self->count + 1, sizeof *texts);
    if (!texts)
        return;                     // The writer compresses this one itself
    self->texts = texts;
    self->texts [self->count++] = (s_text_t) { .text = value->data, .size = value->size };
}

static bool
s_is (const stele_token_t *key, const char *name)
{
    return key->kind == STELE_SCAN_TEXT && key->size == strlen (name) && memcmp (key->data, name, key->size) == 0;
}

//  Add the texts of an event that the ledger compresses unchanged (maps become JSON first)
static void
s_scan_event (s_message_t *self, stele_scan_t *scan, const stele_compressor_t *compressor)
{
    stele_token_t map = stele_scan_next (scan);
    for (uint32_t i = 0; i < map.count; i++) {
        stele_token_t key = stele_scan_next (scan);
        stele_scan_t probe = *scan;
        stele_token_t value = stele_scan_next (&probe);
        bool is_text = value.kind == STELE_SCAN_TEXT || value.kind == STELE_SCAN_BYTES;
        bool found = is_text && value.size <= STELE_LIMIT_CONTENT && stele_compressor_takes (compressor, value.size)
            && (s_is (&key, "content") || s_is (&key, "output") || s_is (&key, "command")
            ||  s_is (&key, "description") || (value.size >= ERROR_FROM && s_is (&key, "error_message")));
        if (found)
            s_add (self, &value);
        stele_scan_skip (scan, NULL, NULL);
    }
}

static void
s_scan (s_message_t *self, const stele_compressor_t *compressor)
{
    stele_message_t message;
    stele_refusal_t refusal;
    if (stele_message_decode (self->data, self->size, &message, &refusal) || message.op != STELE_OP_PUBLISH)
        return;
    stele_scan_t scan = message.events;
    for (size_t i = 0; i < message.event_count; i++) {
        stele_scan_t probe = scan;
        //  Events are validated later, one by one: anything but a map has no texts here
        if (stele_scan_next (&probe).kind == STELE_SCAN_MAP) {
            stele_scan_t inside = scan;
            s_scan_event (self, &inside, compressor);
        }
        stele_scan_skip (&scan, NULL, NULL);
    }
}

static void
s_pack (s_text_t *text, stele_compressor_t *compressor)
{
    char *room = malloc (stele_compressor_room (text->size));
    text->frame_size = room? stele_compressor_pack (compressor, text->text, text->size, room): 0;
    if (text->frame_size)
        text->frame = room;
    else
        free (room);
}

//  The next work: true with a message to scan (text NULL), or with a text of it, now TAKEN
static bool
s_choose (stele_compress_ahead_t *self, s_message_t **message, s_text_t **text)
{
    for (s_message_t *m = self->messages; m; m = m->next) {
        *message = m;
        *text = NULL;
        if (!m->scanned)
            return true;
        if (m->left == 0)
            continue;
        //  The writer comes from the other end, and has done the texts that it has passed
        s_text_t *last = &m->texts [m->left - 1];
        if (last->text <= m->written) {
            m->left = 0;
            continue;
        }
        m->left--;
        last->state = TEXT_TAKEN;
        *text = last;
        return true;
    }
    return false;
}

static void *
s_run (void *arg)
{
    stele_compress_ahead_t *self = arg;
    stele_thread_name ("ahead");
    pthread_mutex_lock (&self->mutex);
    while (!self->ended) {
        s_message_t *message;
        s_text_t *text;
        if (!s_choose (self, &message, &text)) {
            self->sleeping = true;
            pthread_cond_wait (&self->offered, &self->mutex);
            self->sleeping = false;
            continue;
        }
        self->working = message;
        pthread_mutex_unlock (&self->mutex);
        if (text)
            s_pack (text, self->compressor);
        else
            s_scan (message, self->compressor);
        pthread_mutex_lock (&self->mutex);
        self->working = NULL;
        if (text)
            text->state = TEXT_DONE;
        else {
            message->scanned = true;
            message->left = message->count;
        }
        if (self->waited)
            pthread_cond_signal (&self->finished);
    }
    pthread_mutex_unlock (&self->mutex);
    return NULL;
}

//  -- the writer --------------------------------------------------------------------------

stele_compress_ahead_t *
stele_compress_ahead_new (void)
{
    stele_compress_ahead_t *self = calloc (1, sizeof *self);
    if (!self)
        return NULL;
    pthread_mutex_init (&self->mutex, NULL);
    pthread_cond_init (&self->offered, NULL);
    pthread_cond_init (&self->finished, NULL);
    if (stele_thread_start (&self->thread, s_run, self))
        return self;
    pthread_cond_destroy (&self->finished);
    pthread_cond_destroy (&self->offered);
    pthread_mutex_destroy (&self->mutex);
    free (self);
    return NULL;
}

static void
s_free (s_message_t *message)
{
    for (size_t i = 0; i < message->count; i++)
        free (message->texts [i].frame);
    free (message->texts);
    free (message);
}

void
stele_compress_ahead_destroy (stele_compress_ahead_t **self_p)
{
    assert (self_p);
    stele_compress_ahead_t *self = *self_p;
    if (!self)
        return;
    pthread_mutex_lock (&self->mutex);
    self->ended = true;
    pthread_cond_signal (&self->offered);
    pthread_mutex_unlock (&self->mutex);
    pthread_join (self->thread, NULL);
    while (self->messages) {
        s_message_t *message = self->messages;
        self->messages = message->next;
        s_free (message);
    }
    stele_compressor_destroy (&self->compressor);
    pthread_cond_destroy (&self->finished);
    pthread_cond_destroy (&self->offered);
    pthread_mutex_destroy (&self->mutex);
    free (self);
    *self_p = NULL;
}

//  Until the thread does not work on that message; NULL: on none
static void
s_wait (stele_compress_ahead_t *self, const s_message_t *message)
{
    self->waited = true;
    while (message? self->working == message: self->working != NULL)
        pthread_cond_wait (&self->finished, &self->mutex);
    self->waited = false;
}

//  Not s_wait: the thread may continue with the next text of the same message
static void
s_wait_for_text (stele_compress_ahead_t *self, const s_text_t *text)
{
    self->waited = true;
    while (text->state == TEXT_TAKEN)
        pthread_cond_wait (&self->finished, &self->mutex);
    self->waited = false;
}

int
stele_compress_ahead_use (stele_compress_ahead_t *self, unsigned id, const void *dictionary, size_t size)
{
    if (self->compressor && self->id == id)
        return 0;
    stele_compressor_t *compressor = stele_compressor_new (dictionary, size);
    if (!compressor)
        return STELE_ENO_MEMORY;
    pthread_mutex_lock (&self->mutex);
    s_wait (self, NULL);
    stele_compressor_destroy (&self->compressor);
    self->compressor = compressor;
    self->id = id;
    pthread_mutex_unlock (&self->mutex);
    return 0;
}

void
stele_compress_ahead_offer (stele_compress_ahead_t *self, const void *data, size_t size)
{
    s_message_t *message = calloc (1, sizeof *message);
    if (!message)
        return;
    message->data = data;
    message->size = size;
    pthread_mutex_lock (&self->mutex);
    s_message_t **last = &self->messages;
    while (*last)
        last = &(*last)->next;
    *last = message;
    if (self->sleeping)
        pthread_cond_signal (&self->offered);
    pthread_mutex_unlock (&self->mutex);
}

static int
s_by_place (const void *key, const void *element)
{
    const char *text = key;
    const s_text_t *other = element;
    return (text > other->text) - (text < other->text);
}

bool
stele_compress_ahead_take (stele_compress_ahead_t *self, const void *text, size_t size,
    const void **frame, size_t *frame_size)
{
    bool done = false;
    const char *place = text;
    pthread_mutex_lock (&self->mutex);
    s_message_t *message = self->messages;
    while (message && (place < message->data || place >= message->data + message->size))
        message = message->next;
    if (message)
        message->written = place;
    s_text_t *found = message && message->scanned && message->count?
        bsearch (place, message->texts, message->count, sizeof *message->texts, s_by_place): NULL;
    if (found && found->size == size) {
        if (found->state == TEXT_TAKEN)
            s_wait_for_text (self, found);
        done = found->state == TEXT_DONE;
        *frame = found->frame;
        *frame_size = found->frame_size;
    }
    pthread_mutex_unlock (&self->mutex);
    return done;
}

void
stele_compress_ahead_drop (stele_compress_ahead_t *self, const void *data)
{
    pthread_mutex_lock (&self->mutex);
    s_message_t **at = &self->messages;
    while (*at && (*at)->data != data)
        at = &(*at)->next;
    s_message_t *message = *at;
    if (message) {
        *at = message->next;
        s_wait (self, message);
    }
    pthread_mutex_unlock (&self->mutex);
    if (message)
        s_free (message);
}
