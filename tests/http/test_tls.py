# HTTPS: which handshakes are accepted, names, cookies, the reload of a certificate, and its end
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import glob
import http.client
import json
import os
import re
import select
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
import unittest

import harness
import test_child
import web

NAMES = "DNS:localhost,DNS:stele.example.org,DNS:*.wild.example.org,IP:127.0.0.1,IP:::1"
FAKETIME = (glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1") + [""])[0]
CURL = shutil.which("curl")


def openssl(*arguments, clock=None):
    """'clock' is the time for openssl, such as "-30d"."""
    env = dict(os.environ, LD_PRELOAD=FAKETIME, FAKETIME=clock) if clock else None
    done = subprocess.run(["openssl", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=harness.PATIENCE, env=env)
    assert done.returncode == 0, done.stderr


def certificate(folder, name, days=365, clock=None):
    """A self-signed certificate and its key: FOLDER/NAME.pem, FOLDER/NAME.key."""
    key, pem = (os.path.join(folder, name + end) for end in (".key", ".pem"))
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", pem,
            "-subj", "/CN=" + name, "-days", str(days), "-addext", "subjectAltName=" + NAMES, clock=clock)
    os.chmod(key, 0o600)
    return pem, key


def install(folder, name):
    """Make that pair the one that the server reads."""
    for end in (".pem", ".key"):
        shutil.copy(os.path.join(folder, name + end), os.path.join(folder, "new" + end))
        os.rename(os.path.join(folder, "new" + end), os.path.join(folder, "live" + end))


class TlsTest(web.WebTest):
    """A broker, and stele-http with tokens and a certificate."""

    @classmethod
    def start_http(cls, **more):
        for name, days in (("first", 365), ("second", 365), ("short", 10)):
            certificate(cls.folder, name, days)
        install(cls.folder, "first")
        cls.tokens = os.path.join(cls.folder, "tokens")
        cls.token = cls.new_token("root", "--role", "admin")
        cls.live = [os.path.join(cls.folder, name) for name in ("live.pem", "live.key")]
        cls.http_arguments = ["--tokens", cls.tokens, "--cert", cls.live[0], "--cert-key", cls.live[1], "--rate", "100000"]
        return super().start_http(**more)

    @classmethod
    def new_token(cls, name, *options):
        done = subprocess.run([harness.program("stele"), "token", "new", name, "--tokens", cls.tokens, *options],
                              stdout=subprocess.PIPE, timeout=harness.PATIENCE, check=True)
        return done.stdout.decode().strip()

    def context(self, name="first"):
        context = ssl.create_default_context(cafile=os.path.join(self.folder, name + ".pem"))
        return context

    def connection(self, name="first", port=None):
        peer = http.client.HTTPSConnection("127.0.0.1", port or self.http.port, timeout=harness.PATIENCE, context=self.context(name))
        self.addCleanup(peer.close)
        return peer

    def send(self, peer, path, method="GET", body=None, **fields):
        """One request by that connection, which is kept."""
        headers = dict({"Authorization": "Bearer " + self.token}, **fields)
        if body is not None:
            body = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        peer.request(method, path, body, headers)
        answer = peer.getresponse()
        return web.Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())

    def handshake(self, context):
        """Returns the connection, or raises what the handshake did."""
        peer = context.wrap_socket(socket.create_connection(("127.0.0.1", self.http.port), harness.PATIENCE),
                                   server_hostname="localhost")
        self.addCleanup(peer.close)
        return peer

    def reload(self, expect):
        before = self.http.log().count(expect)
        self.http.signal(signal.SIGHUP)
        harness.wait_until(lambda: self.http.log().count(expect) > before, expect)


