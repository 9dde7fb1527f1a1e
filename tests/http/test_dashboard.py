# The dashboard as it is served: its files, their size and hashes, what a client without a token gets, statistics on the stream
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

import gzip
import hashlib
import os
import posixpath
import re
import subprocess
import time
import unittest

import harness
import web
import test_tokens

SOURCE = os.path.join(harness.SRC, "src", "http", "dashboard")
SIZE_MAX = 75 * 1000                # Bytes of all files over the wire
IMPORT = re.compile(rb"""(?:\bfrom\s*|\bimport\s*\(\s*|\bnew URL\s*\(\s*)["'](\.{1,2}/[^"']+)["']""")


def source(name):
    with open(os.path.join(SOURCE, name), "rb") as file:
        return file.read()


def modules():
    """The modules that are joined into app/main.js."""
    return sorted("%s/%s" % (folder, name) for folder in ("app", "pages") for name in os.listdir(os.path.join(SOURCE, folder))
                  if name.endswith(".js") and name not in ("live_worker.js", "live_stream.js"))


SERVED = ["app/main.js", "app/style.css", "app/live_worker.js", "app/live_stream.js", "vendor/preact.mjs", "vendor/hooks.mjs",
          "vendor/htm.mjs", "vendor/uPlot.iife.min.js", "vendor/uPlot.min.css"]


