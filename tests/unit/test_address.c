/*  test_address - the syntax of endpoints, and of the address of stele-http

    This Source Code Form is subject to the terms of the Mozilla Public
    License, v. 2.0. If a copy of the MPL was not distributed with this
    file, You can obtain one at https://mozilla.org/MPL/2.0/.
*/

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "wire/address.h"
#include "wire/http_address.h"

static void
test_address_parse_reads_every_form (void **state)
{
    (void) state;
    static const struct { const char *endpoint; stele_address_kind_t kind; const char *host; int port; bool ipv6; } right [] = {
        { "tcp://127.0.0.1:5570", STELE_ADDRESS_TCP, "127.0.0.1", 5570, false },
        { "tcp://*:1", STELE_ADDRESS_TCP, "*", 1, false },
        { "tcp://*:*", STELE_ADDRESS_TCP, "*", 0, false },
        { "tcp://localhost:65535", STELE_ADDRESS_TCP, "localhost", 65535, false },
        { "tcp://build-7.example.org:80", STELE_ADDRESS_TCP, "build-7.example.org", 80, false },
        { "tcp://eth0:5570", STELE_ADDRESS_TCP, "eth0", 5570, false },
        { "tcp://[::1]:5570", STELE_ADDRESS_TCP, "::1", 5570, true },
        { "tcp://[fe80::1%eth0]:5570", STELE_ADDRESS_TCP, "fe80::1%eth0", 5570, true },
        { "ipc:///run/stele/events", STELE_ADDRESS_IPC, "", 0, false },
        { "ipc://events", STELE_ADDRESS_IPC, "", 0, false },
        { "ipc://@abstract", STELE_ADDRESS_IPC, "", 0, false },
        { "inproc://stele-events", STELE_ADDRESS_INPROC, "", 0, false }
    };
    for (size_t i = 0; i < sizeof right / sizeof right [0]; i++) {
        stele_address_t address;
        assert_int_equal (stele_address_parse (&address, "events", right [i].endpoint, true, NULL), 0);
        assert_int_equal (address.kind, right [i].kind);
        assert_string_equal (address.host, right [i].host);
        assert_int_equal (address.port, right [i].port);
        assert_int_equal (address.is_ipv6, right [i].ipv6);
    }
}

static void
s_refused (const char *endpoint, bool listens, const char *reason)
{
    stele_address_t address;
    stele_refusal_t refusal = { 0 };
    assert_int_equal (stele_address_parse (&address, "feed", endpoint, listens, &refusal), STELE_EINVALID_FIELD);
    assert_string_equal (refusal.field, "feed");
    assert_non_null (strstr (refusal.message, "feed"));
    if (!strstr (refusal.message, reason))
        fail_msg ("%s: %s", endpoint, refusal.message);
}

static void
test_address_parse_wrong_text_names_the_part (void **state)
{
    (void) state;
    static const struct { const char *endpoint, *reason; } wrong [] = {
        { "", "not an endpoint" }, { "5570", "not an endpoint" }, { "127.0.0.1:5570", "not an endpoint" },
        { "udp://127.0.0.1:5570", "not an endpoint" }, { "TCP://127.0.0.1:5570", "not an endpoint" },
        { ">tcp://127.0.0.1:5570", "'>'" }, { "@tcp://127.0.0.1:5570", "'@'" },
        { "tcp://127.0.0.1:99999", "port" }, { "tcp://127.0.0.1:65536", "port" }, { "tcp://127.0.0.1:0", "port" },
        { "tcp://127.0.0.1:8087x", "port" }, { "tcp://127.0.0.1: 8087", "port" }, { "tcp://127.0.0.1:-1", "port" },
        { "tcp://127.0.0.1:+80", "port" }, { "tcp://127.0.0.1:", "port" }, { "tcp://127.0.0.1", "port" },
        { "tcp://127.0.0.1:4294967297", "port" }, { "tcp://[::1]", "port" }, { "tcp://:5570", "host" },
        { "tcp://::1:5570", "brackets" }, { "tcp://[::1:5570", "brackets" }, { "tcp://[]:5570", "brackets" },
        { "tcp://[127.0.0.1]:5570", "not an IPv6" }, { "tcp://[::g]:5570", "not an IPv6" },
        { "tcp://256.1.1.1:5570", "host" }, { "tcp://1.2.3:5570", "host" }, { "tcp://a b:5570", "host" },
        { "tcp://127.0.0.1:1,tcp://127.0.0.1:2", "list" }, { "tcp://10.0.0.1:1;10.0.0.2:2", "list" },
        { "ipc://", "missing" }, { "inproc://", "missing" }, { "ipc://a,ipc://b", "list" }
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong [0]; i++)
        s_refused (wrong [i].endpoint, true, wrong [i].reason);
}

