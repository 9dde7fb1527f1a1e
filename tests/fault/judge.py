# judge - verifies a ledger, its Redis and its feed against the promises to the producers
#
# The judge reads what was sent and promised (promises), reads the tables of the ledger itself
# (rows), queries the broker (events.read, task.list), and computes the expected state of
# the tasks on its own (mirror). Every deviation is a Verdict:
#
#   lost      acked, or seen after an earlier fault, and now missing
#   doubled   stored twice
#   wrong     stored, but not as it was sent; in the wrong order; with a gap
#   broken    the file is damaged
#   redis     Redis differs from the expected state
#   feed      the feed differs from the ledger
#   pipeline  so does pipeline-out, or it is incomplete
#
# A judge belongs to one ledger: each check continues the previous one, and what was
# seen once must be seen again.
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import collections
import hashlib
import os
import shutil
import sqlite3

from client import pack, unpack
from events import EITHER, REFUSED, SAME, STORED
from mirror import TERMINAL, Mirror
from rows import Ledger, bits

SHOWN = 20
FEED_CONTENT = 65536
PREFIX = "{stele}"
BOOKKEEPING = {PREFIX + name for name in (":ledger", ":position", ":swept", ":layout", ":rebuilding", ":holder", ":committed", ":epoch")}


class Verdict(AssertionError):
    """The judge found deviations. 'findings' are (kind, text)."""

    def __init__(self, where, findings):
        self.where, self.findings = where, findings
        count = collections.Counter(kind for kind, _ in findings)
        super().__init__("%s: %s\n%s%s" % (
            where, ", ".join("%d %s" % (n, kind) for kind, n in sorted(count.items())),
            "\n".join("  %-8s %.500s" % finding for finding in findings[:SHOWN]),
            "\n  ..." if len(findings) > SHOWN else ""))

    def kinds(self):
        return {kind for kind, _ in self.findings}


def exact(value):
    """A form in which values are equal only if type and bits are."""
    if isinstance(value, dict):
        return {key: exact(one) for key, one in value.items()}
    if isinstance(value, list):
        return [exact(one) for one in value]
    return (type(value).__name__, bits(value))


def same(left, right):
    if type(left) is not type(right):
        return False
    if type(left) in (str, int, bytes):
        return left == right
    return exact(left) == exact(right)


def digest(event):
    """An event as the feed shows it."""
    event = dict(event)
    for name in ("content", "output"):
        value = event.get(name)
        if value is not None and not isinstance(value, int):
            size = len(value if isinstance(value, bytes) else value.encode())
            if size > FEED_CONTENT:
                del event[name]
                event["content_omitted"] = size
    return hashlib.blake2b(pack(_ordered(event)), digest_size=12).digest()


def _ordered(value):
    if isinstance(value, dict):
        return [[key, _ordered(value[key])] for key in sorted(value)]
    return [_ordered(one) for one in value] if isinstance(value, list) else value


