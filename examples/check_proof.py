#!/usr/bin/env python3
"""Check a proof of 'stele prove' without Stele: python3 check_proof.py KEY [PROOF]

KEY is the public key (NAME.seal_key), PROOF the file of the proof (default: standard input). Prints the proven events.
Needs Python 3 and the command openssl (1.1.1 or later), for the signature. doc/PROOF.md describes what is computed.
"""
import base64, hashlib, json, subprocess, sys, tempfile

def require(holds, what):
    if not holds:
        raise ValueError(what)

def check_signature(key, note):
    name, key_hash, public = key.strip().split("+", 2)
    body, signatures = note.split("\n\n", 1)
    body += "\n"
    raw = base64.b64decode(public)
    require(hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4].hex() == key_hash, "the key is damaged")
    wanted = [line.split(" ") for line in signatures.splitlines()]
    wanted = [base64.b64decode(words[2]) for words in wanted if words[:2] == ["\u2014", name]]
    der = bytes.fromhex("302a300506032b6570032100") + raw[1:]           # A public key of Ed25519 as OpenSSL reads it
    with tempfile.NamedTemporaryFile() as pem, tempfile.NamedTemporaryFile() as text, tempfile.NamedTemporaryFile() as file:
        for target, data in ((pem, b"-----BEGIN PUBLIC KEY-----\n" + base64.b64encode(der) + b"\n-----END PUBLIC KEY-----\n"),
                             (text, body.encode()), (file, b"".join(s[4:] for s in wanted if s[:4].hex() == key_hash)[:64])):
            target.write(data)
            target.flush()
        done = subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", pem.name, "-rawin", "-in", text.name,
                               "-sigfile", file.name], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    require(done.returncode == 0, "the checkpoint is not signed with this key")
    origin, size, root = body.splitlines()[:3]
    return origin, int(size), base64.b64decode(root)

def root_of(line, index, size, path):                                  # RFC 9162, section 2.1.3.2
    digest, last = hashlib.sha256(b"\0" + line).digest(), size - 1
    for other in path:
        if index & 1 or index == last:
            digest = hashlib.sha256(b"\1" + other + digest).digest()
            while index and not index & 1:
                index, last = index >> 1, last >> 1
        else:
            digest = hashlib.sha256(b"\1" + digest + other).digest()
        index, last = index >> 1, last >> 1
    return digest if last == 0 else None

def main(key, proof=None):
    proof = json.load(open(proof, encoding="utf-8") if proof else sys.stdin)
    origin, size, root = check_signature(open(key).read(), proof["checkpoint"])
    require(proof["events"], "it has no events")
    for event in proof["events"]:
        line, position = event["line"].encode(), event["position"]
        require(1 <= position <= size and json.loads(line)["position"] == position, "an event has another position")
        path = [base64.b64decode(text) for text in event["path"]]
        require(root_of(line, position - 1, size, path) == root, "the event at position %d is not in the history" % position)
        print(event["line"])
    print("%d of the %d events of %s" % (len(proof["events"]), size, origin), file=sys.stderr)

if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: check_proof.py KEY [PROOF]")
    try:
        main(*sys.argv[1:])
    except OSError as error:
        sys.exit("cannot check it: %s" % error)
    except (ValueError, KeyError, IndexError) as error:
        sys.exit("the proof does not hold: %s" % error)
