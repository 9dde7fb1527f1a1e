# arena - one ledger under load, faults done to it, the judge beside it
#
# Everything that is drawn by lot comes from one seed, which is told with every failure.
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
#   In which Redis has to have reached the head after a restart; a loaded machine gets more.
REDIS_BOUND_S = 30


class Redis(harness.Redis):
    """The harness' Redis, with many commands in one round trip."""

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
    """The broker, with or without a fault; the constructor waits for nothing."""

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
        self.wait_line("ready", patience)
        return self

    def ready_or_dead(self):
        """True when it is ready, False when it has died before."""
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
        """Did it die of a SIGKILL?"""
        return self.wait() == -signal.SIGKILL


class Arena:
    """A folder with Redis, a ledger, producers that never stop, and their judge."""

    def __init__(self, seed, build=None, store=None, use_redis=True, producers=16, rate=20000,
                 settings=None, pipeline=False, evidence=True):
        self.seed = seed
        self.random = random.Random(seed)
        self.build = build or harness.BUILD
        self.folder = harness.temporary_folder()
        self.store = store or os.path.join(self.folder, "store")    # Where the ledger is
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
        self.slowest = 0.0                  # From the start until Redis was at the head of then, in seconds
        self._listen(pipeline)

    def keep(self):
        """For whoever wants to know what happened: the ledger, the promises, what was said. Where."""
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
        """Leave nothing behind."""
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
        """'hear' False: what it said last on the feed does not count."""
        self.broker.kill()
        if hear:
            self.hear()
        while not hear and self.subscriber.poll(20):
            self.subscriber.recv_multipart()

    def tell(self, op, **keys):
        """Ask, and do not wait for the answer."""
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
        """A new run of the producers; the one before must have ended."""
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
        """Producers send nothing more, until resume ()."""
        self.check_load()
        self.load.wait_line("begun")            # It knows the signal
        self.pauses += 1
        self.load.signal(signal.SIGUSR1)

    def pause(self):
        """The same, and all that they have sent is settled."""
        self.rest()
        self.load.wait_line("settled %d." % self.pauses)

    def resume(self):
        self.load.signal(signal.SIGUSR2)

    def wait_acked(self, more):
        """Wait until that many further events are acked."""
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
        """Pass on what the feed and the pipeline have said."""
        while self.subscriber.poll(0):
            self.judge.hear(*self.subscriber.recv_multipart())
        while self.puller and self.puller.poll(0):
            self.judge.take(self.puller.recv())

    #   -- the judge ------------------------------------------------------------------------

    def judge_file(self, whole=False):
        """The broker is dead: what is in its file?"""
        self.judge.look_at_file(self.ledger, os.path.join(self.folder, "scratch"), whole)

    def judge_all(self, again=False):
        """The broker runs: with the producers at rest, everything has to fit."""
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
                    raise                   # It is not that a lease ran out meanwhile
        if self.load:
            self.resume()

    def _wait_redis(self, head):
        self.redis.disconnect()                 # It may be another one by now
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
        """End of the round: all is settled, read again from the first event on, twice."""
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