class Dashboard(web.WebTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        peer = web.WebTest()
        peer.http = cls.http
        cls.page = peer.get("/")
        cls.version = re.search(rb'src="ui/([0-9a-f]{16})/app/main.js"', cls.page.body).group(1).decode()

    def file(self, name, status=200, **more):
        return self.get("/ui/%s/%s" % (self.version, name), status, **more)

    def test_page_loads_only_its_own_files(self):
        policy = self.page.headers["content-security-policy"]
        self.assertEqual([rule for rule in policy.split("; ") if rule.startswith(("default-src", "script-src"))],
                         ["default-src 'none'", "script-src 'self'"])
        self.assertNotIn("unsafe", policy)
        self.assertIn("frame-ancestors 'none'", policy)
        self.assertEqual(self.page.headers["content-type"], "text/html; charset=utf-8")
        for text in re.findall(rb'(?:src|href)="([^"]*)"', self.page.body):
            self.assertTrue(text.startswith((b"ui/", b"data:image/svg+xml,")), text)
        self.assertNotIn(b"@VERSION@", self.page.body)

    def test_every_file_is_served_and_what_it_imports(self):
        for name in SERVED:
            with self.subTest(name):
                answer = self.file(name)
                self.assertIn("immutable", answer.headers["cache-control"])
                kind = "text/css" if name.endswith(".css") else "text/javascript"
                self.assertEqual(answer.headers["content-type"], kind + "; charset=utf-8")
                self.assertIn("script-src 'self'", answer.headers["content-security-policy"])
                for target in IMPORT.findall(answer.body):
                    path = posixpath.normpath(posixpath.join("/ui", self.version, posixpath.dirname(name), target.decode()))
                    if path != "/v1/stream":
                        self.get(path)

    def test_every_module_is_in_what_is_served(self):
        main = self.file("app/main.js").body.decode().splitlines()
        bare = lambda line: re.sub(r" +|//.*$", "", line)       # Which spaces are left out is tested below
        for name in modules():
            code = [line.strip(" ") for line in source(name).decode().splitlines()]
            code = [re.sub(r"^export (default )?", "", line) for line in code if line and not line.startswith(("//", "import ", "export {", "export *"))
                    and "import(\"../" not in line]
            start = main.index('M["%s"]=(()=>{' % name)
            inside = {bare(line) for line in main[start + 1:] if not line.startswith("const $default")}
            missing = [line for line in code if bare(line) not in inside and "from " not in line]
            self.assertEqual(missing, [], name)

    def join(self, text):
        """What join.awk makes of a module with this text."""
        folder = os.path.join(self.folder, "app")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "one.js"), "w") as file:
            file.write(text)
        awk = ["awk", "-v", "folder=" + self.folder]
        for name in ("squeeze.awk", "join.awk"):
            awk += ["-f", os.path.join(SOURCE, name)]
        return subprocess.run(awk + ["app/one.js"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=harness.PATIENCE)

    def test_only_spaces_that_nothing_needs_are_left_out(self):
        lines = [
            ("const a = b ? [c, d] : { e: f };", "const a=b?[c,d]:{e:f};"),
            ("return x in y && typeof z;    // words", "return x in y&&typeof z;"),
            ("return a + +b - -c + ++d - --e;", "return a+ +b- -c+ ++d- --e;"),
            ("} else if (a)", "} else if(a)"),
            ('f("a = b", \'c  , d\', "\\" = ");', 'f("a = b",\'c  , d\',"\\" = ");'),
            ("x = `a , b ${c + `${d ? `e , f` : { g: h }} , i`} , \\` j`;", "x=`a , b ${c+`${d?`e , f`:{g:h}} , i`} , \\` j`;"),
            ("x = `a , b ${c", "x=`a , b ${c"),
            ("+ d} , e", "+d} , e"),
            ("f } , ` + g;", "f } , `+g;"),
            ("x = / = [/ ]+ \\/ /g.test(a / b / c);", "x=/ = [/ ]+ \\/ /g.test(a/ b/ c);"),
            ("return / = /.test(a) ? 1 / 2 : (3) / 4; // x / y", "return/ = /.test(a)?1/ 2:(3)/ 4;"),
            ("f = (a) => / x  , y/.test(a);", "f=(a)=>/ x  , y/.test(a);"),
            ('const url = "https://a.invalid/ = b"; // c', 'const url="https://a.invalid/ = b";')]
        done = self.join("".join(line + "\n" for line, _ in lines))
        self.assertEqual(done.stderr, b"")
        self.assertEqual(done.stdout.decode().splitlines()[2:-1], [expected for _, expected in lines])

    def test_libraries_are_served_as_they_are(self):
        for name in SERVED:
            if name.startswith("vendor/"):
                expected = re.sub(rb"//# sourceMappingURL=.*\n", b"", source(name).replace(b'from"preact"', b'from"./preact.mjs"'))
                self.assertEqual(self.file(name).body, expected, name)

    def test_unknown_form_of_export_is_refused(self):
        for line, why in (("export let x = 1;", "does not read this form"), ('import { x } from "./none.js";', "not among the files before")):
            done = self.join(line + "\n")
            self.assertEqual(done.returncode, 1)
            self.assertIn(why, done.stderr.decode())

    def test_all_of_it_is_small_over_the_wire(self):
        sizes = {name: len(self.file(name, headers={"Accept-Encoding": "gzip"}).body) for name in SERVED}
        sizes["/"] = len(self.get("/", headers={"Accept-Encoding": "gzip"}).body)
        self.assertLess(sum(sizes.values()), SIZE_MAX, sizes)

    def test_compressed_and_plain_are_the_same(self):
        packed = self.get("/", headers={"Accept-Encoding": "gzip"})
        self.assertEqual((packed.headers["content-encoding"], packed.headers["vary"]), ("gzip", "Accept-Encoding"))
        self.assertEqual(gzip.decompress(packed.body), self.page.body)
        self.assertNotIn("content-encoding", self.page.headers)
        head = self.request("HEAD", "/")
        self.assertEqual((head.status, head.body, head.headers["content-length"]), (200, b"", str(len(self.page.body))))

    def test_page_is_revalidated(self):
        tag = self.page.headers["etag"]
        self.assertEqual(self.page.headers["cache-control"], "no-cache")
        self.assertEqual(self.get("/", 304, headers={"If-None-Match": tag}).body, b"")
        self.get("/", 200, headers={"If-None-Match": 'W/"other"'})

    def test_files_of_another_version_and_others_do_not_exist(self):
        for path in ("/ui/0123456789abcdef/app/main.js", "/ui/%s/app/none.js" % self.version, "/ui/%s/app/.." % self.version,
                     "/ui/%s/vendor/LICENSE.htm" % self.version, "/ui/%s/a%%2Fb/c" % self.version, "/ui"):
            answer = self.request("GET", path)
            self.assertIn(answer.status, (400, 404), path)
            self.assertNotIn("immutable", answer.headers.get("cache-control", ""))

    def test_vendored_files_are_those_of_their_packages(self):
        listed = dict(reversed(line.split("  ")) for line in source("vendor/SHA256SUMS").decode().splitlines())
        vendored = set(os.listdir(os.path.join(SOURCE, "vendor"))) - {"README", "SHA256SUMS"}
        self.assertEqual(set(listed), vendored)
        for name, expected in listed.items():
            self.assertEqual(hashlib.sha256(source("vendor/" + name)).hexdigest(), expected, name)
        for name in vendored:
            self.assertIn(name, source("vendor/README").decode())

    def test_no_text_becomes_markup(self):
        for name in modules() + ["app/live_worker.js"]:
            for word in (b"innerHTML", b"outerHTML", b"insertAdjacentHTML", b"document.write", b"dangerously", b"eval(", b"new Function"):
                self.assertNotIn(word, source(name), name)

    def test_session_without_tokens_may_do_everything(self):
        session = self.get("/v1/session").json()
        self.assertEqual(session, {"name": "local", "tokens": False, "bound": False, "roles": ["metrics", "query", "publish", "operate", "admin"]})

    #   -- statistics on the stream

    def stream(self, path="/v1/stream?view=tasks&stats=true"):
        stream = web.Stream(self.http.port, path)
        self.addCleanup(stream.close)
        return stream

    def next_stats(self, stream, passes=lambda data: True):
        while True:
            event, data = stream.next()
            if event == "stats" and passes(data):
                return data

    def test_stream_brings_the_statistics(self):
        self.post("/v1/events", {"producer": "stats", "events": [
            {"type": "task.created", "task_id": "s%d" % i, "title": "t", "description": "", "role": "r%d" % i} for i in range(40)]})
        expected = self.get("/v1/stats").json()
        data = self.next_stats(self.stream(), lambda data: data["stats"]["position"] >= expected["position"])
        self.assertEqual(data["stats"]["tasks"]["by_state"], expected["tasks"]["by_state"])
        self.assertEqual(data["stats"]["tasks"]["total"], expected["tasks"]["total"])
        self.assertEqual(len(data["stats"]["tasks"]["by_role"]), 30)
        self.assertNotIn("producers", data["stats"])
        #   Of two moments: they are the same as soon as nothing changes in between
        codes = lambda findings: [one["code"] for one in findings]
        stream = self.stream()
        harness.wait_until(lambda: codes(self.next_stats(stream)["findings"]) == codes(self.request("GET", "/readyz").json()["findings"]),
                           "the same findings")

    def test_many_streams_cost_as_much_as_one(self):
        asked = lambda: self.ask("stats")["requests"]["by_op"].get("stats", {}).get("count", 0)
        streams = [self.stream() for _ in range(40)]
        for stream in streams:
            self.next_stats(stream)
        before, began = asked(), time.monotonic()
        for stream in streams:
            for _ in range(2):
                self.next_stats(stream)
        #   80 messages, of which each stream had at most one per second: were they asked for apart, these would be 80 requests.
        #   Of a test that is slow itself, one per second
        self.assertLess(asked() - before, 40 + time.monotonic() - began)

    def test_stream_without_it_has_none(self):
        stream = self.stream("/v1/stream")
        self.next_stats(self.stream())
        self.post("/v1/events", {"producer": "none", "events": [{"type": "preference.set", "user_id": "u", "preferred_model": "m"}]})
        self.assertEqual([stream.next()[0] for _ in range(2)], ["hello", "message"])


class WithoutBroker(web.WebTest):
    with_broker = False

    def test_page_is_served_and_the_stream_tells_what_is_wrong(self):
        self.get("/")
        self.get("/v1/session")
        stream = web.Stream(self.http.port, "/v1/stream?view=tasks&stats=true")
        self.addCleanup(stream.close)
        event, data = stream.next()     # Without a broker, there is no hello
        self.assertEqual((event, data["stats"], [one["code"] for one in data["findings"]]), ("stats", None, ["not_running"]))


class WithTokens(test_tokens.TokensTest):
    def test_page_needs_no_token_and_data_does(self):
        page = self.get("/").body.decode()
        for path in re.findall(r'(?:src|href)="(ui/[^"]*)"', page):
            self.get("/" + path)
        for path in ("/v1/session", "/v1/tasks", "/v1/stream", "/v1/stats"):
            self.get(path, 401)

    def test_session_names_the_roles_of_its_token(self):
        self.assertEqual(self.read("reader", "/v1/session").json(),
                         {"name": "reader", "tokens": True, "bound": False, "roles": ["metrics", "query"]})
        self.assertEqual(self.read("ann", "/v1/session").json()["bound"], True)
        begun = self.as_("root", "POST", "/v1/session")
        self.assertEqual(begun.json()["roles"], ["metrics", "query", "publish", "operate", "admin"])
        cookie = begun.headers["set-cookie"].split(";")[0]
        fields = {"Cookie": cookie, "Sec-Fetch-Site": "same-origin"}
        for _ in range(2):              # To ask does not end it
            self.assertEqual(self.get("/v1/session", headers=fields).json()["name"], "root")

    def test_statistics_are_not_for_tokens_bound_to_users(self):
        problem = self.read("ann", "/v1/stream?view=tasks&stats=true", 403).json()
        self.assertEqual((problem["code"], problem["field"]), ("unauthorized", "stats"))
        stream = web.Stream(self.http.port, "/v1/stream?stats=true", headers=self.bearer("reader"))
        self.addCleanup(stream.close)
        while stream.next()[0] != "stats":
            pass

    def test_role_metrics_has_a_stream_of_the_statistics_alone(self):
        self.read("meter", "/v1/stream?stats=true", 403)
        stream = web.Stream(self.http.port, "/v1/stream/stats", headers=self.bearer("meter"))
        self.addCleanup(stream.close)
        for _ in range(2):
            event, data = stream.next()
            self.assertEqual(event, "stats")
            self.assertIn("by_state", data["stats"]["tasks"])
        self.assertEqual(self.read("ann", "/v1/stream/stats", 403).json()["field"], "stats")
        self.assertEqual(self.read("writer", "/v1/stream/stats", 403).json()["code"], "unauthorized")
        self.read("meter", "/v1/stream/stats?after=1", 400)



if __name__ == "__main__":
    unittest.main(verbosity=2)