class Judge:
    def __init__(self, promises):
        self.promises = promises
        self.mirror = Mirror()          # Of the events that events.read returned
        self.uids = []                  # By position - 1: uid, None for events of the broker itself
        self.digests = []               # By position - 1: digest of the event that events.read returned
        self.stored = {}                # uid -> position
        self.last = {}                  # producer -> last verified sequence
        self.at = {}                    # producer -> sequence of its last row
        self.ordered = 0                # Number of rows whose order was verified
        self.rejected = 0               # Last verified id of rejected_events
        self.fed = 0                    # Last position in the feed
        self.early = {}                 # position -> digest: seen in the feed before the log
        self.feed_count = 0
        self.pushed = {}                # position -> digest: received from the pipeline
        self.audited = set()            # request_id of answered requests whose audit event was not seen yet
        self.findings = []

    #   -- findings -----------------------------------------------------------------

    def find(self, kind, text, *values):
        self.findings.append((kind, text % values if values else text))

    def conclude(self, where):
        findings, self.findings = self.findings, []
        if findings:
            raise Verdict(where, findings)

    #   -- the file of a broker that is dead ------------------------------------------

    def look_at_file(self, path, scratch, whole=False):
        """Verify a copy of the ledger: the file itself stays as the crash left it.
        'whole' reads every row again, not only those since the last check."""
        self.promises.read()
        os.makedirs(scratch, exist_ok=True)
        copy = os.path.join(scratch, "copy.db")
        for suffix in ("-shm", "-wal", ""):
            if os.path.exists(copy + suffix):
                os.unlink(copy + suffix)
        if not os.path.exists(path):
            if self.uids or self.promises.acked_total():
                self.find("lost", "the ledger is not there")
            self.conclude("file")
            return
        shutil.copyfile(path, copy)
        if os.path.exists(path + "-wal"):
            shutil.copyfile(path + "-wal", copy + "-wal")
        try:
            ledger = Ledger(copy)
        except Exception as error:
            if self.uids or self.promises.acked_total():
                self.find("broken", "the ledger cannot be opened: %s", error)
            self.conclude("file")           # Killed while it created the ledger: nothing was promised
            return
        try:
            self._file(ledger, whole)
        except (sqlite3.Error, ValueError, KeyError) as error:
            self.find("broken", "the ledger cannot be read: %r", error)
        finally:
            ledger.close()
        self.conclude("file")

    def _file(self, ledger, whole):
        damage = ledger.integrity()
        if damage != ["ok"]:
            self.find("broken", "integrity_check: %s", "; ".join(damage[:5]))
        count = sum(ledger.one("SELECT count (*) FROM " + table)[0] for table in ledger.tables)
        if count < len(self.uids):
            self.find("lost", "%d events are there, %d were", count, len(self.uids))
        after = 0 if whole else len(self.uids)
        events = ledger.events(after)
        expected = after
        for event in events:
            expected += 1
            if event["position"] != expected:
                self.find("wrong", "position %d follows %d", event["position"], expected - 1)
                expected = event["position"]
            self._row(event)
            if event["type"] == "audit.recorded":
                self.audited.discard(event.get("request_id"))
        if self.audited:
            self.find("lost", "no audit event of these answered requests: %s", ", ".join(sorted(self.audited)))
        if count != expected:
            self.find("wrong", "%d events up to position %d", count, expected)
        self._commits(ledger, expected)
        self._account(ledger)

    def _row(self, event):
        position, uid = event["position"], event.get("uid")
        if position <= len(self.uids):
            if self.uids[position - 1] != uid:
                self.find("lost", "position %d was %s, is %s", position, self.uids[position - 1], uid)
            self._compare(event, uid, whole=False)
            return
        self.uids.append(uid)
        if uid in self.stored:
            self.find("doubled", "%s is at %d and at %d", uid, self.stored[uid], position)
        elif uid is not None:
            self.stored[uid] = position
        self._compare(event, uid, whole=False)

    def _compare(self, event, uid, whole):
        """Is the stored event the one that was sent? A row of a task.created does not hold all of it."""
        if uid is None:
            if not event.get("interrupted") and event["type"] != "audit.recorded":
                self.find("wrong", "position %d has no uid: %.300r", event["position"], event)
            return
        name, run, sequence = uid.split("/")
        sent = [one for one in self.promises.accounts[name].sent.get(int(sequence), ())
                if one.run == int(run)]
        if not sent:
            self.find("wrong", "%s is stored, and was never sent", uid)
            return
        if sent[0].outcome not in (STORED, EITHER):
            self.find("wrong", "%s is stored, and had to be %s", uid, sent[0].outcome)
        original = unpack(sent[0].event)
        for key, value in original.items():
            if key not in event and not whole and event["type"] == "task.created":
                continue
            if key not in event or not same(event[key], value):
                self.find("wrong", "%s: %s was %.100r, is %.100r", uid, key, value, event.get(key))
        if whole:
            more = set(event) - set(original) - {"position", "time"}
            if more - ({"state"} if event["type"] == "task.created" else set()):
                self.find("wrong", "%s came back with %s", uid, ", ".join(sorted(more)))

    def _commits(self, ledger, head):
        broken = ledger.all("SELECT a.first, a.last FROM commits a WHERE a.last < a.first OR NOT EXISTS"
                            " (SELECT 1 FROM commits b WHERE b.first = a.last + 1) LIMIT 5")
        if [last for _, last in broken] != ([head] if head else []):
            self.find("wrong", "commits do not follow one another up to %d: %r", head, broken)

    #   -- sequences ------------------------------------------------------------------

    def _account(self, ledger):
        """Every sequence up to the producer's is used once: stored, refused, or a duplicate."""
        refused = self._refusals(ledger)
        sequences = {name: sequence for name, sequence in ledger.all("SELECT name, sequence FROM producers")}
        for name, account in self.promises.accounts.items():
            durable = sequences.get(name, 0)
            if durable < account.acked:
                self.find("lost", "%s was acked %d, its sequence is %d", name, account.acked, durable)
            self._account_one(name, durable, refused)
            self._positions(name, account)
        self._order()

    def _positions(self, name, account):
        """An ack has the position of its event; of a refused event or a duplicate, the head."""
        for sequence, told in account.positions.items():
            at = [self.stored[uid] for uid in (
                "%s/%d/%d" % (name, one.run, sequence) for one in self.promises.candidates(name, sequence)
                if one.outcome == STORED) if uid in self.stored]
            if told > len(self.uids) or (at and told < at[0]):
                self.find("wrong", "%s/%d was acked at position %d, it is at %r of %d", name, sequence, told,
                          at, len(self.uids))
        account.positions = {}

    def _refusals(self, ledger):
        refused = {}
        for number, name, sequence, code, event in ledger.all(
                "SELECT r.id, p.name, r.sequence, r.code, r.event FROM rejected_events r"
                " LEFT JOIN producers p ON p.id = r.producer WHERE r.id > ? ORDER BY r.id", self.rejected):
            self.rejected = number
            if (name, sequence) in refused or sequence <= self.last.get(name, 0):
                self.find("doubled", "%s/%s was refused twice", name, sequence)
            refused[(name, sequence)] = (code, bytes(event))
        return refused

    def _account_one(self, name, durable, refused):
        account = self.promises.accounts[name]
        for sequence in range(self.last.get(name, 0) + 1, durable + 1):
            traces = ["%s/%d/%d" % (name, one.run, sequence) for one in account.sent.get(sequence, ())
                      if "%s/%d/%d" % (name, one.run, sequence) in self.stored]
            candidates = self.promises.candidates(name, sequence)
            either = any(one.outcome == EITHER for one in candidates)
            if len(traces) + ((name, sequence) in refused and not either) > 1:
                self.find("doubled", "%s/%d: %r, refused: %r", name, sequence, traces,
                          refused.get((name, sequence)))
            elif traces:
                run = int(traces[0].split("/")[1])
                if run not in [one.run for one in candidates]:
                    self.find("lost", "%s/%d: run %r was acked, run %d is stored", name, sequence,
                              [one.run for one in candidates], run)
            elif (name, sequence) in refused:
                if not any(one.outcome in (REFUSED, EITHER) and one.event == refused[(name, sequence)][1]
                           for one in candidates):
                    self.find("wrong", "%s/%d is refused (%s), sent was %.300r", name, sequence,
                              refused[(name, sequence)][0], [unpack(one.event) for one in candidates])
            elif not any(one.outcome == SAME for one in candidates):
                self.find("lost", "%s/%d is nowhere%s", name, sequence,
                          ", and was acked" if sequence <= account.acked else "")
        self.last[name] = max(durable, self.last.get(name, 0))

    def _order(self):
        """The events of a producer are in the order of their sequences."""
        for position in range(self.ordered, len(self.uids)):
            uid = self.uids[position]
            if uid is None:
                continue
            name, _, sequence = uid.split("/")
            sequence = int(sequence)
            if any(one.outcome == EITHER for one in self.promises.accounts[name].sent[sequence]):
                continue                # A retry is stored when it is requested
            if sequence <= self.at.get(name, 0):
                self.find("wrong", "%s at %d comes after sequence %d", uid, position + 1, self.at[name])
            if sequence > self.last.get(name, 0):
                self.find("wrong", "%s at %d is beyond its producer's sequence", uid, position + 1)
            self.at[name] = sequence
        self.ordered = len(self.uids)

    #   -- the broker that runs ---------------------------------------------------------

    def look_at_log(self, ask, again=False):
        """Compare events.read since the last check, or from the start; returns the head. Producers may run."""
        after = 0 if again else len(self.digests)
        while True:
            answer = ask("events.read", after=after, limit=1000)
            for event in answer["events"]:
                after += 1
                if event["position"] != after:
                    self.find("wrong", "events.read: position %d comes after %d", event["position"], after - 1)
                    after = event["position"]
                self._read(event)
            if answer["next"] is None or not answer["events"]:
                break
        seen = max(len(self.uids), len(self.digests))
        if after < seen:
            self.find("lost", "events.read ends at %d, %d were there", after, seen)
        self.promises.read()
        self.conclude("events.read")
        return after

    def _read(self, event):
        position, uid = event["position"], event.get("uid")
        if position <= len(self.uids) and self.uids[position - 1] != uid:
            self.find("lost", "events.read: position %d was %s, is %s", position,
                      self.uids[position - 1], uid)
        known = digest(event)
        if position <= len(self.digests):
            if self.digests[position - 1] != known:
                self.find("wrong", "events.read: position %d is not what it was: %.300r", position, event)
            return
        self.digests.append(known)
        if self.early.pop(position, known) != known:
            self.find("feed", "position %d is not what the feed said: %.300r", position, event)
        if event["type"] == "audit.recorded":
            self.audited.discard(event.get("request_id"))
        elif uid is None:
            task = self.mirror.tasks.get(event.get("task_id"), {})
            if task.get("state") not in ("starting", "running", "completing"):
                self.find("wrong", "position %d interrupts a task that is %s", position, task.get("state"))
        else:
            self.promises.read() if uid.split("/")[0] not in self.promises.accounts else None
        self._compare_read(event, uid)
        self.mirror.apply(event)

    def _compare_read(self, event, uid):
        if uid is not None:
            name, run, sequence = uid.split("/")
            if not any(one.run == int(run) for one in
                       self.promises.accounts[name].sent.get(int(sequence), ())):
                self.promises.read()        # It was sent after the last check
        self._compare(event, uid, whole=True)

    #   -- the feed -----------------------------------------------------------------------

    def hear(self, topic, body):
        """One message of the feed, in order of arrival."""
        if topic == b"heartbeat":
            return
        event = unpack(body)
        position = event["position"]
        self.feed_count += 1
        if position <= self.fed:
            self.find("feed", "position %d comes after %d", position, self.fed)
        self.fed = max(position, self.fed)
        identity = event.get("task_id", event.get("session_id", event.get("who", event.get("user_id"))))
        if topic.decode() != "%s/%s" % (event["type"], identity):
            self.find("feed", "topic %s of %.300r", topic, event)
        omitted = event.get("content_omitted")
        known = hashlib.blake2b(pack(_ordered(event)), digest_size=12).digest() if omitted else digest(event)
        if position <= len(self.digests):
            if self.digests[position - 1] != known:
                self.find("feed", "position %d is not what the ledger has: %.300r", position, event)
        else:
            self.early[position] = known

    def look_at_feed(self):
        """Everything in the feed is in the log. Call it after look_at_log, with the producers paused."""
        for position in sorted(self.early)[:5]:
            self.find("feed", "the feed said position %d, the ledger ends at %d", position, len(self.digests))
        self.conclude("feed")

    #   -- the pipeline -------------------------------------------------------------------

    def take(self, body):
        """One message of the pipeline. After a restart some are repeated."""
        event = unpack(body)
        position, known = event["position"], digest(event)
        if self.pushed.setdefault(position, known) != known:
            self.find("pipeline", "position %d came again as another: %.300r", position, event)

    def look_at_pipeline(self):
        """Every position arrived, with the content of the log."""
        for position, known in enumerate(self.digests, 1):
            if self.pushed.get(position, known) != known:
                self.find("pipeline", "position %d is not what the ledger has", position)
        missing = set(range(1, len(self.digests) + 1)) - set(self.pushed)
        if missing:
            self.find("pipeline", "%d positions never came, first %d", len(missing), min(missing))
        for position in set(self.pushed) - set(range(1, len(self.digests) + 1)):
            self.find("pipeline", "position %d came, the ledger ends at %d", position, len(self.digests))
        self.conclude("pipeline")

    #   -- records: the broker's answers, the tables, Redis ---------------------------------

    def look_at_records(self, ask):
        """Compare task.list with the mirror. Producers are paused, look_at_log was called."""
        seen, cursor = set(), None
        while True:
            answer = ask("task.list", limit=1000, **({"cursor": cursor} if cursor else {}))
            for task in answer["tasks"]:
                seen.add(task["task_id"])
                self._owner(task["task_id"], task.pop("producer", None), "task.list")
                if not same(task, self.mirror.tasks.get(task["task_id"])):
                    self._differ("wrong", "task.list", task["task_id"], task,
                                 self.mirror.tasks.get(task["task_id"], {}))
            cursor = answer["next"]
            if cursor is None:
                break
        for task in set(self.mirror.tasks) - seen:
            self.find("lost", "task.list does not have %s", task)
        self.conclude("task.list")

    def _owner(self, task, got, where):
        """An event that came from a pipeline or a restore leaves a task without an owner."""
        if got is not None and got != self.mirror.owners.get(task):
            self.find("wrong", "%s: %s belongs to %r, has to belong to %r", where, task, got,
                      self.mirror.owners.get(task))

    def _differ(self, kind, where, identity, got, wanted):
        for key in sorted(set(got) | set(wanted), key=str):
            if got.get(key) != wanted.get(key) or not same(got.get(key), wanted.get(key)):
                self.find(kind, "%s: %s: %s is %.100r, has to be %.100r", where, identity, key,
                          got.get(key), wanted.get(key))

    def look_at_redis(self, redis, ledger_id=None, finished=True):
        """Compare every key and field. Producers are paused, look_at_log was called, and Redis has
        reached the head. 'finished' False: some finished tasks and sessions have expired."""
        position = int(redis.call("GET", PREFIX + ":position") or -1)
        if position != self.mirror.position:
            self.find("redis", "position is %d, the head is %d", position, self.mirror.position)
        if ledger_id and redis.call("GET", PREFIX + ":ledger") != ledger_id.encode():
            self.find("redis", "ledger is %r", redis.call("GET", PREFIX + ":ledger"))
        if redis.call("EXISTS", PREFIX + ":rebuilding"):
            self.find("redis", "still rebuilding")
        wanted = {PREFIX + key: record for key, record in self.mirror.hashes()}
        sets = {PREFIX + ":tasks:" + state: ids for state, ids in self.mirror.sets().items()}
        self.may_leave = set()
        if not finished:
            self.may_leave = {key for key, record in wanted.items() if b"completed_at" in record}
        there = {key.decode() for key in redis.call("KEYS", PREFIX.replace("{", "\\{") + ":*")}
        for key in sorted(there - set(wanted) - set(sets) - BOOKKEEPING):
            self.find("redis", "%s is there and has no reason", key)
        self._hashes(redis, wanted)
        for key, ids in sets.items():
            flat = redis.call("ZRANGE", key, 0, -1, "WITHSCORES")
            got = dict(zip(flat[0::2], (int(float(score)) for score in flat[1::2])))
            if not finished and key.rsplit(":", 1)[1] in TERMINAL:
                ids = {identity: score for identity, score in ids.items() if identity in got}
            if got != ids:
                self._differ("redis", "set", key, got, ids)
        self.conclude("redis")

    def _hashes(self, redis, wanted):
        keys = list(wanted)
        for start in range(0, len(keys), 500):
            page = keys[start:start + 500]
            for key, flat in zip(page, redis.pipeline([("HGETALL", key) for key in page])):
                got = dict(zip(flat[0::2], flat[1::2]))
                if key.startswith(PREFIX + ":task:"):
                    owner = got.pop(b"producer", None)
                    self._owner(key[len(PREFIX + ":task:"):], owner and owner.decode(), "redis")
                if got != wanted[key] and (got or key not in self.may_leave):
                    self._differ("redis", "hash", key, got, wanted[key])
