# Texts, numbers and times of every kind, from a line of JSON to what a person sees
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import csv
import io
import json
import os
import pty
import sqlite3
import subprocess

import harness
from client import changed, command, created, metric, output, started

#   What a terminal obeys, or what hides or reorders text
OBEYED = ([chr(code) for code in range(0x20) if chr(code) not in "\r\n\t"] + ["\x7f"]
          + [chr(code) for code in range(0x80, 0xa0)]
          + list("\u200b\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"))


class Text(harness.BrokerTest):
    use_redis = False

    def json(self, *arguments, **options):
        return [json.loads(line) for line in self.stele("--json", *arguments, **options).splitlines()]

    def text(self, *arguments, **options):
        return self.stele(*arguments, **options).decode()

    def at_a_terminal(self, *arguments):
        """What the command line writes to a terminal, without its progress on stderr."""
        ours, theirs = pty.openpty()
        process = subprocess.Popen([harness.program("stele"), *arguments], stdin=theirs, stdout=theirs,
                                   stderr=subprocess.DEVNULL, env=self.broker.environment())
        os.close(theirs)
        shown = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:             # The other side is closed
                break
            if not part:
                break
            shown += part
        os.close(ours)
        self.assertEqual(process.wait(harness.PATIENCE), 0, shown)
        return shown.decode()

    def assert_harmless(self, shown, what):
        found = [char for char in OBEYED if char in shown]
        self.assertEqual(found, [], "%s: %.500r" % (what, shown))

    #   Lines that are not events

    def test_lines_that_are_not_events_are_kept_as_they_came(self):
        task, path = self.name("task"), os.path.join(self.folder, self.name("rejects"))
        bad = [('{"type":"task.created","task_id":"x","title":"cut \\ud83d"}', "unpaired surrogate \\ud83d at byte 51"),
               ('{"type":"task.metric_recorded","task_id":"x","value":NaN}', "NaN at byte 54"),
               ("[1,2]", "map"), ('{"a":1,}', "not JSON"), ("x\tNUL \0", "not JSON")]
        lines = [json.dumps(created(task)).encode()] + [line.encode() for line, _ in bad] + [b"\xff\xfe"]
        counts, = self.json("publish", "--rejects", path, input=b"\n".join(lines), status=os.EX_DATAERR)
        self.assertEqual((counts["accepted"], counts["bad_lines"]), (1, len(bad) + 1))
        with open(path) as file:
            kept = [json.loads(line) for line in file]
        self.assertEqual([line["line"] for line in kept], list(range(2, len(bad) + 3)))
        for line, (text, reason) in zip(kept, bad):
            self.assertEqual(line["text"], text)
            self.assertIn(reason, line["reason"])
        self.assertEqual(kept[-1]["text"], {"$bin": "//4="})
        self.assertIn("0xff is not UTF-8", kept[-1]["reason"])
        for number in range(2, len(bad) + 3):
            self.assertIn("line %d:" % number, self.stderr)
        #   A second input is appended
        self.stele("import", "--rejects", path, input=b"{no\n", status=os.EX_DATAERR)
        with open(path) as file:
            self.assertEqual(json.loads(file.readlines()[-1])["text"], "{no")

    def test_lines_that_only_break_a_rule_are_kept_with_a_spool(self):
        path = os.path.join(self.folder, self.name("rejects"))
        spool = os.path.join(self.folder, self.name("spool"))
        line = json.dumps({"type": "no.such"})
        self.stele("publish", "--spool", spool, "--rejects", path, input=line.encode() + b"\n", status=os.EX_DATAERR)
        with open(path) as file:
            self.assertEqual(json.loads(file.read())["text"], line)

    def test_rejects_are_checked_before_anything_is_published(self):
        path = os.path.join(self.folder, self.name("input"))
        with open(path, "w") as file:
            file.write(json.dumps(created(self.name("task"))) + "\n{bad\n")
        head = self.ask("ping")["position"]
        self.stele("publish", "--rejects", path, path, status=os.EX_USAGE)
        self.assertIn("the input itself", self.stderr)
        self.stele("publish", "--rejects", "/no/such/folder/rejects", path, status=os.EX_CANTCREAT)
        self.assertIn("/no/such/folder/rejects", self.stderr)
        self.assertEqual(self.ask("ping")["position"], head)
        #   No refused line, no file
        rejects = os.path.join(self.folder, self.name("none"))
        self.stele("publish", "--rejects", rejects, input=json.dumps(created(self.name("task"))).encode())
        self.assertFalse(os.path.exists(rejects))
        #   What cannot be kept ends the command
        self.stele("publish", "--rejects", "/dev/full", path, status=os.EX_IOERR)
        self.assertIn("line 2", self.stderr)

    #   Search

    SCRIPTS = {
        "zh": ("修复构建错误", ("构建", "修复", "错", '"构建"', "修复构建错误"), ("构错", "建构")),
        "ja": ("テストの失敗を直す", ("失敗", "テスト", "ストの", "直す"), ("失す",)),
        "ko": ("서버를 재빌드했다", ("빌드", "서버", "재빌드했다"), ("버서",)),
        "th": ("แก้ไขข้อผิดพลาด", ("ผิด", "แก้ไข", "ข้อผิดพลาด"), ("ไขแก้",)),
        "emoji": ("done🚀🎉 👩\u200d💻 ❤\ufe0f", ("🚀", "🎉", "🚀🎉", "💻", "❤", "👩\u200d💻"), ("🎉🚀", "🔥")),
        "hi": ("हिन्दी में काम", ("हिन्दी", "काम"), ("नाम",)),
        "ru": ("Ошибка сборки", ("ошибка", "СБОР"), ("борки",)),
        "mixed": ("fix修复v2 Café", ("修复", "fix", "fix修复", "修复v2", "cafe", "v2"), ("复修",)),
    }

    def assert_found(self):
        for name, (title, found, not_found) in self.SCRIPTS.items():
            for text in found + not_found:
                rows, = self.json("list", "--search", text)
                ids = [task["task_id"] for task in rows["tasks"]]
                self.assertEqual(self.name(name) in ids, text in found, (text, title, ids))

    def test_contains_finds_a_part_of_a_word(self):
        one, other = self.name("one"), self.name("other")
        self.producer().publish(created(one, title="Add 50%_Login"), created(other, title="Add 50xxlogin"))
        rows, = self.json("list", "--contains", "0%_log")
        self.assertEqual([task["task_id"] for task in rows["tasks"]], [one])
        self.assertEqual(self.json("list", "--contains", "0%_log", "--state", "failed")[0]["tasks"], [])

    def test_search_finds_what_people_type_in_their_scripts(self):
        peer = self.producer()
        peer.publish(*[created(self.name(name), title=title) for name, (title, _, _) in self.SCRIPTS.items()])
        position = self.ask("ping")["position"]
        self.assert_found()             # At the end of the log, without the index
        for start in range(0, 2000, 500):
            peer.publish(*[metric(self.name("other"), "n", number) for number in range(start, start + 500)])
        harness.wait_until(lambda: self.ask("stats")["search"]["position"] > position, "the index")
        self.assert_found()             # In the index

    def test_an_index_of_the_earlier_version_is_rebuilt(self):
        task = self.name("zh")
        peer = self.producer()
        peer.publish(created(task, title="修复构建错误"))
        for start in range(0, 1000, 500):
            peer.publish(*[metric(self.name("other"), "n", number) for number in range(start, start + 500)])
        head = self.ask("ping")["position"]
        self.broker.stop()
        #   As version 1 left it: complete, with Chinese texts as one word each
        path = self.broker.ledger + ".search"
        index = sqlite3.connect(path)
        identity = index.execute("SELECT value FROM meta WHERE key = 'ledger_id'").fetchone()[0]
        index.close()
        for suffix in ("", "-wal", "-shm"):
            if os.path.exists(path + suffix):
                os.unlink(path + suffix)
        index = sqlite3.connect(path)
        index.executescript("""
            CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY) STRICT, WITHOUT ROWID;
            CREATE VIRTUAL TABLE texts USING fts5 (text, content = '', detail = none, columnsize = 0,
                tokenize = 'unicode61 remove_diacritics 2');
            CREATE TABLE ids (first INTEGER NOT NULL, size INTEGER NOT NULL, keys BLOB NOT NULL,
                ids BLOB NOT NULL, PRIMARY KEY (first, size)) STRICT, WITHOUT ROWID;
            PRAGMA user_version = 1;""")
        index.execute("INSERT INTO meta VALUES ('position', ?), ('ledger_id', ?)", (head, identity))
        index.commit()
        index.close()
        self.start_broker()
        self._asker = None
        harness.wait_until(lambda: self.ask("stats")["search"]["lag_events"] < 512, "the index")
        rows, = self.json("list", "--search", "构建")
        self.assertIn(task, [row["task_id"] for row in rows["tasks"]])
        index = sqlite3.connect("file:%s?mode=ro" % path, uri=True)
        self.addCleanup(index.close)
        self.assertEqual(index.execute("PRAGMA user_version").fetchone(), (3,))

    #   Ids with NUL

    def test_ids_with_nul_are_shown_whole_and_can_be_asked_for(self):
        short = self.name("id")
        task, argument, shown = short + "\0b", short + "\\x00b", short + "\u2400b"
        literal = short + "\\x00b"
        self.producer().publish(created(short, title="short"), created(task, title="with nul"),
                                created(literal, title="literal"), metric(task, "m\0x", 1), metric(task, "m", 2),
                                output(task, "of nul"))
        self.assertIn("Task " + shown, self.text("get", argument))
        self.assertEqual(self.json("get", argument)[0]["task"]["task_id"], task)
        self.assertIn("literal", self.text("get", short + "\\x5cx00b"))
        self.assertIn("short", self.text("get", short))
        page = self.text("show", argument)
        self.assertIn("m\u2400x", page)
        self.assertIn("of nul", self.text("outputs", argument))
        self.assertIn(shown, self.text("list"))
        self.assertIn(shown, self.text("follow", "--after", "0", "-n", str(self.ask("ping")["position"])))
        rows = self.text("export", "--task", argument, "-").splitlines()
        self.assertEqual([json.loads(row)["task_id"] for row in rows], [task] * 4)
        rows = self.text("export", "--task", short, "-").splitlines()
        self.assertEqual([json.loads(row)["task_id"] for row in rows], [short])

    #   Numbers and times

    def test_numbers_are_shown_true(self):
        task, session = self.name("task"), self.name("session")
        values = [2 ** 64 - 1, 2 ** 53 + 1, -2 ** 63, float("nan"), float("inf"), float("-inf"), -0.0, 1e300, 0.1]
        shown = ["18446744073709551615", "9007199254740993", "-9223372036854775808", "NaN", "Infinity", "-Infinity",
                 "-0", "1e+300", "0.1"]
        in_json = [{"$uint": "18446744073709551615"}, 9007199254740993, -2 ** 63, {"$float": "NaN"},
                   {"$float": "Infinity"}, {"$float": "-Infinity"}, -0.0, 1e300, 0.1]
        position = self.producer().publish(
            created(task), *[metric(task, "m%d" % number, value) for number, value in enumerate(values)],
            started(session, task_id=task), command(session, "a", execution_time_ms=1e300),
            command(session, "b", execution_time_ms=-5000), command(session, "c", execution_time_ms=2 ** 64 - 1))
        table = [line.split()[-1] for line in self.text("metrics", task).splitlines()[1:]]
        self.assertEqual(table, shown)
        self.assertEqual([row["value"] for row in self.json("metrics", task)[0]["metrics"]], in_json)
        self.assertEqual([row["value"] for row in self.json("show", task)[0]["metrics"]], in_json[::-1])
        page = self.text("show", task)
        lines = {line.split()[0]: line.split()[-1] for line in page.splitlines() if line.startswith("  m")}
        self.assertEqual([lines["m%d" % number] for number in range(len(values))], shown)
        followed = self.text("follow", "--after", str(position - 4 - len(values)), "-n", str(len(values)))
        self.assertEqual([line.split()[-1] for line in followed.splitlines()], shown)
        path = os.path.join(self.folder, self.name("csv"))
        self.stele("export", "--table", "task_metrics", "--format", "csv", "--task", task, path)
        with open(path, newline="") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual([row["value"] for row in rows],
                         shown[:6] + ["-0.0", "1e+300", "0.1"])
        commands = self.text("sessions", session)
        for duration in ("1e+297 s", "-5.00 s", "1.84e+16 s"):
            self.assertIn(duration, commands)

    def test_years_have_four_digits(self):
        task = self.name("task")
        self.stele("publish", input=json.dumps(dict(created(task), time="0999-06-01T00:00:00Z")).encode())
        self.assertIn("0999-06-01T00:00:00Z", self.text("get", task))
        self.assertIn("0999-06-01T00:00:00Z", self.text("list", "--to", "1000-01-01"))
        self.assertEqual(self.json("get", task)[0]["task"]["created_at"], "0999-06-01T00:00:00.000000Z")
        self.assertIn("0999-06-01T00:00:00Z", self.text("history", task))

    #   Terminals and spreadsheets

    def test_nothing_that_a_terminal_obeys_reaches_it(self):
        task, hostile = self.name("task"), "".join(OBEYED)
        position = self.producer().publish(
            created(task, title=hostile, description=hostile, metadata={hostile[1:]: hostile}), changed(task, "running"),
            output(task, hostile), metric(task, hostile, 1), changed(task, "failed", error_message=hostile))
        for arguments in (["get", task], ["show", task], ["history", task], ["outputs", task], ["metrics", task],
                          ["follow", "--after", str(position - 5), "-n", "5"], ["list", "--search", "task"]):
            self.assert_harmless(self.text(*arguments), arguments)
            shown = self.stele("--json", *arguments).decode()
            self.assert_harmless(shown, arguments)
            self.assert_harmless(self.at_a_terminal("--json", *arguments), arguments)
        answer, = self.json("get", task)
        self.assertEqual(answer["task"]["title"], hostile)      # Escaped is not changed
        self.assertEqual(answer["task"]["metadata"], {hostile[1:]: hostile})
        for arguments in (["replay"], ["export", "-"], ["export", "--table", "tasks", "-"],
                          ["export", "--table", "tasks", "--format", "csv", "-"]):
            self.assert_harmless(self.at_a_terminal(*arguments), arguments)
        #   A file, and what is asked for raw, is as it was sent
        rows = list(csv.DictReader(io.StringIO(self.text(
            "export", "--table", "tasks", "--format", "csv", "--task", task, "-").replace("\0", "NUL"), newline="")))
        self.assertEqual(rows[0]["title"], hostile.replace("\0", "NUL"))
        self.assertEqual(self.text("outputs", "--raw", task), hostile)

    def test_csv_is_true_and_harmless_in_a_spreadsheet_on_request(self):
        task = self.name("task")
        self.producer().publish(created(task, title='=HYPERLINK("http://x")', description="-1+2"))
        arguments = ["export", "--table", "tasks", "--format", "csv", "--task", task]
        row, = csv.DictReader(io.StringIO(self.text(*arguments, "-"), newline=""))
        self.assertEqual((row["title"], row["description"]), ('=HYPERLINK("http://x")', "-1+2"))
        row, = csv.DictReader(io.StringIO(self.text(*arguments, "--spreadsheet", "-"), newline=""))
        self.assertEqual((row["title"], row["description"]), ('\'=HYPERLINK("http://x")', "'-1+2"))
        self.stele("export", "--spreadsheet", "-", status=os.EX_USAGE)
        self.assertIn("--format csv", self.stderr)

    #   The ledger itself

    def test_compressed_texts_are_read_with_the_extension(self):
        texts = ["short", "a longer text that repeats, " * 200, "\u4fee\u590d " * 500]
        contents = texts + [b"\0\1\2 bytes " * 300]
        task = self.name("task")
        peer = self.producer()
        peer.publish(created(task), *[output(task, content) for content in contents],
                     changed(task, "running"), changed(task, "failed", error_message=texts[1]))
        #   Enough texts for a dictionary
        for number in range(0, 3000, 500):
            peer.publish(*[output(task, "output %d of the build step number %d, which prints some lines" % (n, n % 7) * 3)
                           for n in range(number, number + 500)])
        self.assertGreater(self.rows("SELECT count(*) FROM dictionaries")[0][0], 0)
        rows = self.rows("SELECT stele_text (o.content, o.encoding), v.content, v.encoding FROM task_outputs o "
                         "JOIN task_outputs_view v USING (position) WHERE v.task_id = ? ORDER BY position", task)
        self.assertEqual([row[0] for row in rows[:4]], contents)
        self.assertEqual([row[1] for row in rows[1:4]], [None] * 3)
        self.assertEqual([row[2] for row in rows[:4]], ["plain", "zstd", "zstd", "zstd"])
        self.assertEqual([row[0] for row in rows[4:]],
                         ["output %d of the build step number %d, which prints some lines" % (n, n % 7) * 3
                          for n in range(3000)])
        errors = self.rows("SELECT stele_text (error_message) FROM history_plain WHERE task_id = ? "
                           "AND error_message IS NOT NULL", task)
        self.assertEqual(errors, [[texts[1]]])
        self.assertEqual(self.rows("SELECT stele_text (NULL), stele_text (7), stele_text ('t')"), [[None, 7, "t"]])
        for damaged in (b"", b"no frame", b"\x28\xb5\x2f\xfd\x20\x05"):
            with self.assertRaises(subprocess.CalledProcessError) as caught:
                self.rows("SELECT stele_text (x'%s')" % damaged.hex())
            self.assertEqual(caught.exception.returncode, 1)
            self.assertIn(b"stele_text", caught.exception.stderr)

    def rows(self, sql, *parameter):
        """Rows of a query of SQLite with the extension."""
        folder = os.path.dirname(harness.program("stele"))
        values = {"-": lambda text: None, "i": lambda text: int(bytes.fromhex(text)),
                  "t": lambda text: bytes.fromhex(text).decode(), "b": bytes.fromhex}
        printed = subprocess.run([os.path.join(folder, "tests", "integration", "sqlite_rows"), self.broker.ledger,
                                  os.path.join(folder, ".libs", "stele_sqlite"), sql, *parameter],
                                 check=True, capture_output=True).stdout.decode()
        return [[values[value[0]](value[1:]) for value in line.split(" ")] for line in printed.splitlines()]

    def test_a_cut_cell_says_so(self):
        task = self.name("task")
        self.producer().publish(created(task, title="x" * 1000))
        row, = [line for line in self.at_a_terminal("list").splitlines() if line.startswith(task[:10])]
        self.assertTrue(row.rstrip().endswith("xxx\u2026"), row)
        self.producer().publish(output(task, "\nfirst\r\nsecond\n"), output(task, "only\n"))
        self.assertEqual([row.split("  ")[-1] for row in self.text("outputs", task).splitlines()[1:]],
                         ["first \u2026", "only"])

    def test_reals_in_maps_keep_their_digits(self):
        task = self.name("task")
        self.producer().publish(created(task, metadata={"short": 0.1, "long": 0.1 + 0.2}))
        answer, = self.json("show", task)
        self.assertEqual(answer["task"]["metadata"], {"short": 0.1, "long": 0.1 + 0.2})
        self.assertIn("0.30000000000000004", self.text("get", task))

    def test_a_field_that_is_too_long_is_named_with_its_limit(self):
        event = created(self.name("task"), title="x" * 1025)
        self.stele("publish", input=json.dumps(event).encode(), status=os.EX_DATAERR)
        self.assertIn("line 1: too_large: title has 1025 bytes, the limit is 1024", self.stderr)


class Ids(harness.BrokerTest):
    use_redis = False

    def test_id_with_a_nul_is_found_as_it_is_shown(self):
        for number, task in enumerate(("a\0b", "a\u2400b", "a\\u0000b", "a\\x00b")):
            self.producer(self.name("p%d" % number)).publish(dict(created(task), title="title %d" % number))
        #   On screen, in JSON, and as it always was
        for argument, number in (("a\u2400b", 0), ("a\\u0000b", 0), ("a\\x00b", 0), ("a\\xe2\udc90\udc80b", 1),
                                 ("a\\x5cu0000b", 2), ("a\\x5cx00b", 3)):
            self.assertIn(b"title %d" % number, self.stele("get", argument), argument)


if __name__ == "__main__":
    harness.main()
