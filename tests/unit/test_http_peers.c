/*  test_http_peers - bounds of one client: the bucket of requests, and what is remembered of addresses

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>
#include "http/peers.h"

static http_peer_t *
s_find (http_peers_t *peers, const char *text, int64_t now_ms)
{
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
    struct sockaddr_in in = { .sin_family = AF_INET };
    if (inet_pton (AF_INET, text, &in.sin_addr) == 1)
        return http_peers_find (peers, (struct sockaddr *) &in, now_ms);
    assert_int_equal (inet_pton (AF_INET6, text, &in6.sin6_addr), 1);
    return http_peers_find (peers, (struct sockaddr *) &in6, now_ms);
}

static void
test_rate_take_has_a_burst_and_then_the_rate (void **state)
{
    (void) state;
    http_rate_t rate = { 0 };
    int64_t now_us = 1000000000;
    for (int i = 0; i < 20 * HTTP_RATE_BURST; i++)
        assert_int_equal (http_rate_take (&rate, 20, now_us), 0);
    //  Refused requests do not count: the wait stays the same
    for (int i = 0; i < 1000; i++)
        assert_int_equal (http_rate_take (&rate, 20, now_us), 1);
    assert_int_equal (http_rate_take (&rate, 20, now_us + 49999), 1);
    assert_int_equal (http_rate_take (&rate, 20, now_us + 50000), 0);
    assert_int_equal (http_rate_take (&rate, 20, now_us + 50000), 1);
    //  After a pause, as at the beginning, and not more
    now_us += 1000000000;
    for (int i = 0; i < 20 * HTTP_RATE_BURST; i++)
        assert_int_equal (http_rate_take (&rate, 20, now_us), 0);
    assert_int_equal (http_rate_take (&rate, 20, now_us), 1);
}

static void
test_rate_take_of_one_per_second_and_of_very_many (void **state)
{
    (void) state;
    http_rate_t slow = { 0 }, fast = { 0 };
    for (int i = 0; i < HTTP_RATE_BURST; i++)
        assert_int_equal (http_rate_take (&slow, 1, 1000), 0);
    assert_int_equal (http_rate_take (&slow, 1, 1000), 1);
    assert_int_equal (http_rate_take (&slow, 1, 1001000), 0);
    for (int i = 0; i < 1000000; i++)
        assert_int_equal (http_rate_take (&fast, INT64_MAX / 1000000, 1000), 0);
}

static void
test_peers_find_knows_addresses_and_networks_of_ipv6 (void **state)
{
    (void) state;
    http_peers_t *peers = http_peers_new ();
    http_peer_t *first = s_find (peers, "192.0.2.1", 1);
    assert_non_null (first);
    assert_ptr_equal (s_find (peers, "192.0.2.1", 2), first);
    assert_ptr_not_equal (s_find (peers, "192.0.2.2", 3), first);
    http_peer_t *network = s_find (peers, "2001:db8:0:1::1", 4);
    assert_ptr_equal (s_find (peers, "2001:db8:0:1:ffff::2", 5), network);
    assert_ptr_not_equal (s_find (peers, "2001:db8:0:2::1", 6), network);
    //  The same bytes, of another family
    assert_ptr_not_equal (s_find (peers, "c000:201::", 7), first);
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    assert_null (http_peers_find (peers, (struct sockaddr *) &un, 8));
    http_peers_destroy (&peers);
    assert_null (peers);
}

static void
test_peers_find_knows_addresses_of_ipv4_in_ipv6 (void **state)
{
    (void) state;
    http_peers_t *peers = http_peers_new ();
    http_peer_t *one = s_find (peers, "::ffff:192.0.2.1", 1);
    assert_non_null (one);
    assert_ptr_not_equal (s_find (peers, "::ffff:192.0.2.2", 2), one);
    assert_ptr_equal (s_find (peers, "192.0.2.1", 3), one);
    http_peers_destroy (&peers);
}

static void
test_peers_find_forgets_the_oldest_but_none_with_connections (void **state)
{
    (void) state;
    http_peers_t *peers = http_peers_new ();
    http_peer_t *kept = s_find (peers, "192.0.2.1", 1);
    kept->conns = 1;
    kept->wrong = 3;
    for (uint32_t i = 0; i < 200000; i++) {
        struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr = { htonl (0x0a000000 + i) } };
        assert_non_null (http_peers_find (peers, (struct sockaddr *) &in, 2 + i));
    }
    assert_ptr_equal (s_find (peers, "192.0.2.1", 300000), kept);
    assert_int_equal (kept->wrong, 3);
    http_peers_destroy (&peers);
}

static void
test_peers_find_of_a_full_table_is_null (void **state)
{
    (void) state;
    http_peers_t *peers = http_peers_new ();
    bool full = false;
    for (uint32_t i = 0; i < 200000 && !full; i++) {
        struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr = { htonl (0x0a000000 + i) } };
        http_peer_t *peer = http_peers_find (peers, (struct sockaddr *) &in, 1 + i);
        full = !peer;
        if (peer)
            peer->conns = 1;
    }
    assert_true (full);
    http_peers_destroy (&peers);
}

static void
test_peer_wrong_counts_within_a_minute (void **state)
{
    (void) state;
    http_peer_t peer = { 0 };
    int64_t now_ms = 1000000;
    for (int i = 0; i < HTTP_PEER_WRONG_MAX; i++)
        assert_int_equal (http_peer_wrong (&peer, now_ms + i), 0);
    assert_int_equal (http_peer_wrong (&peer, now_ms + 10000), HTTP_PEER_WRONG_S - 10);
    assert_int_equal (http_peer_wrong (&peer, now_ms + HTTP_PEER_WRONG_S * 1000 - 1), 1);
    assert_int_equal (http_peer_wrong (&peer, now_ms + HTTP_PEER_WRONG_S * 1000), 0);
    assert_int_equal (http_peer_wrong (NULL, now_ms), 0);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_rate_take_has_a_burst_and_then_the_rate),
        cmocka_unit_test (test_rate_take_of_one_per_second_and_of_very_many),
        cmocka_unit_test (test_peers_find_knows_addresses_and_networks_of_ipv6),
        cmocka_unit_test (test_peers_find_knows_addresses_of_ipv4_in_ipv6),
        cmocka_unit_test (test_peers_find_forgets_the_oldest_but_none_with_connections),
        cmocka_unit_test (test_peers_find_of_a_full_table_is_null),
        cmocka_unit_test (test_peer_wrong_counts_within_a_minute)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
