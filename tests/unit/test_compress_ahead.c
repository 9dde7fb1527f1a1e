/*  test_compress_ahead - texts of waiting messages are compressed on another thread, to the frames that the writer would make.

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "sqlite/compress/compress_ahead.h"
#include "sqlite/compress/compressor.h"
#include "wire/event/message.h"
#include "wire/pack.h"

#define EVENTS 60
#define ROUNDS 40
#define PATIENCE 300                // Tries to wait for the other thread, each longer than the one before

typedef struct {
    stele_compress_ahead_t *ahead;
    stele_compressor_t *compressor;
    char *dictionary;               // Any bytes can be a dictionary
    size_t dictionary_size;
} desk_t;

static void
s_words (char *text, size_t size, unsigned seed)
{
    static const char *const words [] = { "module ", "not ", "found ", "in ", "path ", "retry ", "error ", "timeout " };
    for (size_t used = 0; used < size;) {
        seed = seed * 1103515245u + 12345u;
        const char *word = words [seed / 65536 % 8];
        size_t length = strlen (word) < size - used? strlen (word): size - used;
        memcpy (text + used, word, length);
        used += length;
    }
}

static int
s_set_up (void **state)
{
    desk_t *self = calloc (1, sizeof *self);
    assert_non_null (self);
    self->dictionary_size = 4096;
    self->dictionary = malloc (self->dictionary_size);
    assert_non_null (self->dictionary);
    s_words (self->dictionary, self->dictionary_size, 7);
    self->ahead = stele_compress_ahead_new ();
    self->compressor = stele_compressor_new (NULL, 0);
    assert_non_null (self->ahead);
    assert_int_equal (stele_compress_ahead_use (self->ahead, 0, NULL, 0), 0);
    *state = self;
    return 0;
}

static int
s_tear_down (void **state)
{
    desk_t *self = *state;
    stele_compress_ahead_destroy (&self->ahead);
    stele_compressor_destroy (&self->compressor);
    free (self->dictionary);
    free (self);
    return 0;
}

//  A message with outputs of that many bytes and more
static stele_pack_t *
s_message (size_t size, unsigned seed)
{
    stele_pack_t *pack = stele_pack_new ();
    char *text = malloc (size + EVENTS);
    assert_non_null (text);
    stele_pack_map (pack, 3);
    stele_pack_key_string (pack, "op", "publish");
    stele_pack_key_integer (pack, "sequence", 1);
    stele_pack_string (pack, "events");
    stele_pack_array (pack, EVENTS);
    for (unsigned i = 0; i < EVENTS; i++) {
        stele_pack_map (pack, 4);
        stele_pack_key_string (pack, "type", "task.output_added");
        stele_pack_key_string (pack, "task_id", "t");
        stele_pack_string (pack, "other");
        stele_pack_text (pack, "not looked at", 13);
        stele_pack_string (pack, "content");
        s_words (text, size + i, seed + i);
        stele_pack_text (pack, text, size + i);
    }
    free (text);
    return pack;
}

//  The content of an event, at its place in the message
static stele_token_t
s_content (const stele_pack_t *pack, size_t event)
{
    stele_message_t message;
    stele_refusal_t refusal;
    assert_int_equal (stele_message_decode (stele_pack_data (pack), stele_pack_size (pack), &message, &refusal), 0);
    const void *data;
    size_t size;
    stele_scan_t scan = message.events;
    for (size_t i = 0; i <= event; i++)
        stele_scan_skip (&scan, &data, &size);
    return stele_scan_find (data, size, "content", NULL, NULL);
}

//  True if the frame was made; checks that the writer would make the same
static bool
s_take (desk_t *self, const stele_token_t *content)
{
    const void *frame;
    size_t size;
    if (!stele_compress_ahead_take (self->ahead, content->data, content->size, &frame, &size))
        return false;
    char *room = malloc (stele_compressor_room (content->size));
    assert_non_null (room);
    assert_int_equal (stele_compressor_pack (self->compressor, content->data, content->size, room), size);
    assert_memory_equal (room, frame, size);
    free (room);
    return true;
}

static void
test_ahead_frames_are_those_that_the_writer_would_make (void **state)
{
    desk_t *self = *state;
    static const size_t sizes [] = { 70, 300, 1000, 5000, 70000 };
    int made = 0;
    for (int round = 0; round < ROUNDS; round++) {
        //  With a dictionary from the tenth round on, and another one later
        unsigned id = (unsigned) round / 10;
        if (round % 10 == 0 && id) {
            stele_compressor_destroy (&self->compressor);
            self->compressor = stele_compressor_new (self->dictionary, self->dictionary_size / id);
        }
        assert_int_equal (stele_compress_ahead_use (self->ahead, id, id? self->dictionary: NULL, id? self->dictionary_size / id: 0), 0);
        stele_pack_t *first = s_message (sizes [round % 5], (unsigned) round);
        stele_pack_t *second = s_message (sizes [(round + 1) % 5], (unsigned) round + 1000);
        stele_compress_ahead_offer (self->ahead, stele_pack_data (first), stele_pack_size (first));
        stele_compress_ahead_offer (self->ahead, stele_pack_data (second), stele_pack_size (second));
        for (size_t i = 0; i < EVENTS; i++) {
            stele_token_t content = s_content (first, i);
            made += s_take (self, &content);
        }
        stele_compress_ahead_drop (self->ahead, stele_pack_data (first));
        for (size_t i = 0; i < EVENTS; i++) {
            stele_token_t content = s_content (second, i);
            made += s_take (self, &content);
        }
        stele_compress_ahead_drop (self->ahead, stele_pack_data (second));
        stele_pack_destroy (&first);
        stele_pack_destroy (&second);
    }
    assert_true (made > ROUNDS);
}

static void
test_ahead_a_message_that_waits_is_done_from_its_end (void **state)
{
    desk_t *self = *state;
    stele_pack_t *pack = s_message (300, 1);
    stele_token_t last = s_content (pack, EVENTS - 1), first = s_content (pack, 0);
    //  Its first text is compressed last. To take it reports the place of the writer, so offer it again
    //  for each try
    bool made = false;
    for (unsigned i = 0; i < PATIENCE && !made; i++) {
        stele_compress_ahead_drop (self->ahead, stele_pack_data (pack));
        stele_compress_ahead_offer (self->ahead, stele_pack_data (pack), stele_pack_size (pack));
        usleep (100 * i);
        made = s_take (self, &first);
    }
    assert_true (made);
    assert_true (s_take (self, &last));
    //  Not a text of the message, or only a part of one
    const void *frame;
    size_t size;
    assert_false (stele_compress_ahead_take (self->ahead, last.data, last.size - 1, &frame, &size));
    assert_false (stele_compress_ahead_take (self->ahead, last.data + 1, last.size - 1, &frame, &size));
    assert_false (stele_compress_ahead_take (self->ahead, &size, sizeof size, &frame, &size));
    stele_compress_ahead_drop (self->ahead, stele_pack_data (pack));
    assert_false (s_take (self, &last));
    stele_compress_ahead_drop (self->ahead, stele_pack_data (pack));
    stele_pack_destroy (&pack);
}

static void
test_ahead_what_does_not_pay_is_known_too (void **state)
{
    desk_t *self = *state;
    stele_pack_t *pack = stele_pack_new ();
    char noise [2000];
    unsigned seed = 1;
    for (size_t i = 0; i < sizeof noise; i++) {
        seed = seed * 1103515245u + 12345u;
        noise [i] = (char) (seed >> 16);
    }
    stele_pack_map (pack, 3);
    stele_pack_key_string (pack, "op", "publish");
    stele_pack_key_integer (pack, "sequence", 1);
    stele_pack_string (pack, "events");
    stele_pack_array (pack, 2);
    for (int i = 0; i < 2; i++) {
        stele_pack_map (pack, 1);
        stele_pack_string (pack, "content");
        stele_pack_bytes (pack, noise, sizeof noise - (size_t) i);
    }
    stele_token_t content = s_content (pack, 1);
    const void *frame;
    size_t size = 1;
    bool known = false;
    for (unsigned i = 0; i < PATIENCE && !known; i++) {
        stele_compress_ahead_drop (self->ahead, stele_pack_data (pack));
        stele_compress_ahead_offer (self->ahead, stele_pack_data (pack), stele_pack_size (pack));
        usleep (100 * i);
        known = stele_compress_ahead_take (self->ahead, content.data, content.size, &frame, &size);
    }
    assert_true (known);
    assert_int_equal (size, 0);
    stele_compress_ahead_drop (self->ahead, stele_pack_data (pack));
    stele_pack_destroy (&pack);
}

static void
test_ahead_any_bytes_may_be_offered (void **state)
{
    desk_t *self = *state;
    stele_pack_t *whole = s_message (200, 3);
    size_t size = stele_pack_size (whole);
    //  Truncated at any place, and with a byte changed
    for (size_t i = 0; i < 400; i++) {
        size_t length = i * 7919 % size + 1;
        char *bytes = malloc (length);
        assert_non_null (bytes);
        memcpy (bytes, stele_pack_data (whole), length);
        bytes [i * 104729 % length] ^= (char) (1 << i % 8);
        stele_compress_ahead_offer (self->ahead, bytes, length);
        const void *frame;
        size_t frame_size;
        if (i % 3 == 0)
            stele_compress_ahead_take (self->ahead, bytes + length / 2, 200, &frame, &frame_size);
        stele_compress_ahead_drop (self->ahead, bytes);
        free (bytes);
    }
    stele_compress_ahead_offer (self->ahead, "", 0);
    stele_compress_ahead_drop (self->ahead, "");
    //  Destroyed with work left: no leak, and the messages are no longer read
    stele_compress_ahead_offer (self->ahead, stele_pack_data (whole), size);
    stele_compress_ahead_destroy (&self->ahead);
    stele_pack_destroy (&whole);
}

int
main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, s_set_up, s_tear_down)
    const struct CMUnitTest tests [] = {
        TEST (test_ahead_frames_are_those_that_the_writer_would_make),
        TEST (test_ahead_a_message_that_waits_is_done_from_its_end),
        TEST (test_ahead_what_does_not_pay_is_known_too),
        TEST (test_ahead_any_bytes_may_be_offered)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