class Handshakes(TlsTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        #   Clients that begin a handshake and never end it; the last test looks at them
        hello = ssl.create_default_context()
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = hello.wrap_bio(incoming, outgoing, server_hostname="localhost")
        try:
            client.do_handshake()
        except ssl.SSLWantReadError:
            pass
        first = outgoing.read()
        cls.slow, cls.read = [], None
        for i in range(200):
            peer = socket.create_connection(("127.0.0.1", cls.http.port), harness.PATIENCE)
            peer.sendall(first[:i] if i < 100 else first)
            cls.slow.append(peer)
            cls.addClassCleanup(peer.close)
        #   ... and one that takes its time to read a long answer
        cls.reader = threading.Thread(target=cls.read_slowly, daemon=True)
        cls.reader.start()

    @classmethod
    def read_slowly(cls):
        """Longer than a connection may be silent, and more than the buffers of the kernel hold."""
        context = ssl.create_default_context(cafile=os.path.join(cls.folder, "first.pem"))
        fields = {"Authorization": "Bearer " + cls.token, "Content-Type": "application/json"}
        events = [{"type": "task.created", "task_id": "long", "title": "", "description": "", "role": "x"},
                  {"type": "task.output_added", "task_id": "long", "output_type": "log", "content": "0123456789" * 700000}]
        peer = http.client.HTTPSConnection("127.0.0.1", cls.http.port, timeout=harness.PATIENCE, context=context)
        peer.request("POST", "/v1/events", json.dumps({"producer": "long", "events": events}), fields)
        position = json.loads(peer.getresponse().read())["position"]
        peer.close()
        with socket.socket() as raw:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
            raw.settimeout(harness.PATIENCE)
            raw.connect(("127.0.0.1", cls.http.port))
            with context.wrap_socket(raw, server_hostname="localhost") as slow:
                slow.sendall(("GET /v1/tasks/long/outputs/%d HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                              "Authorization: Bearer %s\r\n\r\n" % (position, cls.token)).encode())
                until = time.monotonic() + 12
                received = b""
                while time.monotonic() < until:
                    received += slow.recv(4096)
                    time.sleep(0.05)
                slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
                while more := slow.recv(65536):
                    received += more
        answer, = web.parse(received)
        cls.read = (answer.status, len(answer.body))

    def test_the_url_is_https(self):
        self.assertRegex(self.http.url, r"^https://127\.0\.0\.1:\d+$")

    def test_requests_are_served_with_keep_alive(self):
        peer = self.connection()
        for _ in range(3):
            answer = self.send(peer, "/v1/info")
            self.assertEqual(answer.status, 200)
            #   It would bind every other service of the host name, too
            self.assertNotIn("strict-transport-security", answer.headers)
        self.assertEqual(peer.sock.version(), "TLSv1.3")

    def test_older_versions_are_refused(self):
        for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
            context = self.context()
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = version
            with self.assertRaisesRegex(ssl.SSLError, "PROTOCOL_VERSION"):
                self.handshake(context)

    def test_ciphers_without_forward_secrecy_or_with_cbc_are_refused(self):
        context = self.context()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("ECDHE+AESGCM")
        self.assertEqual(self.handshake(context).version(), "TLSv1.2")
        for ciphers in ("AES128-GCM-SHA256:AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA384"):
            context.set_ciphers(ciphers)
            with self.assertRaisesRegex(ssl.SSLError, "HANDSHAKE_FAILURE"):
                self.handshake(context)

    def test_alpn_is_http_1_1_or_nothing(self):
        for offered, chosen in ((["h2", "http/1.1"], "http/1.1"), (["http/1.1"], "http/1.1"), ([], None)):
            context = self.context()
            if offered:
                context.set_alpn_protocols(offered)
            self.assertEqual(self.handshake(context).selected_alpn_protocol(), chosen)
        context = self.context()
        context.set_alpn_protocols(["h2", "spdy/3"])
        with self.assertRaisesRegex(ssl.SSLError, "(?i)no.application.protocol"):
            self.handshake(context)

    def test_renegotiation_is_refused(self):
        done = subprocess.run(["openssl", "s_client", "-connect", "127.0.0.1:%d" % self.http.port, "-tls1_2"], input=b"R\n",
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=harness.PATIENCE)
        self.assertIn(b"RENEGOTIATING", done.stdout)
        self.assertIn(b"no renegotiation", done.stdout)

    def test_sessions_are_not_resumed(self):
        context = self.context()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        first = self.handshake(context)
        peer = context.wrap_socket(socket.create_connection(("127.0.0.1", self.http.port), harness.PATIENCE),
                                   server_hostname="localhost", session=first.session)
        self.addCleanup(peer.close)
        self.assertFalse(peer.session_reused)

    def test_plain_http_is_told_to_use_https(self):
        with web.connect(self.http.port) as peer:
            peer.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            received = b""
            while more := peer.recv(1000):
                received += more
        answers = web.parse(received)
        self.assertEqual([answer.status for answer in answers], [400])
        self.assertIn(b"https://", answers[0].body)

    def test_bytes_that_are_no_handshake_end_the_connection(self):
        for data in (b"\x00" * 100, b"\x16\x03\x01\xff\xff" + b"\x00" * 300, b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", b"SSH-2.0-x\r\n"):
            with web.connect(self.http.port) as peer:
                try:
                    peer.sendall(data)
                    while peer.recv(1000):
                        pass
                except ConnectionResetError:
                    pass
        self.assertEqual(self.send(self.connection(), "/healthz").status, 200)

    def test_names_of_the_certificate_are_hosts(self):
        peer = self.connection()
        for host, status in (("stele.example.org", 200), ("Stele.Example.ORG:443", 200), ("a.wild.example.org", 200),
                             ("a.b.wild.example.org", 421), ("wild.example.org", 421), ("example.org", 421), ("127.0.0.1", 200),
                             ("[::1]:5580", 200), ("[::2]", 421), ("first", 421)):
            with self.subTest(host):
                self.assertEqual(self.send(peer, "/healthz", Host=host).status, status)

    def test_cookie_of_a_session_is_secure_and_serves_its_origin_only(self):
        peer = self.connection()
        answer = self.send(peer, "/v1/session", "POST")
        cookie = answer.headers["set-cookie"]
        self.assertTrue(cookie.startswith("__Host-stele_session="), cookie)
        for word in ("; Secure", "; HttpOnly", "; SameSite=Strict", "; Path=/"):
            self.assertIn(word, cookie)
        host = "localhost:%d" % self.http.port
        for origin, status in (("https://" + host, 200), ("http://" + host, 401), ("https://example.org", 401)):
            peer.request("GET", "/v1/tasks", headers={"Cookie": cookie.split(";")[0], "Host": host, "Origin": origin})
            answer = peer.getresponse()
            answer.read()
            self.assertEqual(answer.status, status, origin)
        for origin, status in (("https://" + host, 200), ("http://" + host, 403)):
            self.assertEqual(self.send(peer, "/v1/session", "DELETE", Origin=origin, Host=host).status, status, origin)

    def test_large_bodies_and_answers_arrive_whole(self):
        peer = self.connection()
        content = "".join("%06d %s\n" % (line, os.urandom(40).hex()) for line in range(40000))
        events = [{"type": "task.created", "task_id": "large", "title": "", "description": "", "role": "x"},
                  {"type": "task.output_added", "task_id": "large", "output_type": "log", "content": content}]
        answer = self.send(peer, "/v1/events", "POST", {"producer": "large", "sequence": 1, "events": events})
        self.assertEqual(answer.json()["accepted"], 2, answer.body)
        output = self.send(peer, "/v1/tasks/large/outputs").json()["outputs"][0]["id"]
        path = "/v1/tasks/large/outputs/%d" % output
        for encoding in ("identity", "gzip"):
            answer = self.send(peer, path, **{"Accept-Encoding": encoding})
            self.assertEqual(answer.status, 200)
            if "content-encoding" not in answer.headers:
                self.assertEqual(answer.body.decode(), content)
        self.assertEqual(self.send(peer, path, Range="bytes=1000000-1000099").body.decode(), content[1000000:1000100])

    def test_requests_in_one_record_and_byte_by_byte(self):
        request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
        peer = self.handshake(self.context())
        peer.sendall(request * 20 + request[:10])
        for byte in request[10:-4]:
            peer.sendall(bytes([byte]))
        peer.sendall(b"\r\nConnection: close\r\n\r\n")
        received = b""
        while more := peer.recv(65536):     # The end comes as close_notify; without that it would be an error
            received += more
        self.assertEqual([answer.status for answer in web.parse(received)], [200] * 21)

    def test_client_that_sends_its_end_still_gets_the_answer(self):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        with web.connect(self.http.port) as peer:
            client = self.context().wrap_bio(incoming, outgoing, server_hostname="localhost")
            while True:
                try:
                    client.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    peer.sendall(outgoing.read())
                    incoming.write(peer.recv(65536))
            client.write(("GET /v1/info HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n" % self.token).encode())
            try:
                client.unwrap()             # close_notify, together with the request
            except ssl.SSLWantReadError:
                pass
            peer.sendall(outgoing.read())
            received = b""
            while more := peer.recv(65536):
                received += more
            incoming.write(received)
            answer = b""
            try:
                while True:
                    answer += client.read(65536)
            except ssl.SSLZeroReturnError:
                pass                        # close_notify of the server
            self.assertIn(b'"protocol":1', answer)

    @unittest.skipUnless(CURL, "curl is not installed")
    def test_curl(self):
        url = "https://localhost:%d/healthz" % self.http.port
        for more, status in (([], 0), (["--http2"], 0), (["--tlsv1.2", "--tls-max", "1.2"], 0),
                             (["--tlsv1.1", "--tls-max", "1.1", "--ciphers", "DEFAULT@SECLEVEL=0"], 35)):
            done = subprocess.run([CURL, "-sS", "--cacert", os.path.join(self.folder, "first.pem"), *more, url],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=harness.PATIENCE)
            self.assertEqual(done.returncode, status, "%s: %s" % (more, done.stderr))

    def test_with_the_other_tests_done_slow_handshakes_are_given_up(self):
        for _ in range(20):
            self.assertEqual(self.send(self.connection(), "/healthz").status, 200)
        for peer in self.slow:
            try:
                while peer.recv(65536):     # The answer of the server, and then the end
                    pass
            except ConnectionResetError:
                pass
        self.reader.join(2 * harness.PATIENCE)
        self.assertEqual(self.read, (200, 7000000))


class Reload(TlsTest):
    def setUp(self):
        if self.id().endswith("soon_is_told"):
            return
        install(self.folder, "first")
        self.reload("certificate: read again")

    def test_new_certificate_serves_new_connections_and_keeps_the_old_ones(self):
        old = self.connection()
        self.assertEqual(self.send(old, "/healthz").status, 200)
        install(self.folder, "second")
        self.reload("certificate: read again, ends at 20")
        self.assertEqual(self.send(self.connection("second"), "/healthz").status, 200)
        with self.assertRaises(ssl.SSLCertVerificationError):
            self.connection("first").request("GET", "/healthz")
        sock = old.sock
        self.assertEqual(self.send(old, "/healthz").status, 200)
        self.assertIs(old.sock, sock)

    def test_pair_that_is_not_valid_changes_nothing(self):
        shutil.copy(os.path.join(self.folder, "second.pem"), self.live[0])
        self.reload("the earlier one stays")
        self.assertIn("is not that of the first certificate", self.http.log())
        install(self.folder, "second")
        os.chmod(self.live[1], 0o604)
        self.reload("the earlier one stays")
        self.assertIn("others may read or change the private key", self.http.log())
        os.remove(self.live[0])
        self.reload("the earlier one stays")
        self.assertEqual(self.send(self.connection("first"), "/healthz").status, 200)

    def test_reload_under_load_drops_nothing(self):
        failed, count, done = [], [0], threading.Event()

        def client(keep):
            peer = None
            while not done.is_set():
                try:
                    if peer is None or not keep:
                        peer = http.client.HTTPSConnection("127.0.0.1", self.http.port, timeout=harness.PATIENCE, context=context)
                    answer = self.send(peer, "/v1/tasks?limit=1")
                    assert answer.status == 200, answer.status
                    count[0] += 1
                    if not keep:
                        peer.close()
                except Exception as error:
                    failed.append(error)
                    return

        context = ssl.create_default_context()
        for name in ("first", "second"):
            context.load_verify_locations(os.path.join(self.folder, name + ".pem"))
        threads = [threading.Thread(target=client, args=(keep,)) for keep in (True, True, False, False)]
        for thread in threads:
            thread.start()
        try:
            for name in ("second", "first") * 3:
                before = count[0]
                install(self.folder, name)
                self.reload("certificate: read again")
                harness.wait_until(lambda: failed or count[0] > before + 20, "requests between two reloads")
        finally:
            done.set()
            for thread in threads:
                thread.join(harness.PATIENCE)
        self.assertEqual(failed, [])

    def test_stream_goes_on_over_a_reload(self):
        peer = self.context().wrap_socket(web.connect(self.http.port), server_hostname="localhost")
        self.addCleanup(peer.close)
        peer.sendall(("GET /v1/stream HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n" % self.token).encode())
        file = peer.makefile("rb")

        def until(word):
            while word not in (line := file.readline()):
                self.assertTrue(line, "the stream ended")

        until(b"event: hello")
        install(self.folder, "second")
        self.reload("certificate: read again")
        event = {"type": "task.created", "task_id": "streamed", "title": "", "description": "", "role": "x"}
        self.send(self.connection("second"), "/v1/events", "POST", {"producer": "s", "events": [event]})
        until(b"streamed")

    def test_answers_are_whole_after_the_client_has_ended_its_side(self):
        count, size = 40, len(self.send(self.connection(), "/openapi.json").body)
        peer = socket.socket()
        self.addCleanup(peer.close)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.settimeout(harness.PATIENCE)
        peer.connect(("127.0.0.1", self.http.port))
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = self.context().wrap_bio(incoming, outgoing, server_hostname="localhost")
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                peer.sendall(outgoing.read())
                incoming.write(peer.recv(65536))
        request = "GET /openapi.json HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n" % self.token
        tls.write(request.encode() * count)
        peer.sendall(outgoing.read())
        self.assertTrue(select.select([peer], [], [], harness.PATIENCE)[0])
        with self.assertRaises(ssl.SSLError):       # It sends close_notify, and would read that of the server
            tls.unwrap()
        peer.sendall(outgoing.read())
        received = 0
        while part := peer.recv(65536):
            received += len(part)
        self.assertGreater(received, count * size)

    def test_certificate_that_ends_soon_is_told(self):
        install(self.folder, "short")
        self.reload("certificate: read again")
        self.http.wait_line("warning stele-http: the certificate ")
        peer = self.connection("short")
        ready = harness.wait_until(lambda: [ready for ready in [self.send(peer, "/readyz").json()] if ready["ready"]], "ready")[0]
        self.assertEqual(ready["status"], "degraded")
        self.assertIn("certificate_expires", [finding["code"] for finding in ready["findings"]])
        text = self.send(peer, "/metrics").body.decode()
        end = int(re.search(r"^stele_http_certificate_expiry_timestamp_seconds (\d+)$", text, re.M).group(1))
        self.assertTrue(9 * 86400 < end - time.time() < 11 * 86400)


class Start(TlsTest):
    def run_http(self, *arguments):
        done = subprocess.run([harness.program("stele-http"), "--requests", "ipc:///nothing", "--feed", "ipc:///nothing", "--listen",
                               "127.0.0.1:0", *arguments], stderr=subprocess.PIPE, timeout=harness.PATIENCE)
        return done.returncode, done.stderr.decode()

    def test_pairs_that_are_refused(self):
        self.assertTrue(FAKETIME, "the package libfaketime is missing")
        certificate(self.folder, "expired", 10, clock="-30d")
        certificate(self.folder, "early", 10, clock="+30d")
        certificate(self.folder, "open")
        os.chmod(os.path.join(self.folder, "open.key"), 0o644)
        openssl("ec", "-in", os.path.join(self.folder, "first.key"), "-aes128", "-passout", "pass:x", "-out",
                os.path.join(self.folder, "locked.key"))
        openssl("req", "-x509", "-newkey", "rsa:1024", "-nodes", "-keyout", os.path.join(self.folder, "weak.key"), "-out",
                os.path.join(self.folder, "weak.pem"), "-subj", "/CN=weak")
        os.chmod(os.path.join(self.folder, "weak.key"), 0o600)
        os.chmod(os.path.join(self.folder, "locked.key"), 0o600)
        with open(os.path.join(self.folder, "empty.pem"), "w"):
            pass
        for name in ("pipe.pem", "pipe.key"):
            os.mkfifo(os.path.join(self.folder, name), 0o600)
        for pem, key, words in (("first", "second", "is not that of the first certificate"), ("expired", "expired", "expired at"),
                                ("early", "early", "is not valid before"),
                                ("open", "open", "others may read or change"), ("first", "locked", "it is encrypted"),
                                ("nothing", "first", "No such file"), ("first", "nothing", "No such file"),
                                ("pipe", "first", "it is not a file"), ("first", "pipe", "it is not a file"),
                                ("empty", "first", "not a certificate in PEM"), ("weak", "weak", "cannot be used: ee key too small")):
            paths = [os.path.join(self.folder, name) for name in (pem + ".pem", key + ".key")]
            with self.subTest((pem, key)):
                status, err = self.run_http("--cert", paths[0], "--cert-key", paths[1])
                self.assertEqual(status, 78, err)
                self.assertIn(words, err)
                if pem == "weak":
                    continue                # Only the library of TLS refuses it
                done = subprocess.run([harness.program("steled"), "--check-config", "--ledger", os.path.join(self.folder, "x.db"),
                                       "--redis", "none", "--http", "127.0.0.1:0", "--http-cert", paths[0], "--http-cert-key", paths[1]],
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=harness.PATIENCE)
                self.assertEqual(done.returncode, 78)
                self.assertIn(words, done.stderr.decode())

    def test_certificate_and_key_need_each_other(self):
        for option in ("--cert", "--cert-key"):
            status, err = self.run_http(option, self.live[0])
            self.assertEqual(status, 78)
            self.assertIn("need each other", err)

    def test_other_machines_need_tls_and_tokens(self):
        pair = ["--cert", self.live[0], "--cert-key", self.live[1]]
        for arguments in ([], pair, ["--tokens", self.tokens]):
            status, err = self.run_http("--listen", "0.0.0.0:0", *arguments)
            self.assertEqual(status, 78, err)
            self.assertIn("set http-cert, http-cert-key and tokens", err)
        server = web.Server("ipc:///nothing", "ipc:///nothing", listen="0.0.0.0:0", arguments=pair + ["--tokens", self.tokens])
        self.addCleanup(server.stop)
        self.assertEqual(self.send(self.connection(port=server.port), "/healthz").status, 200)

    def test_steled_starts_it_with_tls_and_passes_sighup_on(self):
        folder = harness.temporary_folder()
        self.addCleanup(shutil.rmtree, folder)
        install(self.folder, "first")
        broker = harness.Steled(folder, arguments=("--http", "0.0.0.0:0", "--http-cert", self.live[0], "--http-cert-key", self.live[1],
                                                   "--tokens", self.tokens, "--http-host", "a.example.org, b.example.org"))
        self.addCleanup(broker.stop)
        port = int(re.search(r"https://0\.0\.0\.0:(\d+)", broker.wait_line("stele-http: ready: ")).group(1))
        for host, status in (("a.example.org", 200), ("b.example.org", 200), ("c.example.org", 421)):
            self.assertEqual(self.send(self.connection(port=port), "/healthz", Host=host).status, status)
        install(self.folder, "second")
        broker.signal(signal.SIGHUP)
        broker.wait_line("certificate: read again")
        self.assertEqual(self.send(self.connection("second", port), "/healthz").status, 200)
        #   A child that is started again, and gets the signal before it can handle it
        old, = test_child.child_of(broker.child.pid)
        os.kill(old, signal.SIGKILL)
        harness.wait_until(lambda: test_child.child_of(broker.child.pid) not in ([], [old]), "a new child")
        broker.signal(signal.SIGHUP)
        harness.wait_until(lambda: broker.log().count("certificate: read again") == 2, "the new child to read it")
        self.assertNotIn("stele-http ended with signal 1", broker.log())

    def test_steled_refuses_what_stele_http_would(self):
        for more in ([], ["--http-cert", self.live[0], "--http-cert-key", self.live[1]]):
            done = subprocess.run([harness.program("steled"), "--ledger", os.path.join(self.folder, "x.db"), "--redis", "none", "--http",
                                   "0.0.0.0:0", *more], stderr=subprocess.PIPE, timeout=harness.PATIENCE)
            self.assertEqual(done.returncode, 78)
            self.assertIn("set http-cert, http-cert-key and tokens", done.stderr.decode())


if __name__ == "__main__":
    unittest.main(verbosity=2)
