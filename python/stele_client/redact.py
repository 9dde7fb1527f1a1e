"""Mask secrets in events before they leave this process.

    redactor = stele.Redactor(key=os.environb[b"MY_REDACTION_KEY"])
    with stele.Publisher("build-farm", redact=redactor) as publisher:
        ...

The broker masks what it receives (redact in steled.conf); this is for secrets that must not leave
the producer. Rules are those of redact.rules, which is installed with Stele and describes its form,
compiled with the module re. The work of a regex is not bounded here as it is in the broker: use rules that
you trust.
"""
#
# This Source Code Form is subject to the terms of the Mozilla Public
# License, v. 2.0. If a copy of the MPL was not distributed with this
# file, You can obtain one at https://mozilla.org/MPL/2.0/.

from __future__ import annotations

import hmac
import math
import os
import re
from collections import Counter
from typing import Any, Dict, FrozenSet, Iterator, List, Mapping, NamedTuple, Optional, Tuple

RULES = ("/usr/local/share/stele/redact.rules", "/usr/share/stele/redact.rules")
MASK = "\u00abredacted:"
IDS = ("task_id", "session_id", "user_id", "parent_id")

_WORD = re.compile(rb"[A-Za-z0-9_]")
#   \n, \u0022, %3D and the colours of terminals do not belong to the word after them
_ESCAPE = re.compile(rb"(?:\\[nrtbfv0]|%[0-9A-Fa-f]{2}|\\u[0-9A-Za-z]{4}|\[[0-9;]{0,23}m)\Z")


class Rule(NamedTuple):
    id: str
    keywords: "re.Pattern[bytes]"
    regex: "re.Pattern[bytes]"
    back: int
    boundary: bool
    entropy: float
    names: FrozenSet[str]       # Of keys of maps; a rule with names has no keywords


def _keyword(value: str) -> bytes:
    if value.startswith('"'):
        value = re.sub(r"\\(.)", r"\1", value[1:-1] if value.endswith('"') else value[1:])
    if not 3 <= len(value.encode()) <= 64:
        raise ValueError("a keyword has 3 to 64 bytes")
    return re.escape(value.encode())


