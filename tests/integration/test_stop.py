# Starting and stopping: SIGTERM drains, a bad start reports the reason and ends
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import os
import signal
import sqlite3
import subprocess

import harness
from client import changed, created
from load import Load


class Stop(harness.BrokerTest):
    def test_sigterm_under_load_drains_and_ends_well(self):
        load = Load(self.broker.events, "stop")
        self.addCleanup(load.stop)
        load.wait_acked(1000)
        self.assertEqual(self.broker.stop(), 0, self.broker.log())
        head = sqlite3.connect("file:%s?mode=ro" % self.broker.ledger, uri=True).execute(
            "SELECT max(last) FROM commits").fetchone()[0]
        self.assertGreaterEqual(head, load.acked)
        #   Followers were flushed
        self.assertEqual(int(self.redis.call("GET", "{stele}:position")), head)
        self.start_broker()
        load.finish(100)

    def test_sigint_ends_well_too(self):
        self.broker.signal(signal.SIGINT)
        self.assertEqual(self.broker.wait(), 0, self.broker.log())
        self.start_broker()

    def test_second_sigterm_hurries(self):
        self.broker.signal(signal.SIGTERM)
        self.broker.signal(signal.SIGTERM)
        self.assertEqual(self.broker.wait(), 0, self.broker.log())
        self.start_broker()

    def test_restart_keeps_the_ledger(self):
        ledger = self.ask("info")["ledger"]
        task = self.name("task")
        self.producer().publish(created(task), changed(task, "paused"))
        self.assertEqual(self.broker.stop(), 0)
        self.start_broker()
        self.assertEqual(self.ask("info")["ledger"], ledger)
        self.assertEqual(self.ask("task.get", task_id=task)["task"]["state"], "paused")

    def test_stop_leaves_no_socket_of_a_peer_wedged(self):
        asker = self.asker()
        self.assertIs(asker.ask({"op": "ping"})["ok"], True)
        self.assertEqual(self.broker.stop(), 0)
        self.start_broker()
        self.assertIs(asker.ask({"op": "ping"})["ok"], True)