static void
test_address_parse_to_connect_needs_one_peer (void **state)
{
    (void) state;
    s_refused ("tcp://127.0.0.1:*", false, "only for listening");
    s_refused ("tcp://*:5570", false, "only for listening");
    s_refused ("ipc://*", false, "only for listening");
}

static void
test_address_parse_longest_path (void **state)
{
    (void) state;
    char endpoint [6 + 108 + 1];
    stele_address_t address;
    memset (endpoint, 'a', sizeof endpoint);
    memcpy (endpoint, "ipc://", 6);
    endpoint [6 + 108] = 0;
    s_refused (endpoint, true, "107 bytes");
    endpoint [6 + 107] = 0;
    assert_int_equal (stele_address_parse (&address, "feed", endpoint, true, NULL), 0);
}

static void
test_http_address_parse_takes_loopback_and_unix (void **state)
{
    (void) state;
    static const struct { const char *text; int family, port; } right [] = {
        { "127.0.0.1:5580", AF_INET, 5580 }, { "127.9.9.9:65535", AF_INET, 65535 }, { "localhost:0", AF_INET, 0 },
        { "[::1]:5580", AF_INET6, 5580 }, { "unix:/run/stele/http", AF_UNIX, 0 }
    };
    for (size_t i = 0; i < sizeof right / sizeof right [0]; i++) {
        stele_http_address_t address;
        assert_int_equal (stele_http_address_parse (&address, "http", right [i].text, false, NULL), 0);
        assert_int_equal (address.any.sa_family, right [i].family);
        if (right [i].family == AF_UNIX)
            assert_string_equal (address.un.sun_path, right [i].text + 5);
        else
            assert_int_equal (ntohs (address.in.sin_port), right [i].port);
        assert_true (stele_http_address_size (&address) <= sizeof address);
    }
}

static void
test_http_address_parse_refusal_names_setting_and_reason (void **state)
{
    (void) state;
    char path [5 + 108 + 1];
    memset (path, 'a', sizeof path);
    memcpy (path, "unix:", 5);
    path [5 + 108] = 0;
    const struct { const char *text, *reason; } wrong [] = {
        { "0.0.0.0:17698", "other machines" }, { "[::]:5580", "other machines" }, { "192.0.2.1:80", "other machines" },
        { "[::ffff:192.0.2.1]:80", "other machines" }, { "", "ADDRESS:PORT" }, { "5580", "ADDRESS:PORT" },
        { ":5580", "ADDRESS:PORT" }, { "127.0.0.1", "ADDRESS:PORT" }, { "127.0.0.1:", "ADDRESS:PORT" },
        { "127.0.0.1:65536", "ADDRESS:PORT" }, { "127.0.0.1:99999999999", "ADDRESS:PORT" }, { "127.0.0.1:80x", "ADDRESS:PORT" },
        { "::1:5580", "ADDRESS:PORT" }, { "[]:5580", "ADDRESS:PORT" }, { "[::1]", "ADDRESS:PORT" }, { "[127.0.0.1]:80", "ADDRESS:PORT" },
        { "http://127.0.0.1:5580", "ADDRESS:PORT" }, { "example.org:80", "ADDRESS:PORT" }, { "unix:", "path" }, { path, "107 bytes" }
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong [0]; i++) {
        stele_http_address_t address;
        stele_refusal_t refusal = { 0 };
        assert_int_equal (stele_http_address_parse (&address, "http", wrong [i].text, false, &refusal), STELE_EINVALID_FIELD);
        assert_string_equal (refusal.field, "http");
        assert_memory_equal (refusal.message, "http: ", 6);
        if (!strstr (refusal.message, wrong [i].reason))
            fail_msg ("%s: %s", wrong [i].text, refusal.message);
    }
    path [5 + 107] = 0;
    stele_http_address_t address;
    assert_int_equal (stele_http_address_parse (&address, "http", path, false, NULL), 0);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_address_parse_reads_every_form),
        cmocka_unit_test (test_address_parse_wrong_text_names_the_part),
        cmocka_unit_test (test_address_parse_to_connect_needs_one_peer),
        cmocka_unit_test (test_address_parse_longest_path),
        cmocka_unit_test (test_http_address_parse_takes_loopback_and_unix),
        cmocka_unit_test (test_http_address_parse_refusal_names_setting_and_reason)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