def _folded(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


def read_rules(text: str) -> Dict[str, Optional[Rule]]:
    """The rules of a file by id; None: not enabled. ValueError with the line."""
    sections: Dict[str, List[Tuple[str, str]]] = {}
    section: Optional[List[Tuple[str, str]]] = None
    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("[") and line.endswith("]"):
            section = sections[line[1:-1]] = []
            continue
        key, equals, value = line.partition("=")
        if section is None or not equals:
            raise ValueError("line %d: a line is [id], key = value, or a comment that begins with #" % number)
        section.append((key.strip(), value.strip()))
    return {id_: _rule(id_, pairs) for id_, pairs in sections.items()}


def _rule(id_: str, pairs: List[Tuple[str, str]]) -> Optional[Rule]:
    one = dict(pairs)
    if one.get("enabled", "yes") == "no":
        return None
    flags = re.IGNORECASE if one.get("case") == "ignore" else 0
    try:
        keywords = [_keyword(value) for key, value in pairs if key == "keyword"]
        names = frozenset(_folded(value) for key, value in pairs if key == "name")
        if not keywords and not names:
            raise ValueError("no keyword")
        return Rule(id_, re.compile(b"|".join(keywords), flags), re.compile(one["regex"].replace("\\z", "\\Z").encode(), flags),
                    int(one.get("back", 0)), one.get("boundary") == "yes" and not one.get("back"), float(one.get("entropy", 0)),
                    names)
    except (KeyError, ValueError, re.error) as cause:
        raise ValueError("rule %s: %s" % (id_, cause)) from None


def _entropy(secret: bytes) -> float:
    return -sum(n / len(secret) * math.log2(n / len(secret)) for n in Counter(secret).values())


class Redactor:
    """Call it with an event: it returns the event, or a copy with masks and the key 'redacted'.

    rules: more rule files, after the installed one (or instead of it, with installed=False).
    key: bytes that you keep secret: the same secret then has the same mask in every run. Without it,
    masks have no mark.
    """

    def __init__(self, *rules: str, key: Optional[bytes] = None, installed: bool = True) -> None:
        files = list(rules)
        if installed:
            found = [path for path in RULES if os.path.exists(path)]
            if not found:
                raise FileNotFoundError("no %s: give the path of redact.rules, with installed=False" % " or ".join(RULES))
            files.insert(0, found[0])
        merged: Dict[str, Optional[Rule]] = {}
        for path in files:
            with open(path, encoding="utf-8") as file:
                merged.update(read_rules(file.read()))
        self._rules = [rule for rule in merged.values() if rule and not rule.names]
        self._named = {name: rule for rule in merged.values() if rule for name in rule.names}
        self._key = key
        self._any = re.compile(b"|".join(rule.keywords.pattern for rule in self._rules), re.IGNORECASE)

    def _matches(self, rule: Rule, text: bytes) -> Iterator[Tuple[int, int, str]]:
        until = 0
        for place in rule.keywords.finditer(text):
            start = place.start()
            if start < until:
                continue
            if rule.boundary and start and _WORD.match(text, start - 1) and not _ESCAPE.search(text[max(0, start - 26):start]):
                continue
            found = rule.regex.search(text, max(until, start - rule.back)) if rule.back else rule.regex.match(text, start)
            if not found or (rule.back and found.start() > start):
                continue
            group = next((n for n in range(1, rule.regex.groups + 1) if found.group(n)), 0)
            if MASK.encode() in found.group(group) or _entropy(found.group(group)) < rule.entropy:
                continue
            until = found.end(group)
            yield found.start(group), until, rule.id

    def _find(self, text: bytes) -> List[Tuple[int, int, str]]:
        if not self._any.search(text):
            return []
        found = sorted((match for rule in self._rules for match in self._matches(rule, text)), key=lambda m: (m[0], -m[1]))
        kept: List[Tuple[int, int, str]] = []
        for start, end, rule in found:
            if kept and start < kept[-1][1]:
                kept[-1] = (kept[-1][0], max(end, kept[-1][1]), kept[-1][2])
            else:
                kept.append((start, end, rule))
        return kept

    def _mask(self, secret: bytes, rule: str) -> bytes:
        mark = ":" + hmac.new(self._key, secret, "sha256").hexdigest()[:8] if self._key else ""
        return ("%s%s%s\u00bb" % (MASK, rule, mark)).encode()

    def _whole(self, key: bytes, text: bytes, found: List[Tuple[int, int, str]]) -> List[Tuple[int, int, str]]:
        """The value of a key whose name a rule has: one secret in place of those in it"""
        rule = self._named.get(_folded(key.decode("utf-8", "replace"))) if key else None
        match = rule.regex.match(text) if rule and MASK.encode() not in text else None
        if not rule or not match:
            return found
        start, end = match.span(1) if rule.regex.groups and match.group(1) else match.span()
        return found if [one[:2] for one in found] == [(start, end)] else [(start, end, rule.id)]

    def _text(self, text: bytes, seen: Dict[str, int], key: bytes = b"") -> bytes:
        shift = len(key) + 1 if key and self._any.search(key) else 0
        out, done = [], 0
        found = [(max(0, start - shift), end - shift, rule)
                 for start, end, rule in self._find(key + b"=" + text if shift else text) if end > shift]
        for start, end, rule in self._whole(key, text, found):
            out += [text[done:start], self._mask(text[start:end], rule)]
            done = end
            seen[rule] = seen.get(rule, 0) + 1
        return b"".join(out) + text[done:] if out else text

    def _value(self, value: Any, seen: Dict[str, int], key: Any = "") -> Any:
        name = key.encode("utf-8", "surrogatepass") if isinstance(key, str) else b""
        if isinstance(value, str):
            data = value.encode("utf-8", "surrogatepass")
            masked = self._text(data, seen, name)
            return value if masked is data else masked.decode("utf-8", "surrogatepass")
        if isinstance(value, (bytes, bytearray)):
            return self._text(bytes(value), seen, name)
        if isinstance(value, Mapping):
            return {self._value(k, seen): self._value(v, seen, k) for k, v in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._value(one, seen) for one in value]
        return value

    def __call__(self, event: Mapping[str, Any]) -> Dict[str, Any]:
        """ValueError if a secret is in an id, which cannot be masked"""
        masked: Dict[str, Any] = {}
        listed: List[Dict[str, Any]] = []
        for field, value in event.items():
            seen: Dict[str, int] = {}
            masked[self._value(field, seen)] = self._value(value, seen, field)
            if seen and field in IDS:
                raise ValueError("%s contains a secret (rule %s), and an id cannot be masked" % (field, next(iter(seen))))
            listed += [{"field": field if not self._find(str(field).encode("utf-8", "surrogatepass")) else "(key)",
                        "rule": rule, "n": n} for rule, n in seen.items()]
        if not listed:
            return dict(event)
        before = masked.get("redacted")
        masked["redacted"] = (before if isinstance(before, list) else []) + listed
        return masked
