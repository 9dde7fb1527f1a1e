#!/usr/bin/env python3
# A receiver of the webhooks of stele-relay: it verifies the signature and prints each event once.
#
#   umask 077; stele-relay secret > ci.secret
#   ./webhook_receiver.py ci.secret 8080

import base64
import hashlib
import hmac
import http.server
import json
import sys
import threading
import time

with open(sys.argv[1]) as file:
    secret = base64.b64decode(file.readline().strip().removeprefix("whsec_"))
lock = threading.Lock()                         # Requests arrive side by side
seen = set()                                    # In earnest: a table with the id as its key, in the transaction of the work


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        name, sent = self.headers.get("webhook-id", ""), self.headers.get("webhook-timestamp", "")
        mac = hmac.new(secret, b"%s.%s.%s" % (name.encode(), sent.encode(), body), hashlib.sha256).digest()
        mine = "v1," + base64.b64encode(mac).decode()
        signed = any(hmac.compare_digest(mine, given) for given in self.headers.get("webhook-signature", "").split())
        fine = signed and abs(time.time() - int(sent)) < 300
        with lock:
            if fine and name not in seen:
                event = json.loads(body)
                print(event["position"], event["type"], event.get("task_id", ""), event.get("state", ""), flush=True)
                seen.add(name)
        self.send_response(200 if fine else 401)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Receiver)
print("receiving at http://127.0.0.1:%d" % server.server_address[1], flush=True)
server.serve_forever()
