# Malformed and ambiguous requests: each gets exactly one answer, with the status in its row, and
# the connection is closed, so that nothing after it can be taken for another request.
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import re
import socket
import unittest

import web

G = b"GET /healthz HTTP/1.1\r\n"
H = b"Host: localhost\r\n"
P = b"POST /v1/events HTTP/1.1\r\n" + H
J = b"Content-Type: application/json\r\n"
END = b"\r\n"

#   What follows a refused head must never be answered
SMUGGLED = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"

#   name, bytes, status
MALFORMED = [
    #   The request line
    ("empty line first", END + G + H + END, 400),
    ("line feed first", b"\n" + G + H + END, 400),
    ("space first", b" " + G + H + END, 400),
    ("no method", b"/healthz HTTP/1.1\r\n" + H + END, 400),
    ("method in lower case", b"get /healthz HTTP/1.1\r\n" + H + END, 501),
    ("unknown method", b"BREW /healthz HTTP/1.1\r\n" + H + END, 501),
    ("CONNECT", b"CONNECT localhost:80 HTTP/1.1\r\n" + H + END, 501),
    ("TRACE", b"TRACE / HTTP/1.1\r\n" + H + END, 501),
    ("method with a bracket", b"G(T /healthz HTTP/1.1\r\n" + H + END, 400),
    ("method of 17 letters", b"ABCDEFGHIJKLMNOPQ /healthz HTTP/1.1\r\n" + H + END, 400),
    ("endless method", b"A" * 200, 400),
    ("two spaces before the target", b"GET  /healthz HTTP/1.1\r\n" + H + END, 400),
    ("two spaces before the version", b"GET /healthz  HTTP/1.1\r\n" + H + END, 400),
    ("tab as a separator", b"GET\t/healthz HTTP/1.1\r\n" + H + END, 400),
    ("space in the target", b"GET /health z HTTP/1.1\r\n" + H + END, 400),
    ("space after the version", b"GET /healthz HTTP/1.1 \r\n" + H + END, 400),
    ("no version", b"GET /healthz\r\n" + H + END, 400),
    ("HTTP/1.0", b"GET /healthz HTTP/1.0\r\n" + H + END, 505),
    ("HTTP/0.9", b"GET /healthz HTTP/0.9\r\n" + H + END, 505),
    ("HTTP/1.2", b"GET /healthz HTTP/1.2\r\n" + H + END, 505),
    ("HTTP/2.0", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 501),
    ("HTTP/2", b"GET /healthz HTTP/2\r\n" + H + END, 400),
    ("HTTP/11.1", b"GET /healthz HTTP/11.1\r\n" + H + END, 400),
    ("HTTP/1.01", b"GET /healthz HTTP/1.01\r\n" + H + END, 400),
    ("version in lower case", b"GET /healthz http/1.1\r\n" + H + END, 400),
    ("HTTPS as a version", b"GET /healthz HTTPS/1.1\r\n" + H + END, 400),
    ("TLS handshake", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64), 400),
    #   The target
    ("empty target", b"GET  HTTP/1.1\r\n" + H + END, 400),
    ("target without a slash", b"GET healthz HTTP/1.1\r\n" + H + END, 400),
    ("asterisk", b"OPTIONS * HTTP/1.1\r\n" + H + END, 400),
    ("fragment", b"GET /healthz#x HTTP/1.1\r\n" + H + END, 400),
    ("NUL in the target", b"GET /health\0z HTTP/1.1\r\n" + H + END, 400),
    ("encoded NUL", b"GET /v1/tasks/a%00b HTTP/1.1\r\n" + H + END, 400),
    ("bytes that are not ASCII", b"GET /h\xc3\xa9 HTTP/1.1\r\n" + H + END, 400),
    ("encoded bytes that are not UTF-8", b"GET /v1/tasks/%ff HTTP/1.1\r\n" + H + END, 400),
    ("encoded overlong slash", b"GET /v1/tasks/%c0%af HTTP/1.1\r\n" + H + END, 400),
    ("percent alone", b"GET /v1/tasks/% HTTP/1.1\r\n" + H + END, 400),
    ("percent and one digit", b"GET /v1/tasks/%4 HTTP/1.1\r\n" + H + END, 400),
    ("percent and no digits", b"GET /v1/tasks/%zz HTTP/1.1\r\n" + H + END, 400),
    ("backslash", b"GET /v1\\tasks HTTP/1.1\r\n" + H + END, 400),
    ("angle bracket", b"GET /v1/<tasks> HTTP/1.1\r\n" + H + END, 400),
    ("dot segment", b"GET /v1/./tasks HTTP/1.1\r\n" + H + END, 400),
    ("two dots", b"GET /v1/../healthz HTTP/1.1\r\n" + H + END, 400),
    ("encoded two dots", b"GET /v1/%2e%2e/healthz HTTP/1.1\r\n" + H + END, 400),
    ("many segments", b"GET /1/2/3/4/5/6/7/8/9 HTTP/1.1\r\n" + H + END, 400),
    ("many parameters", b"GET /v1/tasks?" + b"a=1&" * 65 + b" HTTP/1.1\r\n" + H + END, 400),
    ("long target", b"GET /" + b"a" * 2048 + b" HTTP/1.1\r\n" + H + END, 414),
    ("endless target", b"GET /" + b"a" * 5000, 414),
    ("absolute form of another host", b"GET http://example.org/healthz HTTP/1.1\r\n" + H + END, 400),
    ("absolute form of another port", b"GET http://localhost:81/healthz HTTP/1.1\r\n" + H + END, 400),
    ("absolute form with a user", b"GET http://a@localhost/healthz HTTP/1.1\r\n" + H + END, 400),
    ("absolute form without a host", b"GET http:///healthz HTTP/1.1\r\n" + H + END, 400),
    ("absolute form without a path", b"GET http://localhost HTTP/1.1\r\n" + H + END, 400),
    ("absolute form of https", b"GET https://localhost/healthz HTTP/1.1\r\n" + H + END, 400),
    #   Ends of lines
    ("bare LF after the request line", b"GET /healthz HTTP/1.1\n" + H + END, 400),
    ("bare LF after a field", G + b"Host: localhost\n" + END, 400),
    ("bare LF as the end", G + H + b"\n", 400),
    ("bare CR in the request line", b"GET /healthz\r HTTP/1.1\r\n" + H + END, 400),
    ("bare CR in a field", G + H + b"A: b\rc\r\n" + END, 400),
    ("CR CR LF", G + H + b"A: b\r\r\n" + END, 400),
    #   Fields
    ("folded line", G + H + b"A: b\r\n c\r\n" + END, 400),
    ("folded line by tab", G + H + b"A: b\r\n\tc\r\n" + END, 400),
    ("folded first field", G + b" A: b\r\n" + H + END, 400),
    ("space before the colon", G + b"Host : localhost\r\n" + END, 400),
    ("tab before the colon", G + b"Host\t: localhost\r\n" + END, 400),
    ("no colon", G + H + b"Nonsense\r\n" + END, 400),
    ("empty name", G + H + b": value\r\n" + END, 400),
    ("name with a space", G + H + b"A B: c\r\n" + END, 400),
    ("name with a bracket", G + H + b"A(B): c\r\n" + END, 400),
    ("name that is not ASCII", G + H + b"\xc3\xa9: c\r\n" + END, 400),
    ("NUL in a value", G + H + b"A: b\0c\r\n" + END, 400),
    ("control character in a value", G + H + b"A: b\x01c\r\n" + END, 400),
    ("DEL in a value", G + H + b"A: b\x7fc\r\n" + END, 400),
    ("101 fields", G + H + b"A: b\r\n" * 100 + END, 431),
    ("head of more than 16 KiB", G + H + b"A: " + b"b" * 16384 + b"\r\n" + END, 431),
    ("head without an end", G + H + b"A: " + b"b" * 20000, 431),
    #   Host
    ("no host", G + END, 400),
    ("empty host", G + b"Host:\r\n" + END, 400),
    ("two hosts", G + H + H + END, 400),
    ("two different hosts", G + H + b"Host: example.org\r\n" + END, 400),
    ("two hosts in different case", G + b"HOST: localhost\r\nhost: localhost\r\n" + END, 400),
    ("list of hosts", G + b"Host: localhost, example.org\r\n" + END, 400),
    ("host with a path", G + b"Host: localhost/x\r\n" + END, 400),
    ("host with a user", G + b"Host: a@localhost\r\n" + END, 400),
    ("host with a port that is no number", G + b"Host: localhost:http\r\n" + END, 400),
    ("host with an empty port", G + b"Host: localhost:\r\n" + END, 400),
    ("host with a long port", G + b"Host: localhost:123456\r\n" + END, 400),
    ("host with a space", G + b"Host: local host\r\n" + END, 400),
    ("bracket without an end", G + b"Host: [::1\r\n" + END, 400),
    ("text after the bracket", G + b"Host: [::1]x\r\n" + END, 400),
    #   Bodies
    ("two lengths", P + J + b"Content-Length: 2\r\nContent-Length: 2\r\n" + END + b"{}", 400),
    ("two different lengths", P + J + b"Content-Length: 2\r\nContent-Length: 60\r\n" + END + b"{}", 400),
    ("list of lengths", P + J + b"Content-Length: 2, 2\r\n" + END + b"{}", 400),
    ("length with a plus", P + J + b"Content-Length: +2\r\n" + END + b"{}", 400),
    ("negative length", P + J + b"Content-Length: -2\r\n" + END + b"{}", 400),
    ("hexadecimal length", P + J + b"Content-Length: 0x2\r\n" + END + b"{}", 400),
    ("length with zeros first", P + J + b"Content-Length: 002\r\n" + END + b"{}", 400),
    ("length with a point", P + J + b"Content-Length: 2.0\r\n" + END + b"{}", 400),
    ("length with a space", P + J + b"Content-Length: 1 2\r\n" + END + b"{}", 400),
    ("empty length", P + J + b"Content-Length:\r\n" + END, 400),
    ("length of 20 digits", P + J + b"Content-Length: 18446744073709551618\r\n" + END + b"{}", 400),
    ("length of 18 digits", P + J + b"Content-Length: 999999999999999999\r\n" + END, 413),
    ("body that is too large", P + J + b"Content-Length: 16777217\r\n" + END, 413),
    ("chunked", P + J + b"Transfer-Encoding: chunked\r\n" + END + b"2\r\n{}\r\n0\r\n\r\n", 411),
    ("chunked, with capitals", P + J + b"Transfer-Encoding: Chunked\r\n" + END + b"2\r\n{}\r\n0\r\n\r\n", 411),
    ("chunked twice", P + J + b"Transfer-Encoding: chunked, chunked\r\n" + END, 411),
    ("two transfer encodings", P + J + b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n" + END, 400),
    ("unknown transfer encoding", P + J + b"Transfer-Encoding: xchunked\r\n" + END, 411),
    ("empty transfer encoding", P + J + b"Transfer-Encoding:\r\n" + END, 411),
    ("chunked and a length", P + J + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n" + END + b"{}", 400),
    ("chunked on GET", G + H + b"Transfer-Encoding: chunked\r\n" + END + b"0\r\n\r\n", 411),
    ("body of a GET", G + H + b"Content-Length: 2\r\n" + END + b"{}", 400),
    ("body of a DELETE", b"DELETE /healthz HTTP/1.1\r\n" + H + b"Content-Length: 2\r\n" + END + b"{}", 400),
    ("unknown expectation", P + J + b"Expect: a-miracle\r\nContent-Length: 2\r\n" + END + b"{}", 417),
    ("two types of the body", P + J + J + b"Content-Length: 2\r\n" + END + b"{}", 400),
    ("two credentials", G + H + b"Authorization: a\r\nAuthorization: b\r\n" + END, 400),
    ("two ranges", G + H + b"Range: bytes=0-1\r\nRange: bytes=2-3\r\n" + END, 400),
    ("vertical tab before a transfer encoding", P + J + b"Transfer-Encoding: \x0bchunked\r\n" + END, 400),
    ("space before the colon of a transfer encoding", P + J + b"Transfer-Encoding : chunked\r\nContent-Length: 2\r\n" + END + b"{}", 400),
    ("two lengths of zero", P + J + b"Content-Length: 0\r\nContent-Length: 0\r\n" + END, 400),
    ("length with a vertical tab", P + J + b"Content-Length: \x0b2\r\n" + END + b"{}", 400),
    ("two cookies", G + H + b"Cookie: a=b\r\nCookie: c=d\r\n" + END, 400),
    ("NUL in the method", b"G\0T /healthz HTTP/1.1\r\n" + H + END, 400),
    ("quotation mark in the query", b"GET /v1/tasks?search=\" HTTP/1.1\r\n" + H + END, 400),
    ("encoded surrogate", b"GET /v1/tasks?search=%ED%A0%80 HTTP/1.1\r\n" + H + END, 400),
    ("host with a zone", G + b"Host: [::1%25lo]\r\n" + END, 400),
    ("host with a percent sign", G + b"Host: localhost%00\r\n" + END, 400),
    ("host with two ports", G + b"Host: 127.0.0.1:80:80\r\n" + END, 400),
    ("host with a backslash", G + b"Host: localhost\\x\r\n" + END, 400),
    ("two origins", P + b"Origin: http://localhost\r\nOrigin: http://example.org\r\n" + END, 400),
]

#   Correct, but not served; the connection stays
REFUSED = [
    ("host of another site", G + b"Host: example.org\r\n" + END, 421),
    ("host that begins like ours", G + b"Host: localhost.example.org\r\n" + END, 421),
    ("address that begins like ours", G + b"Host: 127.0.0.1.example.org\r\n" + END, 421),
    ("address of another machine", G + b"Host: 10.0.0.1\r\n" + END, 421),
    ("unknown path", b"GET /nothing HTTP/1.1\r\n" + H + END, 404),
    ("slash at the end", b"GET /healthz/ HTTP/1.1\r\n" + H + END, 404),
    ("two slashes", b"GET //healthz HTTP/1.1\r\n" + H + END, 404),
    ("encoded slash", b"GET /v1%2Ftasks HTTP/1.1\r\n" + H + END, 404),
    ("wrong method", b"POST /healthz HTTP/1.1\r\n" + H + END, 405),
    ("preflight of CORS", b"OPTIONS /v1/tasks HTTP/1.1\r\n" + H + b"Origin: http://example.org\r\n" + END, 405),
    ("form of another site", P + b"Content-Type: text/plain\r\nContent-Length: 2\r\n" + END + b"{}", 415),
    ("body without a type", P + b"Content-Length: 2\r\n" + END + b"{}", 415),
    ("compressed body", P + J + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n" + END + b"{}", 415),
    ("change from another origin", P + J + b"Origin: http://example.org\r\nContent-Length: 2\r\n" + END + b"{}", 403),
    ("change from a page without an origin", P + J + b"Origin: null\r\nContent-Length: 2\r\n" + END + b"{}", 403),
    ("change from another port", P + J + b"Origin: http://localhost:3000\r\nContent-Length: 2\r\n" + END + b"{}", 403),
    ("change from another site", P + J + b"Sec-Fetch-Site: cross-site\r\nContent-Length: 2\r\n" + END + b"{}", 403),
    ("change from an origin that ends like ours", P + J + b"Origin: http://evil://localhost\r\nContent-Length: 2\r\n" + END + b"{}", 403),
    ("change from an origin without a scheme", P + J + b"Origin: localhost\r\nContent-Length: 2\r\n" + END + b"{}", 403),
    ("change from an origin with a dot at its end", P + J + b"Origin: http://localhost.\r\nContent-Length: 2\r\n" + END + b"{}", 403),
    ("change with an empty origin", P + J + b"Origin:\r\nContent-Length: 2\r\n" + END + b"{}", 403),
    ("type that hides in a parameter", P + b"Content-Type: text/plain; a=b, application/json\r\nContent-Length: 2\r\n" + END + b"{}", 415),
    ("type as one of a list", P + b"Content-Type: application/json, text/plain\r\nContent-Length: 2\r\n" + END + b"{}", 415),
    ("type that begins like ours", P + b"Content-Type: application/jsonx\r\nContent-Length: 2\r\n" + END + b"{}", 415),
    ("host with a dot at its end", G + b"Host: localhost.\r\n" + END, 421),
    ("loopback as a number", G + b"Host: 2130706433\r\n" + END, 421),
    ("loopback with two numbers", G + b"Host: 127.1\r\n" + END, 421),
    ("loopback of IPv4 in IPv6", G + b"Host: [::ffff:127.0.0.1]\r\n" + END, 421),
    ("any address", G + b"Host: 0.0.0.0\r\n" + END, 421),
    ("position below zero", b"GET /v1/stream?after=-1 HTTP/1.1\r\n" + H + END, 400),
    ("unknown format", b"GET /v1/tables/tasks?format=csv HTTP/1.1\r\n" + H + END, 400),
    ("path in capitals", b"GET /HEALTHZ HTTP/1.1\r\n" + H + END, 404),
    ("change from a sibling site", P + J + b"Sec-Fetch-Site: same-site\r\nContent-Length: 2\r\n" + END + b"{}", 403),
]

#   Unusual, and right
ACCEPTED = [
    ("spaces around a value", G + b"Host: \t localhost \t\r\n" + END),
    ("no space after the colon", G + b"Host:localhost\r\n" + END),
    ("name in capitals", G + b"HOST: LOCALHOST\r\n" + END),
    ("host with a port", G + b"Host: localhost:5580\r\n" + END),
    ("IPv6 host", G + b"Host: [::1]:5580\r\n" + END),
    ("another loopback address", G + b"Host: 127.8.8.8\r\n" + END),
    ("absolute form of our host", b"GET http://localhost/healthz HTTP/1.1\r\n" + H + END),
    ("absolute form in capitals", b"GET HTTP://LOCALHOST/healthz HTTP/1.1\r\n" + H + END),
    ("encoded letters", b"GET /%68ealthz HTTP/1.1\r\n" + H + END),
    ("empty value", G + H + b"A:\r\n" + END),
    ("value of UTF-8", G + H + b"A: \xc3\xa9\r\n" + END),
    ("100 fields", G + H + b"A: b\r\n" * 99 + END),
    ("two fields of a list", G + H + b"Accept: text/html\r\nAccept: */*\r\n" + END),
    ("length of zero", G + H + b"Content-Length: 0\r\n" + END),
    ("unknown connection option", G + H + b"Connection: upgrade\r\nUpgrade: h2c\r\n" + END),
]


class Malformed(web.WebTest):
    """No broker is needed: none of these requests reaches it."""

    with_broker = False

    def test_table_each_malformed_request_is_refused_and_nothing_follows(self):
        self.assertGreaterEqual(len(MALFORMED), 80)
        self.assertEqual(len(set(name for name, _, _ in MALFORMED)), len(MALFORMED))
        for name, data, status in MALFORMED:
            with self.subTest(name):
                answers, closed = web.exchange(self.http.port, data + SMUGGLED)
                self.assertEqual([answer.status for answer in answers], [status])
                self.assertTrue(closed)
                self.assertEqual(answers[0].headers["connection"], "close")
                self.assertEqual(answers[0].headers["content-type"], "application/problem+json")
                problem = answers[0].json()
                self.assertEqual(problem["status"], status)
                self.assertTrue(problem["detail"])

    def test_table_answers_do_not_depend_on_how_the_bytes_arrive(self):
        for name, data, status in MALFORMED:
            if len(data) > 400:
                continue
            with self.subTest(name):
                answers, _ = web.exchange(self.http.port, data, pieces=3)
                self.assertEqual([answer.status for answer in answers], [status])

    def test_refused_requests_leave_the_connection_usable(self):
        for name, data, status in REFUSED:
            with self.subTest(name):
                answers, closed = web.exchange(self.http.port, data + G + H + b"Connection: close\r\n" + END)
                self.assertEqual([answer.status for answer in answers], [status, 200])
                self.assertTrue(closed)
                self.assertNotIn("access-control-allow-origin", answers[0].headers)

    def test_unusual_requests_are_served(self):
        for name, data in ACCEPTED:
            with self.subTest(name):
                answers, _ = web.exchange(self.http.port, data + G + H + b"Connection: close\r\n" + END)
                self.assertEqual([answer.status for answer in answers], [200, 200])
                self.assertEqual(answers[0].json(), {"status": "alive"})

    def test_405_names_the_methods(self):
        answers, _ = web.exchange(self.http.port, b"DELETE /v1/tasks HTTP/1.1\r\n" + H + b"Connection: close\r\n" + END)
        self.assertEqual(answers[0].status, 405)
        self.assertEqual(answers[0].headers["allow"], "GET, HEAD")

    def test_pipelined_requests_are_answered_in_order(self):
        ids = [b"id-%d" % number for number in range(50)]
        data = b"".join(G + H + b"X-Request-Id: " + one + b"\r\n" + END for one in ids)
        answers, _ = web.exchange(self.http.port, data, finish=True)
        self.assertEqual([answer.headers["x-request-id"].encode() for answer in answers], ids)

    def test_many_requests_of_one_do_not_delay_others(self):
        #   2,000 answers of 80 kB each: were they all made at once, it would take seconds and 160 MB
        with web.connect(self.http.port) as greedy:
            greedy.sendall((b"GET /openapi.json HTTP/1.1\r\n" + H + END) * 2000)
            for _ in range(20):
                answers, _ = web.exchange(self.http.port, G + H + b"Connection: close\r\n" + END)
                self.assertEqual([answer.status for answer in answers], [200])
            with open("/proc/%d/status" % self.http.child.pid) as file:
                self.assertLess(int(re.search(r"VmHWM:\s+(\d+) kB", file.read()).group(1)), 100000)
            greedy.shutdown(socket.SHUT_WR)
            count = 0
            tail = b""
            while more := greedy.recv(1 << 20):
                count += (tail + more).count(b"HTTP/1.1 200 OK\r\n")
                tail = (tail + more)[-16:]  # Shorter than what is counted
        self.assertEqual(count, 2000)

    def test_requests_that_wait_for_the_broker_leave_the_loop_to_others(self):
        #   More than a connection keeps, behind one that is answered later
        with web.connect(self.http.port) as greedy:
            greedy.sendall(b"GET /v1/stream HTTP/1.1\r\n" + H + END + (b"GET /readyz HTTP/1.1\r\n" + H + END) * 3000)
            answers, _ = web.exchange(self.http.port, G + H + b"Connection: close\r\n" + END)
            self.assertEqual([answer.status for answer in answers], [200])
        with web.connect(self.http.port) as greedy:
            greedy.sendall((b"GET /readyz HTTP/1.1\r\n" + H + END) * 3000)
            answers, _ = web.exchange(self.http.port, G + H + b"Connection: close\r\n" + END)
            self.assertEqual([answer.status for answer in answers], [200])

    def test_one_byte_at_a_time_is_served(self):
        answers, _ = web.exchange(self.http.port, G + H + b"Connection: close\r\n" + END, pieces=1)
        self.assertEqual([answer.status for answer in answers], [200])

    def test_expect_100_gets_it_before_the_body(self):
        with web.connect(self.http.port) as peer:
            peer.sendall(P + J + b"Expect: 100-continue\r\nContent-Length: 2\r\n" + END)
            self.assertTrue(peer.recv(100).startswith(b"HTTP/1.1 100 Continue\r\n\r\n"))
            peer.sendall(b"{}")
            self.assertTrue(peer.recv(1000).startswith(b"HTTP/1.1 400 "))

    def test_head_has_the_size_and_no_body(self):
        answers, _ = web.exchange(self.http.port, b"HEAD /healthz HTTP/1.1\r\n" + H + b"Connection: close\r\n" + END, head=True)
        self.assertEqual(answers[0].headers["content-length"], "18")
        self.assertEqual(answers[0].body, b"")

    def test_request_id_that_is_not_harmless_is_replaced(self):
        for given in (b"a b", b"x" * 65, b"<script>"):
            answers, _ = web.exchange(self.http.port, G + H + b"X-Request-Id: " + given + b"\r\n" + b"Connection: close\r\n" + END)
            self.assertRegex(answers[0].headers["x-request-id"], "^[0-9a-f]{16}$")


if __name__ == "__main__":
    unittest.main(verbosity=2)
