# arena - one ledger under load, the faults injected into it, and the judge that verifies it
#
# All random choices come from one seed, which is printed with every failure.
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import os
import random
import shutil
import signal
import sys
import time

import zmq

import client
import harness
from judge import Judge, Verdict
from promises import Promises

HERE = os.path.dirname(os.path.abspath(__file__))
#   Seconds in which Redis must reach the head after a restart; a loaded machine gets more.
REDIS_BOUND_S = 120


class Redis(harness.Redis):
    """The Redis of the harness, with many commands per round trip."""

    def pipeline(self, commands):
        if self.connection is None:
            self.call("PING")
        request = b""
        for words in commands:
            parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
            request += b"*%d\r\n" % len(parts)
            request += b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)
        self.connection[0].sendall(request)
        return [self._reply() for _ in commands]


class Steled(harness.Process):
    """The broker, with or without a fault; the constructor does not wait."""

    def __init__(self, build, folder, redis, ledger, fault=None, arguments=()):
        self.ledger = ledger
        self.events = "ipc://" + os.path.join(folder, "events")
        self.requests = "ipc://" + os.path.join(folder, "requests")
        self.feed = "ipc://" + os.path.join(folder, "feed")
        env = dict(os.environ)
        env.pop("STELE_FAULT", None)
        if fault:
            env["STELE_FAULT"] = fault
        super().__init__([os.path.join(build, "steled"), "--ledger", ledger, "--events", self.events,
                          "--requests", self.requests, "--feed", self.feed,
                          "--redis", redis.url if redis else "none"] + list(arguments), env=env)

    def ready(self, patience=harness.PATIENCE):
        self.wait_line("ready:", patience)
        return self

    def ready_or_dead(self):
        """True when it is ready, False if it died before."""
        try:
            self.ready()
            return True
        except AssertionError:
            if self.log_ended():
                self.wait()
                return False
            raise

    def log_ended(self):
        with self.changed:
            return None in self.lines

    def died(self):
        """Was it ended by SIGKILL?"""
        return self.wait() == -signal.SIGKILL


