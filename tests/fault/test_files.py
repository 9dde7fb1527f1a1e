# How people mount, copy, rename, link and delete the files of a ledger, and who may read them
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import errno
import fcntl
import glob
import os
import shutil
import signal
import sqlite3
import socket
import stat
import subprocess
import threading
import time
import unittest

import client
import harness
from client import changed, created

#   A file system without locks of open files: the call fails with the errno in the environment
NO_LOCKS = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#define REPLACE(name) \\
    int name (int handle, int command, ...) \\
    { \\
        va_list list; \\
        va_start (list, command); \\
        void *argument = va_arg (list, void *); \\
        va_end (list); \\
        if (command == F_OFD_SETLK) { \\
            errno = atoi (getenv ("NO_LOCKS_ERRNO")); \\
            return -1; \\
        } \\
        int (*next) (int, int, ...) = (int (*) (int, int, ...)) dlsym (RTLD_NEXT, #name); \\
        return next (handle, command, argument); \\
    }
REPLACE (fcntl)
REPLACE (fcntl64)
"""
IO_ERROR = 74                           # EX_IOERR
CONFIG = 78                             # EX_CONFIG
FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"


class FilesTest(unittest.TestCase):
    def setUp(self):
        self.folder = harness.temporary_folder()
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.clients = client.Clients()
        self.addCleanup(self.clients.close)
        self.brokers = []
        self.addCleanup(self.end)
        self.redis = None

    def end(self):
        for broker in self.brokers:
            if broker.running():
                broker.kill()
        if self.redis:
            self.redis.stop()

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def subfolder(self, name):
        path = self.path(name)
        os.makedirs(path, exist_ok=True)
        return path

    def start(self, name="a", **options):
        """A broker with its ledger and its endpoints in a folder of that name."""
        broker = harness.Steled(self.subfolder(name), redis=self.redis, **options)
        self.brokers.append(broker)
        return broker

    def command(self, ledger, *arguments):
        where = self.subfolder("refused")
        return [harness.program("steled"), "--ledger", ledger, "--redis", "none"] + [
            word for name in ("events", "requests", "feed")
            for word in ("--" + name, "ipc://" + os.path.join(where, name))] + list(arguments)

    def mounted(self, source, target, command):
        """The command in a mount namespace of its own, where 'source' is mounted at 'target' too."""
        shell = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'
        unshare = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-Urm"]
        return unshare + ["sh", "-c", shell, "sh", source, target] + command

    def refuse(self, ledger, *texts, arguments=(), status=CONFIG, mount=None, **options):
        command = self.command(ledger, *arguments)
        if mount:
            command = self.mounted(*mount, command)
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=harness.PATIENCE, **options)
        said = done.stdout.decode()
        self.assertEqual(done.returncode, status, said)
        for text in texts:
            self.assertIn(text, said)
        return said

    def publish(self, broker, *tasks):
        peer = self.clients.producer(broker.events, "files-" + "-".join(tasks))
        for task in tasks:
            peer.publish(created(task))
        return peer

    def ask(self, broker, op, **keys):
        asker = self.clients.asker(broker.requests)
        answer = asker.ask(dict(keys, op=op))
        asker.close()
        return answer

    def tasks_of(self, path):
        file = sqlite3.connect("file:%s?mode=ro" % path, uri=True)
        self.addCleanup(file.close)
        self.assertEqual(file.execute("PRAGMA integrity_check").fetchone(), ("ok",))
        return [row[0] for row in file.execute("SELECT task_id FROM task_summary ORDER BY task_id")]


class OneBroker(FilesTest):
    """One broker per file, whatever its name."""

    def test_hard_link(self):
        broker = self.start()
        self.publish(broker, "one")
        os.link(broker.ledger, self.path("other.db"))
        self.refuse(self.path("other.db"), "has 2 names (hard links)")
        self.assertEqual(glob.glob(self.path("other.db?*")), [])
        self.publish(broker, "two")                 # The running one goes on
        self.assertEqual(broker.stop(), 0)
        self.refuse(broker.ledger, "has 2 names (hard links)")
        os.remove(self.path("other.db"))
        self.assertEqual(self.ask(self.start(), "ping")["position"], 2)

    def test_removed_lock_file(self):
        broker = self.start()
        os.remove(broker.ledger + ".lock")
        self.refuse(broker.ledger, "another broker has %s open" % broker.ledger)
        self.publish(broker, "one")
        self.assertEqual(broker.stop(), 0)

    def test_file_system_without_locks(self):
        """Refused with the reason and the way out; a ledger that was there is as before, none is left behind."""
        source, library = self.path("no_locks.c"), self.path("no_locks.so")
        with open(source, "w") as file:
            file.write(NO_LOCKS)
        subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
        broker = self.start()
        self.publish(broker, "one")
        self.assertEqual(broker.stop(), 0)
        new = os.path.join(self.subfolder("new"), "stele.db")
        for code in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK):
            environment = dict(os.environ, LD_PRELOAD=library, NO_LOCKS_ERRNO=str(code))
            for ledger in (broker.ledger, new):
                self.refuse(ledger, "cannot lock %s: %s: its file system has no locks" % (ledger, os.strerror(code)),
                            "Put the ledger on a local disk", env=environment)
        self.assertEqual(os.listdir(self.path("new")), [])
        self.assertEqual(self.ask(self.start(), "ping")["position"], 1)

    def test_renamed_folder(self):
        """By another path, and with another lock file, it is the same file."""
        broker = self.start()
        os.symlink(self.path("a"), self.path("link"))
        self.refuse(self.path("link", "ledger.db"), "another broker has")
        self.publish(broker, "one")

    def test_reader_may_not_hold_the_lock(self):
        broker = self.start()
        self.assertEqual(broker.stop(), 0)
        with open(broker.ledger, "rb") as file:     # As with mode 0644
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.publish(self.start(), "one")

    def test_own_locks_of_sqlite_remain(self):
        """Nothing in the broker closes a descriptor of the database, which would drop SQLite's locks."""
        broker = self.start()
        self.publish(broker, "one")
        self.ask(broker, "task.list")
        inode = os.stat(broker.ledger).st_ino
        with open("/proc/locks") as file:
            locks = [line for line in file if line.split()[5].endswith(":%d" % inode)]
        self.assertTrue(any(" POSIX " in line for line in locks), locks)
        self.assertTrue(any(" OFDLCK " in line for line in locks), locks)

    def test_mounted_file(self):
        host, target = self.path("tasks.db"), os.path.join(self.subfolder("c"), "stele.db")
        for path in (host, target):
            open(path, "w").close()
        self.refuse(target, "is a mount point", "Mount the directory that holds the ledger", mount=(host, target))
        self.assertEqual(os.listdir(self.path("c")), ["stele.db"])
        self.assertEqual(os.path.getsize(target), 0)

    def test_mounted_folder_that_is_used_twice(self):
        os.makedirs(self.path("twin"))
        broker = self.start()
        self.publish(broker, "one")
        os.remove(broker.ledger + ".lock")
        self.refuse(self.path("twin", "ledger.db"), "another broker has", mount=(self.path("a"), self.path("twin")))
        self.publish(broker, "two")

    def test_link_to_a_ledger_that_does_not_exist_yet(self):
        self.subfolder("data")
        os.symlink("../data/real.db", os.path.join(self.subfolder("a"), "ledger.db"))
        broker = self.start()
        self.publish(broker, "one")
        broker.kill()
        self.assertTrue(os.path.exists(self.path("data", "real.db.high-water")))
        self.assertEqual(glob.glob(self.path("a", "ledger.db?*")), [])
        os.remove(self.path("data", "real.db-wal"))
        self.refuse(self.path("a", "ledger.db"), "more was acked", status=65)


class Names(FilesTest):
    def test_what_is_not_a_file(self):
        for name in (":memory:", "file:x?mode=memory", "file::memory:?cache=shared", "file:x.db"):
            self.refuse(name, "ledger takes the path of a file", name, cwd=self.folder)
        self.refuse(self.folder, "is a directory")
        self.refuse("/dev/null", "is a device")
        os.mkfifo(self.path("pipe"))
        self.refuse(self.path("pipe"), "is a device, pipe or socket")
        self.refuse(self.path("missing", "stele.db"), "No such file or directory")
        os.symlink("nowhere/x.db", self.path("dangling"))
        self.refuse(self.path("dangling"), "No such file or directory")

    def test_files_of_another_ledger(self):
        for suffix in ("-wal", "-shm", "-journal", ".lock", ".high-water", ".search", ".rollup"):
            self.refuse(self.path("x.db" + suffix), "ends in " + suffix)
        self.assertEqual(os.listdir(self.folder), ["refused"])

    def test_refused_start_leaves_nothing(self):
        path = self.path("new.db")
        for arguments in (("--redis", "http://localhost"), ("--redis", "redis://:x@"),
                          ("--redis", "redis://127.0.0.1:1", "--redis-prefix", "x" * 500),
                          ("--file-mode", "0666"), ("--file-mode", "600"), ("--batch-events", "0")):
            self.refuse(path, arguments=arguments)
            self.assertEqual(glob.glob(path + "*"), [], arguments)


    def test_endpoint_in_use_leaves_nothing(self):
        """A port is only known to be in use when the ledger is open: it is removed again if it is new."""
        with socket.socket() as busy:
            busy.bind(("127.0.0.1", 0))
            busy.listen()
            endpoint = "tcp://127.0.0.1:%d" % busy.getsockname()[1]
            path = self.path("new.db")
            for option in ("--events", "--feed", "--requests", "--pipeline-out"):
                self.refuse(path, "in use", arguments=(option, endpoint))
                self.assertEqual(glob.glob(path + "*"), [], option)
            broker = self.start()               # One that is not new stays, also without events
            self.assertEqual(broker.stop(), 0)
            self.refuse(broker.ledger, arguments=("--events", endpoint))
            self.assertTrue(os.path.exists(broker.ledger))


class Gone(FilesTest):
    """Files that are removed, replaced or moved while the broker runs."""

    def gone(self, broker, *texts):
        status = broker.wait()
        said = broker.log()
        self.assertEqual(status, IO_ERROR, said)
        for text in texts:
            self.assertIn(text, said)
        return said

    def load(self, broker):
        """Send events, one after another, until none is acked. Returns the thread and the acked ones."""
        acked = []

        def run():
            clients = client.Clients()
            peer = clients.producer(broker.events, "load")
            try:
                while True:
                    task = "load-%d" % len(acked)
                    peer.send_events([created(task)])
                    peer.settle(3000)
                    acked.append(task)
            except AssertionError:                  # No ack
                clients.close()
        thread = threading.Thread(target=run)
        thread.start()
        self.addCleanup(thread.join)
        return thread, acked

    def rescued(self, name="a"):
        found = glob.glob(self.path(name, "ledger.db.rescued-*"))
        found = [path for path in found if not path.endswith(("-wal", "-shm"))]
        self.assertEqual(len(found), 1, os.listdir(self.path(name)))
        return found[0]

    def test_removed_without_any_event(self):
        broker = self.start()
        self.publish(broker, "one", "two")
        os.remove(broker.ledger)
        said = self.gone(broker, broker.ledger + " was removed or moved")
        self.assertIn("every acked event was saved in " + self.rescued(), said)
        self.assertEqual(self.tasks_of(self.rescued()), ["one", "two"])
        self.assertEqual(stat.S_IMODE(os.stat(self.rescued()).st_mode), 0o600)
        #   The next start does not begin a new history, and the way out that the message names works
        self.refuse(broker.ledger, "another ledger that has acked events was there", "rescued", status=65)
        for suffix in ("", "-wal", "-shm"):
            if os.path.exists(broker.ledger + suffix):
                os.remove(broker.ledger + suffix)
        os.rename(self.rescued(), broker.ledger)
        broker = self.start()
        self.assertEqual(self.ask(broker, "ping")["position"], 2)
        self.publish(broker, "three")

    def test_removed_under_load(self):
        """Whatever was acked, before, while and after the files go, is in the copy."""
        broker = self.start()
        thread, acked = self.load(broker)
        harness.wait_until(lambda: len(acked) > 50, "some acks")
        for name in glob.glob(broker.ledger + "*"):
            os.remove(name)
        self.gone(broker, "every acked event was saved")
        thread.join()
        self.assertLessEqual(set(acked), set(self.tasks_of(self.rescued())))

    def test_event_right_after_the_removal_is_not_acked(self):
        for number in range(5):
            broker = self.start("n%d" % number)
            peer = self.publish(broker, "one")
            os.remove(broker.ledger + ("-wal" if number % 2 else ""))
            peer.send_events([created("two")])
            self.gone(broker)
            with self.assertRaises(AssertionError):
                peer.settle(200)

    def test_replaced_by_a_copy(self):
        broker = self.start()
        self.publish(broker, "one")
        shutil.copy(broker.ledger, self.path("copy.db"))
        os.rename(self.path("copy.db"), broker.ledger)
        self.gone(broker, broker.ledger + " was replaced by another file")
        self.assertEqual(self.tasks_of(self.rescued()), ["one"])

    def test_log_removed(self):
        broker = self.start()
        self.publish(broker, "one")
        os.remove(broker.ledger + "-wal")
        self.gone(broker, broker.ledger + "-wal was removed or moved")
        self.assertEqual(self.tasks_of(self.rescued()), ["one"])

    def test_signals_do_not_end_a_rescue(self):
        broker = self.start()
        self.publish(broker, "one")
        for number in range(12):                        # So that the copy takes a while
            peer = self.clients.producer(broker.events, "large-%d" % number)
            peer.publish({"type": "task.output_added", "task_id": "one", "output_type": "log",
                          "content": os.urandom(4 << 20)})
        os.remove(broker.ledger)
        broker.wait_line("do not stop or kill this process")
        broker.signal(signal.SIGTERM)
        broker.signal(signal.SIGINT)
        broker.signal(signal.SIGINT)
        self.gone(broker, "every acked event was saved")
        self.assertEqual(self.tasks_of(self.rescued()), ["one"])
        self.assertEqual(glob.glob(self.path("a", "*.part")), [])

    def test_overwritten_in_place(self):
        for number, suffix in enumerate(("", "-wal")):
            broker = self.start("o%d" % number)
            peer = self.publish(broker, "one")
            with open(broker.ledger + suffix, "wb"):
                pass                                # As a shell's '> FILE'
            peer.send_events([created("two")])
            self.gone(broker, broker.ledger + suffix + " was overwritten while the broker was using it")
            with self.assertRaises(AssertionError):
                peer.settle(200)

    def test_overwritten_in_place_by_another_ledger(self):
        """Not its first bytes, but its id, and its size, say that it is another one."""
        other = self.start("other")
        self.publish(other, "theirs")
        other.stop()
        broker = self.start("b")
        peer = self.publish(broker, "one")
        shutil.copyfile(other.ledger, broker.ledger)        # As cp: into the same file
        peer.send_events([created("two")])
        self.gone(broker, broker.ledger + " was overwritten while the broker was using it")
        with self.assertRaises(AssertionError):
            peer.settle(200)

    def test_overwritten_in_place_by_a_shorter_copy(self):
        broker = self.start()
        self.publish(broker, "one")
        broker.stop()
        shutil.copy(broker.ledger, self.path("older.db"))
        broker = self.start()
        peer = self.clients.producer(broker.events, "large")
        peer.publish(*(dict(created("t%d" % number), title="x" * 900) for number in range(2000)))
        broker.stop()
        broker = self.start()
        peer = self.publish(broker, "before")
        shutil.copyfile(self.path("older.db"), broker.ledger)
        peer.send_events([created("after")])
        self.gone(broker, broker.ledger + " was overwritten while the broker was using it")
        with self.assertRaises(AssertionError):
            peer.settle(200)

    def test_folder_removed(self):
        broker = self.start()
        self.publish(broker, "one")
        shutil.rmtree(self.path("a"))
        self.gone(broker, "every acked event was saved")
        self.assertEqual(self.tasks_of(self.rescued()), ["one"])

    def test_folder_moved(self):
        broker = self.start()
        self.publish(broker, "one")
        os.rename(self.path("a"), self.path("b"))
        self.gone(broker, "the whole ledger is now " + self.path("b", "ledger.db"))
        self.assertEqual(self.tasks_of(self.path("b", "ledger.db")), ["one"])
        self.refuse(broker.ledger, "another ledger that has acked events was there", status=65)
        self.assertEqual(self.ask(self.start("b"), "ping")["position"], 1)

    def test_place_without_room_for_a_copy(self):
        broker = self.start()
        self.publish(broker, "one")
        shutil.rmtree(self.path("a"))
        with open(self.path("a"), "w") as file:
            file.write("in the way")
        self.gone(broker, "could not be saved", "Not a directory", "restore %s from a backup" % broker.ledger)

    def test_removed_in_mode_redis(self):
        self.redis = harness.Redis(self.folder)
        broker = self.start()
        self.publish(broker, "one")
        self.redis.wait_position(1)
        self.assertIs(self.ask(broker, "mode", mode="redis")["ok"], True)
        self.publish(broker, "two")
        os.remove(broker.ledger)
        self.gone(broker, "every acked event was saved")
        for suffix in ("-wal", "-shm"):
            if os.path.exists(broker.ledger + suffix):
                os.remove(broker.ledger + suffix)
        os.rename(self.rescued(), broker.ledger)
        broker = self.start()
        self.assertEqual(self.ask(broker, "ping")["position"], 3)   # With the audit event of the mode
        self.assertEqual(broker.stop(), 0)
        self.assertEqual(self.tasks_of(broker.ledger), ["one", "two"])


class Modes(FilesTest):
    def modes(self, broker):
        return {os.path.basename(path): stat.S_IMODE(os.stat(path).st_mode)
                for path in glob.glob(broker.ledger + "*")}

    def wait_search(self, broker):
        harness.wait_until(lambda: all(os.path.exists(broker.ledger + suffix + "-wal") for suffix in (".search", ".rollup")),
                           "the text index and the counts")

    def test_only_the_owner_by_default(self):
        umask = os.umask(0)
        try:
            broker = self.start()
        finally:
            os.umask(umask)
        self.publish(broker, "one")
        self.wait_search(broker)
        modes = self.modes(broker)
        self.assertEqual(set(modes), {"ledger.db" + suffix for suffix in (
            "", "-wal", "-shm", ".lock", ".high-water", ".search", ".search-wal", ".search-shm", ".rollup", ".rollup-wal",
            ".rollup-shm")})
        self.assertEqual(set(modes.values()), {0o600}, modes)

    def test_setting_whatever_the_umask_and_earlier_modes(self):
        umask = os.umask(0o077)
        try:
            broker = self.start(settings={"file-mode": "0640"})
        finally:
            os.umask(umask)
        self.wait_search(broker)
        self.assertEqual(set(self.modes(broker).values()), {0o640}, self.modes(broker))
        self.assertEqual(broker.stop(), 0)
        for path in glob.glob(broker.ledger + "*"):
            os.chmod(path, 0o644)                   # As 0.1.0 left them
        broker = self.start()
        broker.wait_line("the mode of %s and of the files next to it was changed from 0644 to 0600" % broker.ledger)
        self.assertEqual(broker.log().count("was changed from"), 1)
        self.wait_search(broker)
        self.assertEqual(set(self.modes(broker).values()), {0o600}, self.modes(broker))

    def test_folder_that_everybody_may_change(self):
        os.chmod(self.subfolder("a"), 0o777)
        broker = self.start()
        broker.wait_line("every user may remove or replace the ledger")
        self.assertEqual(broker.stop(), 0)
        os.chmod(self.path("a"), 0o1777)
        self.assertNotIn("every user may", self.start().log())

    def as_nobody(self):
        """Options of subprocess.run for a user without rights."""
        os.chmod(self.folder, 0o755)
        os.chmod(self.subfolder("refused"), 0o777)
        return {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}

    def test_no_permission_is_named(self):
        broker = self.start()
        self.assertEqual(broker.stop(), 0)
        os.chmod(broker.ledger, 0o400)
        user = self.as_nobody()
        self.refuse(broker.ledger, "permission denied for user", "mode 0", "must be able to write", **user)
        os.chmod(self.path("a"), 0o500)
        self.refuse(self.path("a", "new.db"), "permission denied for user", **user)
        os.chmod(self.path("a"), 0o700)
        self.assertFalse(os.path.exists(self.path("a", "new.db")))

    def test_descriptors_of_the_standard_streams(self):
        """Closed standard streams: the files do not take their place, where messages would go into them."""
        for closed in ("0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"):
            name = "s%d" % len(closed) + closed[0]
            where = self.subfolder(name)
            ledger = os.path.join(where, "ledger.db")
            words = " ".join(self.command(ledger)).replace(self.path("refused"), where)
            child = subprocess.Popen(["sh", "-c", "exec %s %s" % (words, closed)])
            self.addCleanup(child.kill)
            asker = self.clients.asker("ipc://" + os.path.join(where, "requests"))
            self.assertIs(asker.ask({"op": "ping"})["ok"], True)
            for number in range(3):
                link = "/proc/%d/fd/%d" % (child.pid, number)
                if os.path.lexists(link):
                    self.assertNotIn("ledger.db", os.readlink(link))
            child.terminate()
            self.assertEqual(child.wait(harness.PATIENCE), 0)


class Copies(FilesTest):
    """A copy of a running ledger, with the same id, on the same Redis."""

    def copy(self, broker, name="b"):
        target = sqlite3.connect(os.path.join(self.subfolder(name), "ledger.db"))
        source = sqlite3.connect("file:%s?mode=ro" % broker.ledger, uri=True)
        source.backup(target)
        source.close()
        target.close()

    def redis_stats(self, broker):
        return self.ask(broker, "stats")["redis"]

    def test_copy_beside_its_original(self):
        self.redis = harness.Redis(self.folder)
        original = self.start()
        self.publish(original, "common")
        self.redis.wait_position(1)
        self.copy(original)
        copy = self.start("b")
        copy.wait_line("is kept by another broker, whose ledger is a copy of this one")
        self.publish(original, "only-a")
        self.publish(copy, "only-b", "only-b-too")
        self.redis.wait_position(2)
        self.assertEqual(self.redis_stats(copy)["state"], "away")
        self.assertIn("a copy of this one", self.redis_stats(copy)["last_error"])
        self.assertEqual(self.redis_stats(original)["rebuilds"], 1)
        self.assertEqual(self.ask(copy, "task.status", task_id="only-a")["error"]["code"], "not_found")
        self.assertEqual(self.ask(original, "task.status", task_id="only-b")["error"]["code"], "not_found")
        harness.wait_until(lambda: self.ask(original, "task.status", task_id="only-a")["source"] == "redis", "the status from Redis")
        self.assertEqual(self.redis.call("EXISTS", "{stele}:task:only-b"), 0)

    def test_copy_that_takes_over_rebuilds(self):
        """The copy starts when the original has stopped, at the same position with another history."""
        self.redis = harness.Redis(self.folder)
        original = self.start()
        self.publish(original, "common")
        self.redis.wait_position(1)
        self.copy(original)
        self.publish(original, "only-a")
        self.redis.wait_position(2)
        self.assertEqual(original.stop(), 0)
        redis, self.redis = self.redis, None
        other = self.start("b")                     # Without Redis first
        self.publish(other, "only-b")
        self.assertEqual(other.stop(), 0)
        self.redis = redis
        other = self.start("b")
        other.wait_line("does not hold the history of this ledger")
        harness.wait_until(lambda: self.redis_stats(other)["state"] == "live", "Redis to be live")
        self.assertEqual(self.redis.call("EXISTS", "{stele}:task:only-a"), 0)
        self.assertEqual(self.redis.call("EXISTS", "{stele}:task:only-b"), 1)

    def test_killed_broker_does_not_keep_its_next_run_away(self):
        self.redis = harness.Redis(self.folder)
        broker = self.start()
        self.publish(broker, "one")
        self.redis.wait_position(1)
        broker.kill()
        self.assertTrue(self.redis.call("GET", "{stele}:holder"))
        broker = self.start()
        broker.wait_line("connected to Redis")
        self.assertNotIn("kept by another", broker.log())


class Clock(FilesTest):
    def setUp(self):
        super().setUp()
        self.redis = harness.Redis(self.folder)

    def pass_one(self, task, when=None):
        env = dict(os.environ)
        if when:
            env.update(LD_PRELOAD=FAKETIME, FAKETIME=when, FAKETIME_DONT_FAKE_MONOTONIC="1")
        broker = self.start(env=env)
        peer = self.publish(broker, task)
        peer.publish(changed(task, "passed"))
        harness.wait_until(lambda: self.redis.call("PTTL", "{stele}:task:" + task) > 0, "the task to expire")
        ttl = self.redis.call("TTL", "{stele}:task:" + task)
        self.assertTrue(86000 < ttl <= 86400, ttl)
        ahead = self.ask(broker, "stats")["ledger"]["ahead_ms"]
        log = broker.log()
        self.assertEqual(broker.stop(), 0)
        return ahead, log

    def test_once_in_the_future(self):
        self.assertTrue(os.path.exists(FAKETIME), "the package faketime is missing")
        self.pass_one("before")
        self.pass_one("wrong", "@2099-01-01 00:00:00")
        ahead, log = self.pass_one("after")
        self.assertEqual(ahead, 0)
        self.assertIn("ahead of the clock of this machine", log)
        self.assertIn("2099-01-01T00:00:0", log)
        file = sqlite3.connect("file:%s?mode=ro" % self.path("a", "ledger.db"), uri=True)
        self.addCleanup(file.close)
        times = [row[0] / 1e6 for row in file.execute("SELECT time FROM commits ORDER BY first")]
        self.assertLess(abs(times[-1] - time.time()), 3600)
        self.assertGreater(max(times), time.time() + 365 * 86400)
        #   A Redis that is built again gives the one of the wrong clock no longer life either
        self.redis.call("FLUSHALL")
        broker = self.start()
        harness.wait_until(lambda: self.redis.call("TTL", "{stele}:task:wrong") > 0, "the rebuild")
        self.assertLessEqual(self.redis.call("TTL", "{stele}:task:wrong"), 86400)
        self.assertNotIn("ahead of the clock", broker.log())


if __name__ == "__main__":
    harness.main()