class Start(harness.BrokerTest):
    """What cannot start ends with a status that is not 0, and one line that says why."""

    use_redis = False

    def assert_fails(self, *arguments, says="", status=None):
        folder = self.folder
        done = subprocess.run(
            [harness.program("steled"), "--redis", "none", "--events", "ipc://%s/e2" % folder,
             "--requests", "ipc://%s/r2" % folder, "--feed", "ipc://%s/f2" % folder, *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            timeout=harness.PATIENCE, cwd=folder)
        text = done.stderr.decode()
        self.assertGreater(done.returncode, 0, text)    # Not by a signal either
        if status is not None:
            self.assertEqual(done.returncode, status, text)
        self.assertIn(says, text)
        self.assertNotIn(" ready", text)
        self.assertNotIn("ERROR: AddressSanitizer", text)

    def path(self, name, content=b""):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as file:
            file.write(content)
        return path

    def test_unknown_option(self):
        self.assert_fails("--colour", "blue", says="colour", status=os.EX_USAGE)

    def test_bad_value(self):
        self.assert_fails("--workers", "many", says="workers")
        self.assert_fails("--interrupted", "sometimes", says="interrupted")
        self.assert_fails("--redis", "http://nowhere", says="redis", status=os.EX_CONFIG)
        self.assert_fails("--mode", "foo", says="mode takes", status=os.EX_CONFIG)

    def test_config_missing_or_with_an_unknown_setting(self):
        self.assert_fails("--config", "/no/such/file.conf",
                          says="'/no/such/file.conf': No such file", status=os.EX_CONFIG)
        self.assert_fails("--config", self.path("odd.conf", b"  = =\nno zpl {\n"), says="not valid ZPL")
        self.assert_fails("--config", self.path("bad.conf", b"colour = blue\n"),
                          says="unknown setting 'colour'; see steled.conf(5)", status=os.EX_CONFIG)

    def test_ledger_in_a_folder_that_is_not_there(self):
        self.assert_fails("--ledger", "/no/such/folder/ledger.db", says="/no/such/folder")

    def test_ledger_that_is_no_ledger(self):
        self.assert_fails("--ledger", self.path("text.db", b"just text, no database\n" * 100))
        other = os.path.join(self.folder, "other.db")
        database = sqlite3.connect(other)
        database.execute("CREATE TABLE somebody_elses (x)")
        database.commit()
        database.close()
        self.assert_fails("--ledger", other)

    def test_ledger_of_a_newer_version(self):
        newer = os.path.join(self.folder, "newer.db")
        self.broker.stop()
        source = sqlite3.connect(self.broker.ledger)
        target = sqlite3.connect(newer)
        source.backup(target)
        source.close()
        target.execute("PRAGMA user_version = 999")
        target.commit()
        target.close()
        self.start_broker()
        self.assert_fails("--ledger", newer, says="newer")

    def test_ledger_that_another_broker_has(self):
        self.ask("ping")
        self.assert_fails("--ledger", self.broker.ledger)
        self.ask("ping")

    def test_endpoint_that_cannot_be_bound(self):
        self.assert_fails("--ledger", os.path.join(self.folder, "l2.db"),
                          "--events", "ipc:///no/such/folder/socket", says="/no/such/folder")

    def test_ipc_endpoint_that_another_broker_has(self):
        for number, (option, endpoint) in enumerate((
                ("--events", self.broker.events), ("--requests", self.broker.requests),
                ("--feed", self.broker.feed), ("--pipeline-in", self.broker.events),
                ("--pipeline-out", self.broker.feed))):
            self.assert_fails("--ledger", os.path.join(self.folder, "other%d.db" % number),
                              option, endpoint, says="Address already in use", status=os.EX_CONFIG)
        #   Nobody took its place: who comes anew finds the first one, with its ledger
        ledger = self.ask("info")["ledger"]
        self.assertEqual(self.clients.asker(self.broker.requests).ask({"op": "info"})["ledger"], ledger)
        self.producer().publish(created(self.name("task")))

    def test_abstract_ipc_endpoint_that_another_broker_has(self):
        name = "ipc://@" + self.folder
        broker = harness.Steled(self.folder, ledger="l4.db", arguments=[
            "--events", name + "/e", "--requests", "ipc://%s/r4" % self.folder,
            "--feed", "ipc://%s/f4" % self.folder])
        self.addCleanup(broker.kill)
        self.assert_fails("--ledger", os.path.join(self.folder, "l5.db"), "--events", name + "/e",
                          says="Address already in use", status=os.EX_CONFIG)
        self.assertEqual(broker.stop(), 0)

    def test_ipc_endpoints_of_a_killed_broker_are_free(self):
        ledger = self.ask("info")["ledger"]
        self.broker.kill()
        self.assertTrue(os.path.exists(self.broker.requests[len("ipc://"):]))
        self.start_broker()
        self.assertEqual(self.ask("info")["ledger"], ledger)

    def test_options_win_over_the_config(self):
        path = self.path("steled.conf", b'requests = "ipc:///no/such/folder/x"\nworkers = 3\n')
        broker = harness.Steled(self.folder, ledger="l3.db", arguments=[
            "--config", path, "--events", "ipc://%s/e3" % self.folder,
            "--requests", "ipc://%s/r3" % self.folder, "--feed", "ipc://%s/f3" % self.folder])
        self.addCleanup(broker.kill)
        self.assertIs(self.clients.asker("ipc://%s/r3" % self.folder).ask({"op": "ping"})["ok"], True)
        self.assertEqual(broker.stop(), 0)

    def test_help_and_version(self):
        for program in ("steled", "stele"):
            for option in ("--help", "--version"):
                done = subprocess.run([harness.program(program), option], stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE, timeout=harness.PATIENCE)
                self.assertEqual((done.returncode, done.stderr), (0, b""))
                self.assertIn(program.encode(), done.stdout)


if __name__ == "__main__":
    harness.main()
