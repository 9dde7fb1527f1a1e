# A thousand clients that begin a request and send no more: all others are served meanwhile
#
# By how much they are slower is a figure of make bench (section http).
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import re
import resource
import select

import harness
import web

SLOW = 1000
HEAD = b"GET /v1/info HTTP/1.1\r\nHost: loc"
BODY = b"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n{"


class Slow(web.WebTest):
    @classmethod
    def setUpClass(cls):
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 4096), most))
        super().setUpClass()

    def connections(self):
        return int(re.search("^stele_http_connections ([0-9]+)$", self.get("/metrics").body.decode(), re.M).group(1))

    def test_others_are_served(self):
        slow = [self.begin(number) for number in range(SLOW)]
        self.addCleanup(lambda: [peer.close() for peer in slow])
        stream = web.Stream(self.http.port)
        self.addCleanup(stream.close)
        self.assertEqual(stream.next()[0], "hello")
        for number in range(100):
            position = self.post("/v1/events", {"producer": "p", "events": [
                {"type": "preference.set", "user_id": "u%d" % number, "preferred_model": "m"}]}).json()["position"]
            self.assertEqual(stream.next()[1]["position"], position)
            self.get("/v1/info")
            #   A server waits 10 s for the rest of a head, 30 s for that of a body: others take the place of those that it ended
            for ended in self.ended(slow):
                ended.close()
                slow[slow.index(ended)] = self.begin(number)
        self.assertGreaterEqual(self.connections(), SLOW // 2)

    def begin(self, number):
        peer = web.connect(self.http.port)
        peer.sendall(HEAD if number % 2 else BODY)
        return peer

    @staticmethod
    def ended(peers):
        """Those to which the server has sent something: that their time is over"""
        poller = select.poll()
        for peer in peers:
            poller.register(peer, select.POLLIN)
        ready = {descriptor for descriptor, _ in poller.poll(0)}
        return [peer for peer in peers if peer.fileno() in ready]

    def test_one_that_goes_on_is_served(self):
        peers = [self.begin(0) for _ in range(SLOW)]
        for peer in peers:
            self.addCleanup(peer.close)
        for peer in peers[::100]:
            peer.sendall(b'"producer":"p","events":[]' + b" " * (5000 - 28) + b"}")
            self.assertRegex(peer.recv(1000), b"^HTTP/1.1 (200|400) ")
        #   Unless so much time has passed that it ended the others: a machine as slow as that shows nothing here
        self.assertGreaterEqual(self.connections() + len(self.ended(peers)), SLOW - len(peers[::100]))


if __name__ == "__main__":
    harness.main()