class Arena:
    """A folder with Redis, a ledger, producers that never stop, and their judge."""

    def __init__(self, seed, build=None, store=None, use_redis=True, producers=16, rate=20000,
                 settings=None, pipeline=False, evidence=True):
        self.seed = seed
        self.random = random.Random(seed)
        self.build = build or harness.BUILD
        self.folder = harness.temporary_folder()
        self.store = store or os.path.join(self.folder, "store")    # Folder of the ledger
        os.makedirs(self.store, exist_ok=True)
        self.ledger = os.path.join(self.store, "ledger.db")
        self.count, self.rate, self.evidence = producers, rate, evidence
        self.arguments = []
        self.finished_stay = not settings or "terminal-ttl" not in settings
        if settings:
            with open(os.path.join(self.folder, "steled.conf"), "w") as file:
                file.writelines('%s = "%s"\n' % item for item in settings.items())
            self.arguments += ["--config", os.path.join(self.folder, "steled.conf")]
        if pipeline:
            self.arguments += ["--pipeline-out", "ipc://" + os.path.join(self.folder, "out")]
        self.promised = os.path.join(self.folder, "promises")
        open(self.promised, "wb").close()
        self.judge = Judge(Promises(self.promised))
        self.context = zmq.Context()
        self.redis = Redis(self.folder) if use_redis else None
        self.broker = self.load = None
        self.run = -1
        self.pauses = 0
        self.puller = None
        self.slowest = 0.0                  # Longest start, until Redis reached the head, in seconds
        self._listen(pipeline)

    def keep(self):
        """Keep the evidence for a failure: the ledger, the promises, the output. Returns the folder."""
        logs = os.environ.get("STELE_FAULT_LOGS")
        if not logs:
            return "nowhere (set STELE_FAULT_LOGS)"
        kept = os.path.join(logs, "evidence-%d" % self.seed)
        shutil.rmtree(kept, ignore_errors=True)
        os.makedirs(kept)
        for name in [self.promised] + [os.path.join(self.store, name) for name in os.listdir(self.store)]:
            if os.path.isfile(name):
                shutil.copy(name, kept)
        for name, process in (("steled.log", self.broker), ("producers.log", self.load)):
            if process:
                with open(os.path.join(kept, name), "w") as file:
                    file.write(process.log() + "\n")
        return kept

    def close(self):
        """Stop everything and remove the folder."""
        for process in (self.load, self.broker):
            if process:
                process.kill()
        if self.redis:
            self.redis.stop()
        self.subscriber.close()
        if self.puller:
            self.puller.close()
        self.context.destroy(linger=0)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if isinstance(error, Exception) and self.evidence:
            print("kept in " + self.keep(), flush=True)
        self.close()

    #   -- the broker -------------------------------------------------------------------

    def start(self, fault=None, wait=True, arguments=()):
        self.broker = Steled(self.build, self.folder, self.redis, self.ledger, fault,
                             self.arguments + list(arguments))
        if wait:
            self.broker.ready()
        self.started = time.monotonic()
        return self.broker

    def kill(self, hear=True):
        """'hear' False: ignore its last messages on the feed."""
        self.broker.kill()
        if hear:
            self.hear()
        while not hear and self.subscriber.poll(20):
            self.subscriber.recv_multipart()

    def tell(self, op, **keys):
        """Send a request without waiting for the answer."""
        peer = client.Asker(self.context, zmq.REQ, self.broker.requests)
        peer.socket.setsockopt(zmq.LINGER, 100)
        peer.send(dict(keys, op=op))
        peer.close()

    def ask(self, op, patience_ms=20000, **keys):
        peer = client.Asker(self.context, zmq.REQ, "ipc://" + os.path.join(self.folder, "requests"))
        try:
            answer = peer.ask(dict(keys, op=op), patience_ms)
        finally:
            peer.close()
        if answer.get("ok") is not True:
            raise AssertionError("%s %r: %r" % (op, keys, answer))
        return answer

    #   -- the producers ----------------------------------------------------------------

    def start_load(self):
        """Start a new run of the producers; the previous one must have ended."""
        self.judge.promises.trim()
        self.run += 1
        self.pauses = 0
        self.load = harness.Process([
            sys.executable, os.path.join(HERE, "producers.py"), "--file", self.promised,
            "--endpoint", "ipc://" + os.path.join(self.folder, "events"), "--seed", str(self.seed),
            "--run", str(self.run), "--producers", str(self.count), "--rate", str(self.rate)])

    def check_load(self):
        if not self.load.running():
            raise AssertionError("the producers ended: " + self.load.log())

    def kill_load(self):
        self.check_load()
        self.load.kill()

    def rest(self):
        """Producers stop sending, until resume ()."""
        self.check_load()
        self.load.wait_line("begun")            # Its signal handler is installed
        self.pauses += 1
        self.load.signal(signal.SIGUSR1)

    def pause(self):
        """Pause, and wait until all sent events are settled."""
        self.rest()
        self.load.wait_line("settled %d." % self.pauses)

    def resume(self):
        self.load.signal(signal.SIGUSR2)

    def wait_acked(self, more):
        """Wait until that many more events are acked."""
        self.judge.promises.read()
        goal = self.judge.promises.acked_total() + more

        def reached():
            self.check_load()
            return self.judge.promises.read().acked_total() >= goal
        harness.wait_until(reached, "%d acks" % more)

    def end_load(self):
        if self.load:
            self.load.wait_line("begun")
            if self.load.stop() != 0:
                raise AssertionError("the producers failed: " + self.load.log())
            self.load = None

    #   -- the feed -----------------------------------------------------------------------

    def _listen(self, pipeline):
        self.subscriber = self._socket(zmq.SUB, "feed")
        self.subscriber.setsockopt(zmq.SUBSCRIBE, b"")
        if pipeline:
            self.puller = self._socket(zmq.PULL, "out")

    def _socket(self, kind, name):
        socket = self.context.socket(kind)
        for option, value in ((zmq.LINGER, 0), (zmq.RCVHWM, 0), (zmq.RECONNECT_IVL, 3),
                              (zmq.RECONNECT_IVL_MAX, 20)):
            socket.setsockopt(option, value)
        socket.connect("ipc://" + os.path.join(self.folder, name))
        return socket

    def hear(self):
        """Pass messages of the feed and the pipeline to the judge."""
        while self.subscriber.poll(0):
            self.judge.hear(*self.subscriber.recv_multipart())
        while self.puller and self.puller.poll(0):
            self.judge.take(self.puller.recv())

    #   -- the judge ------------------------------------------------------------------------

    def judge_file(self, whole=False):
        """Verify the file of a dead broker."""
        self.judge.look_at_file(self.ledger, os.path.join(self.folder, "scratch"), whole)

    def judge_all(self, again=False):
        """Verify a running broker, with the producers paused: everything must match."""
        if self.redis:
            self._wait_redis(self.ask("ping")["position"])
            self.slowest = max(self.slowest, time.monotonic() - self.started)
        if self.load:
            self.pause()
        while True:
            head = self.judge.look_at_log(self.ask, again)
            try:
                self._judge_rest(head)
                break
            except Verdict:
                if self.ask("ping")["position"] == head:
                    raise                   # Not caused by a lease that expired in between
        if self.load:
            self.resume()

    def _wait_redis(self, head):
        self.redis.disconnect()                 # It may be another Redis by now
        harness.wait_until(lambda: int(self.redis.call("GET", "{stele}:position") or 0) >= head
                           and not self.redis.call("EXISTS", "{stele}:rebuilding"),
                           "Redis to reach the head %d" % head, REDIS_BOUND_S)

    def _judge_rest(self, head):
        self.hear()
        self.judge.look_at_feed()
        self.judge.look_at_records(self.ask)
        if not self.redis:
            return
        self._wait_redis(head)
        self.judge.look_at_redis(self.redis, self.ask("info")["ledger"], self.finished_stay)

    def finish(self):
        """End of the round: settle everything, then verify again from the first event, twice."""
        self.end_load()
        self.judge_all(again=True)
        if self.puller:
            head = len(self.judge.digests)
            harness.wait_until(lambda: self.hear() or head in self.judge.pushed,
                               "the pipeline to bring position %d" % head)
            self.judge.look_at_pipeline()
        if self.broker.stop() != 0:
            raise AssertionError("steled failed: " + self.broker.log())
        self.judge_file(whole=True)
