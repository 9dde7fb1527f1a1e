# postgres - a primary of PostgreSQL and its synchronous standby, in private folders
#
# The servers run as an unprivileged user, listen on a unix socket only, and end with the test.
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import threading
import time

import harness

SETTINGS = """
listen_addresses = ''
unix_socket_directories = '%s'
shared_buffers = 16MB
max_connections = 40
min_wal_size = 4MB
wal_init_zero = off
autovacuum = off
hot_standby = on
wal_receiver_status_interval = 1s
wal_retrieve_retry_interval = 50ms
max_standby_streaming_delay = -1
timezone = 'UTC'
"""


def folder_of_programs():
    """The newest version that is installed. These tests fail without one: apt-get install postgresql."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"), key=lambda path: float(path.split("/")[4]))
    if not found:
        raise AssertionError("no PostgreSQL in /usr/lib/postgresql: apt-get install postgresql")
    return os.path.dirname(found[-1])


def unprivileged():
    """The start of a command that runs as a user that PostgreSQL accepts, and ends with this process."""
    command = ["setpriv", "--pdeathsig", "QUIT"]
    if os.geteuid() == 0:
        user = pwd.getpwnam("nobody")
        command += ["--reuid", str(user.pw_uid), "--regid", str(user.pw_gid), "--clear-groups"]
    return command


def run(folder, *command):
    """Run one of the programs to its end; returns what it printed."""
    done = subprocess.run(unprivileged() + [os.path.join(folder_of_programs(), command[0])] + list(command[1:]),
                          cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=harness.PATIENCE,
                          universal_newlines=True)
    if done.returncode:
        raise AssertionError("%s: %s" % (" ".join(command), done.stderr))
    return done.stdout.rstrip("\n")


def own(path):
    """Give a path that this process has made to the user of the servers."""
    if os.geteuid() == 0:
        user = pwd.getpwnam("nobody")
        os.chown(path, user.pw_uid, user.pw_gid)


class Server:
    def __init__(self, folder, name):
        self.folder = os.path.join(folder, name)
        self.data = os.path.join(self.folder, "data")
        self.process = None
        os.mkdir(self.folder)
        own(self.folder)

    def url(self, options=""):
        return "postgres:host=%s user=postgres dbname=postgres %s" % (self.folder, options)

    def configure(self, **settings):
        """Set some, and let a running server read them."""
        with open(os.path.join(self.data, "postgresql.auto.conf"), "a") as file:
            for name, value in settings.items():
                file.write("%s = '%s'\n" % (name, value))
        if self.process:
            self.sql("SELECT pg_reload_conf()")
            for name, value in settings.items():
                harness.wait_until(lambda: self.sql("SHOW " + name) == value, "%s = '%s'" % (name, value))

    def start(self):
        self.process = harness.Process(unprivileged() + [os.path.join(folder_of_programs(), "postgres"), "-D", self.data])
        self.process.wait_line("ready to accept")

    def psql(self, statement):
        return [os.path.join(folder_of_programs(), "psql"), "-XAtq", "-h", self.folder, "-U", "postgres", "-d", "postgres",
                "-v", "ON_ERROR_STOP=1", "-c", statement]

    def sql(self, statement):
        return run(self.folder, *self.psql(statement))

    def processes(self):
        with open("/proc/%d/task/%d/children" % (self.process.child.pid, self.process.child.pid)) as file:
            return [int(pid) for pid in file.read().split()]

    def kill(self):
        """All of its processes end at once, as in a crash of the machine."""
        self.process.signal(signal.SIGSTOP)
        for pid in self.processes():
            os.kill(pid, signal.SIGKILL)
        self.process.kill()
        self.process = None

    def stop(self):
        if self.process:
            self.process.signal(signal.SIGINT)
            self.process.wait()
            self.process = None


class Pair:
    """A primary and its synchronous standby."""

    def __init__(self):
        self.root = harness.temporary_folder()
        os.chmod(self.root, 0o755)
        self.primary = Server(self.root, "a")
        run(self.primary.folder, "initdb", "-D", self.primary.data, "-U", "postgres", "-A", "trust", "-E", "UTF8",
            "--locale=C", "--no-sync", "--wal-segsize=1")
        with open(os.path.join(self.primary.data, "postgresql.conf"), "a") as file:
            file.write(SETTINGS % self.primary.folder)
        self.primary.start()
        self.standby = Server(self.root, "b")
        run(self.primary.folder, "pg_basebackup", "-D", self.standby.data, "-h", self.primary.folder, "-U", "postgres",
            "-c", "fast", "--no-sync", "-R")
        with open(os.path.join(self.standby.data, "postgresql.conf"), "a") as file:
            file.write("unix_socket_directories = '%s'\n" % self.standby.folder)
        self.standby.configure(primary_conninfo="host=%s user=postgres application_name=standby" % self.primary.folder)
        self.standby.start()
        self.primary.configure(synchronous_standby_names="standby")
        self.await_replication()

    def await_replication(self):
        harness.wait_until(lambda: self.primary.sql("SELECT sync_state FROM pg_stat_replication") == "sync",
                           "a synchronous standby")

    def promote(self):
        """The standby becomes the primary, without a standby of its own."""
        self.standby.sql("SELECT pg_promote()")
        self.standby.configure(synchronous_standby_names="")
        self.primary, self.standby = self.standby, self.primary

    def close(self):
        for server in (self.standby, self.primary):
            server.stop()
        shutil.rmtree(self.root)


class Proxy:
    """Passes on the bytes between clients and a server; a test holds answers back, or cuts it."""

    def __init__(self, server, name="proxy"):
        self.server = server
        self.folder = os.path.join(os.path.dirname(server.folder), name)
        os.mkdir(self.folder)
        self.answers = threading.Event()    # Cleared: bytes of the server are held back
        self.answers.set()
        self.held = threading.Event()       # Some were
        self.pause_s = 0                    # After each 64 KiB of the server
        self.hold_from = None               # As soon as a client sends these bytes, such as the name of a statement
        self.lock = threading.Lock()        # Of both lists
        self.peers, self.threads = [], []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(os.path.join(self.folder, ".s.PGSQL.5432"))
        self.listener.listen()
        self.acceptor = threading.Thread(target=self._accept, daemon=True)
        self.acceptor.start()

    def url(self, options=""):
        return "postgres:host=%s user=postgres dbname=postgres %s" % (self.folder, options)

    def _accept(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            try:
                server.connect(os.path.join(self.server.folder, ".s.PGSQL.5432"))
            except OSError:                 # It is not there: the client loses its connection, as without a proxy
                client.close()
                server.close()
                continue
            with self.lock:
                self.peers += [client, server]
                for arguments in ((client, server, False), (server, client, True)):
                    self.threads.append(threading.Thread(target=self._pass, args=arguments, daemon=True))
                    self.threads[-1].start()

    def _pass(self, source, target, from_server):
        passed = 0
        try:
            while True:
                data = source.recv(65536)
                if not data:
                    break
                if not from_server and self.hold_from and self.hold_from in data:
                    self.hold_from = None
                    self.answers.clear()
                if from_server and not self.answers.is_set():
                    self.held.set()
                    self.answers.wait()
                target.sendall(data)
                passed += len(data)
                if from_server and self.pause_s and passed >= 65536:
                    passed = 0
                    time.sleep(self.pause_s)
        except OSError:
            pass
        for peer in (source, target):
            try:
                peer.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        """End all connections; what is held back is lost. A client may be back before this returns."""
        with self.lock:
            peers, self.peers = self.peers, []
            threads, self.threads = self.threads, []
            for peer in peers:
                try:
                    peer.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
            self.held.clear()
            self.answers.set()
        for thread in threads:
            thread.join(harness.PATIENCE)
        for peer in peers:
            peer.close()

    def close(self):
        if self.listener.fileno() < 0:
            return
        self.listener.shutdown(socket.SHUT_RDWR)
        self.acceptor.join(harness.PATIENCE)
        self.listener.close()
        self.cut()
