/*  test_tree - the tree over events, keys and notes

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "proof/note.h"
#include "proof/seals.h"
#include "wire/base64.h"

//  The vectors of the Certificate Transparency project for RFC 6962: leaves, and roots over the first 0 to 8 of them
static const struct { const char *bytes; size_t size; } s_leaves [] = {
    { "", 0 }, { "\x00", 1 }, { "\x10", 1 }, { "\x20\x21", 2 }, { "\x30\x31", 2 }, { "\x40\x41\x42\x43", 4 },
    { "\x50\x51\x52\x53\x54\x55\x56\x57", 8 },
    { "\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f", 16 }
};
#define LEAVES (sizeof s_leaves / sizeof s_leaves [0])

static const char *const s_roots [LEAVES + 1] = {
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
};

static void
s_assert_hash (const stele_hash_t *hash, const char *expected)
{
    char text [2 * STELE_HASH_BYTES + 1];
    for (size_t i = 0; i < STELE_HASH_BYTES; i++)
        snprintf (text + 2 * i, 3, "%02x", hash->bytes [i]);
    assert_string_equal (text, expected);
}

static void
test_tree_roots_are_those_of_rfc_6962 (void **state)
{
    (void) state;
    stele_tree_t *tree = stele_tree_new ();
    stele_hash_t leaves [LEAVES];
    for (size_t i = 0; i < LEAVES; i++)
        leaves [i] = stele_tree_leaf (tree, s_leaves [i].bytes, s_leaves [i].size);
    for (size_t count = 0; count <= LEAVES; count++) {
        stele_hash_t root = stele_tree_root (tree, leaves, (int64_t) count);
        s_assert_hash (&root, s_roots [count]);
    }
    stele_tree_destroy (&tree);
}

//  As a verifier computes it (RFC 9162, section 2.1.3.2)
static stele_hash_t
s_root_of_path (stele_tree_t *tree, stele_hash_t hash, int64_t index, int64_t count, const stele_hash_t *path, int length)
{
    int64_t last = count - 1;
    for (int i = 0; i < length; i++) {
        if ((index & 1) || index == last) {
            hash = stele_tree_node (tree, &path [i], &hash);
            while (!(index & 1) && index) {
                index >>= 1;
                last >>= 1;
            }
        }
        else
            hash = stele_tree_node (tree, &hash, &path [i]);
        index >>= 1;
        last >>= 1;
    }
    assert_int_equal (last, 0);
    return hash;
}

static void
test_tree_path_of_every_leaf_leads_to_the_root (void **state)
{
    (void) state;
    stele_tree_t *tree = stele_tree_new ();
    stele_hash_t leaves [70], path [STELE_PATH_MAX];
    for (int i = 0; i < 70; i++)
        leaves [i] = stele_tree_leaf (tree, &i, sizeof i);
    for (int count = 1; count <= 70; count++) {
        stele_hash_t root = stele_tree_root (tree, leaves, count);
        for (int index = 0; index < count; index++) {
            int length = stele_tree_path (tree, leaves, count, index, path);
            stele_hash_t found = s_root_of_path (tree, leaves [index], index, count, path, length);
            assert_memory_equal (&found, &root, sizeof root);
        }
    }
    stele_tree_destroy (&tree);
}

static void
test_tree_over_roots_of_tiles_is_the_tree_over_leaves (void **state)
{
    (void) state;
    enum { COUNT = 5 * STELE_TILE + 77 };
    stele_tree_t *tree = stele_tree_new ();
    stele_hash_t *leaves = malloc (COUNT * sizeof *leaves), tiles [6];
    for (int i = 0; i < COUNT; i++)
        leaves [i] = stele_tree_leaf (tree, &i, sizeof i);
    for (int count = 1; count <= COUNT; count += 331) {
        int whole = count / STELE_TILE, open = count % STELE_TILE;
        for (int i = 0; i < whole; i++)
            tiles [i] = stele_tree_root (tree, leaves + i * STELE_TILE, STELE_TILE);
        if (open)
            tiles [whole] = stele_tree_root (tree, leaves + whole * STELE_TILE, open);
        stele_hash_t expected = stele_tree_root (tree, leaves, count);
        stele_hash_t found = stele_tree_root (tree, tiles, whole + (open > 0));
        assert_memory_equal (&found, &expected, sizeof expected);
    }
    free (leaves);
    stele_tree_destroy (&tree);
}

//  -- keys and notes --------------------------------------------------------------------

static void
test_seal_key_of_go_is_read (void **state)
{
    (void) state;
    //  From the documentation of golang.org/x/mod/sumdb/note, which has the same forms
    static const char secret [] = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz\n";
    static const char public [] = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    static const char text [] = "If you think cryptography is the answer to your problem,\n"
        "then you don't know what your problem is.\n";
    static const char expected [] = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=";
    char found [STELE_SEAL_KEY_TEXT], base64 [STELE_BASE64_SIZE (STELE_SEAL_SIGNATURE) + 1] = "";
    unsigned char signature [STELE_SEAL_SIGNATURE];
    stele_refusal_t refusal;
    stele_seal_key_t *key = stele_seal_key_parse (secret, strlen (secret), &refusal);
    assert_non_null (key);
    assert_true (stele_seal_key_is_secret (key));
    stele_seal_key_public (key, found);
    assert_string_equal (found, public);
    stele_seal_key_sign (key, text, strlen (text), signature);
    stele_base64_encode (signature, sizeof signature, base64);
    assert_string_equal (base64, expected);
    stele_seal_key_destroy (&key);

    key = stele_seal_key_parse (public, strlen (public), &refusal);
    assert_non_null (key);
    assert_false (stele_seal_key_is_secret (key));
    assert_true (stele_seal_key_verify (key, text, strlen (text), signature));
    assert_false (stele_seal_key_verify (key, text, strlen (text) - 1, signature));
    signature [20] ^= 1;
    assert_false (stele_seal_key_verify (key, text, strlen (text), signature));
    stele_seal_key_destroy (&key);
}

static void
test_seal_key_damaged_is_refused (void **state)
{
    (void) state;
    static const char *const texts [] = {
        "", "PeterNeumann", "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumenn+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10T",
        "PeterNeumann+c74f20a3+BRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDF0"
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts [0]; i++) {
        stele_refusal_t refusal;
        assert_null (stele_seal_key_parse (texts [i], strlen (texts [i]), &refusal));
        assert_int_equal (refusal.code, STELE_EINVALID_FIELD);
    }
}

static void
test_note_is_read_as_it_was_written (void **state)
{
    (void) state;
    stele_seal_key_t *key = stele_seal_key_new ("a.example/1"), *other = stele_seal_key_new ("a.example/1");
    stele_hash_t root = { "0123456789abcdef0123456789abcde" };
    stele_note_t note, copy;
    stele_refusal_t refusal;
    stele_note_write (&note, "fdf5dbf3-2e6a-474e-8ffe-0c4dd22e8451", 4711, &root, key);
    assert_int_equal (stele_note_parse (&copy, note.text, note.text_size, &refusal), 0);
    assert_string_equal (copy.ledger_id, "fdf5dbf3-2e6a-474e-8ffe-0c4dd22e8451");
    assert_int_equal (copy.size, 4711);
    assert_memory_equal (&copy.root, &root, sizeof root);
    assert_true (stele_note_is_signed (&copy));
    assert_true (stele_note_verify (&copy, key));
    assert_false (stele_note_verify (&copy, other));
    stele_note_write (&note, "id", 1, &root, NULL);
    assert_false (stele_note_is_signed (&note));
    assert_false (stele_note_verify (&note, key));
    stele_seal_key_destroy (&key);
    stele_seal_key_destroy (&other);
}

//  Every byte of the signed text counts, and no change makes a note of something else
static void
test_note_with_any_byte_changed_is_not_signed (void **state)
{
    (void) state;
    stele_seal_key_t *key = stele_seal_key_new ("a");
    stele_hash_t root = { "0123456789abcdef0123456789abcde" };
    stele_note_t note, changed;
    stele_refusal_t refusal;
    stele_note_write (&note, "fdf5dbf3-2e6a-474e-8ffe-0c4dd22e8451", 4711, &root, key);
    for (size_t i = 0; i < note.text_size; i++) {
        char text [STELE_NOTE_TEXT];
        memcpy (text, note.text, note.text_size);
        text [i] ^= 1;
        if (stele_note_parse (&changed, text, note.text_size, &refusal) == 0)
            assert_false (stele_note_verify (&changed, key));
    }
    for (size_t size = 0; size < note.text_size; size++)
        if (stele_note_parse (&changed, note.text, size, &refusal) == 0)
            assert_false (stele_note_verify (&changed, key));
    stele_seal_key_destroy (&key);
}

//  -- seals -----------------------------------------------------------------------------

static void
test_seals_keep_roots_and_name_the_leaf_that_differs (void **state)
{
    (void) state;
    char folder [] = "/tmp/stele-seals-XXXXXX", ledger [64], path [80];
    assert_non_null (mkdtemp (folder));
    snprintf (ledger, sizeof ledger, "%s/a.db", folder);
    snprintf (path, sizeof path, "%s" STELE_SEALS_SUFFIX, ledger);
    stele_refusal_t refusal;
    stele_hash_t leaves [STELE_TILE], root = { "r" };
    for (int i = 0; i < STELE_TILE; i++) {
        memset (&leaves [i], 0, sizeof leaves [i]);
        memcpy (leaves [i].bytes, &i, sizeof i);
    }
    assert_null (stele_seals_open (ledger, "one", false, &refusal));
    assert_int_equal (refusal.code, STELE_ENOT_FOUND);
    stele_seals_t *seals = stele_seals_open (ledger, "one", true, &refusal);
    assert_int_equal (stele_seals_tiles (seals), 0);
    assert_int_equal (stele_seals_add (seals, &root, leaves, &refusal), 0);
    assert_int_equal (stele_seals_add (seals, &root, leaves, &refusal), 0);
    assert_int_equal (stele_seals_sync (seals, &refusal), 0);
    stele_seals_close (&seals);

    //  A record that was cut off does not count
    assert_int_equal (truncate (path, 64 + 2 * (32 + 2 * STELE_TILE) - 1), 0);
    seals = stele_seals_open (ledger, "one", false, &refusal);
    assert_int_equal (stele_seals_tiles (seals), 1);
    assert_memory_equal (stele_seals_roots (seals), &root, sizeof root);
    assert_int_equal (stele_seals_differing (seals, 0, leaves, STELE_TILE), -1);
    leaves [700].bytes [1] ^= 8;
    assert_int_equal (stele_seals_differing (seals, 0, leaves, STELE_TILE), 700);
    assert_int_equal (stele_seals_differing (seals, 1, leaves, STELE_TILE), -1);
    stele_seals_close (&seals);

    //  Those of another ledger are not read, and are replaced
    assert_null (stele_seals_open (ledger, "two", false, &refusal));
    assert_int_equal (refusal.code, STELE_ELEDGER);
    seals = stele_seals_open (ledger, "two", true, &refusal);
    assert_int_equal (stele_seals_tiles (seals), 0);
    stele_seals_close (&seals);
    assert_int_equal (unlink (path), 0);
    assert_int_equal (rmdir (folder), 0);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_tree_roots_are_those_of_rfc_6962),
        cmocka_unit_test (test_tree_path_of_every_leaf_leads_to_the_root),
        cmocka_unit_test (test_tree_over_roots_of_tiles_is_the_tree_over_leaves),
        cmocka_unit_test (test_seal_key_of_go_is_read),
        cmocka_unit_test (test_seal_key_damaged_is_refused),
        cmocka_unit_test (test_note_is_read_as_it_was_written),
        cmocka_unit_test (test_note_with_any_byte_changed_is_not_signed),
        cmocka_unit_test (test_seals_keep_roots_and_name_the_leaf_that_differs)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
