"""Makes signed repositories, honest and forged: plain dictionaries, signed by whoever holds a key.

It has no rules of its own, because an attacker has none. Signatures are securesystemslib's, in pure Python.
"""

import copy
import datetime
import hashlib
import json
import os
import pathlib
import shutil

from securesystemslib._vendor.ed25519 import ed25519
from securesystemslib.formats import encode_canonical

NOW = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.timezone.utc)


def day(number):
    return (NOW + datetime.timedelta(days=number)).strftime("%Y-%m-%dT%H:%M:%SZ")


class Key:
    """One Ed25519 key; the same seed text gives the same key."""

    def __init__(self, name):
        self.secret = hashlib.sha256(name.encode()).digest()
        self.raw = ed25519.publickey_unsafe(self.secret)
        self.public = {"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": self.raw.hex()}}
        self.id = key_id(self.public)

    def signature(self, signed):
        message = encode_canonical(signed).encode()
        return {"keyid": self.id, "sig": ed25519.signature_unsafe(message, self.secret, self.raw).hex()}


def key_id(public):
    return hashlib.sha256(encode_canonical(public).encode()).hexdigest()


def role(keys, threshold=1):
    return {"keyids": [key.id for key in keys], "threshold": threshold}


def document(signed, keys):
    return {"signed": signed, "signatures": [key.signature(signed) for key in keys]}


def encode(value):
    return json.dumps(value, sort_keys=True).encode()


def listed(version, data):
    return {"version": version, "length": len(data), "hashes": {"sha256": hashlib.sha256(data).hexdigest()}}


class Studio:
    """A repository and its keys: root 2 of 3, one for the targets, one for snapshot and timestamp."""

    def __init__(self, folder, name="studio"):
        self.folder = pathlib.Path(folder)
        self.keys = {
            "root": [Key(f"{name} root {number}") for number in (1, 2, 3)],
            "targets": [Key(f"{name} targets")],
            "online": [Key(f"{name} online")],
        }
        self.versions = {"root": 1, "targets": 0, "snapshot": 0, "timestamp": 0}
        self.life = {"root": 365, "targets": 90, "snapshot": 30, "timestamp": 14}
        self.targets = {}
        for part in ("metadata", "targets"):
            (self.folder / part).mkdir(parents=True)
        self.write("1.root.json", encode(document(self.root(), self.keys["root"][:2])))
        self.publish({"game~live.json": b"first release"})

    def root(self, threshold=2):
        used = [key for keys in self.keys.values() for key in keys]
        online = role(self.keys["online"])
        return {
            "_type": "root",
            "spec_version": "1.0.0",
            "consistent_snapshot": True,
            "version": self.versions["root"],
            "expires": day(self.life["root"]),
            "keys": {key.id: key.public for key in used},
            "roles": {
                "root": role(self.keys["root"], threshold),
                "targets": role(self.keys["targets"]),
                "snapshot": online,
                "timestamp": copy.deepcopy(online),
            },
        }

    def next_root(self, signers=None, **replaced):
        """Writes the next root, in which some keys are replaced; signed by two old and two new root keys."""
        old = self.keys["root"]
        self.keys.update(replaced)
        self.versions["root"] += 1
        signers = signers or {key.id: key for key in old[:2] + self.keys["root"][:2]}.values()
        self.write(f"{self.versions['root']}.root.json", encode(document(self.root(), signers)))

    def publish(self, targets=None):
        """Signs everything anew, with other targets if any."""
        if targets:
            self.targets.update(targets)
        self.versions["targets"] += 1
        described = {}
        for name, data in self.targets.items():
            described[name] = {"length": len(data), "hashes": {"sha256": hashlib.sha256(data).hexdigest()}}
            place = self.target(name)
            if place.resolve().is_relative_to(self.folder.resolve()):
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(data)
        self.sign("targets", {"targets": described})
        self.refresh()

    def refresh(self):
        """Signs snapshot and timestamp anew."""
        self.versions["snapshot"] += 1
        self.sign("snapshot", {"meta": {"targets.json": self.entry("targets")}})
        self.stamp()

    def stamp(self):
        self.versions["timestamp"] += 1
        self.sign("timestamp", {"meta": {"snapshot.json": self.entry("snapshot")}})

    def sign(self, name, content, keys=None, **other):
        """Writes one document of a role."""
        signed = {
            "_type": name,
            "spec_version": "1.0.0",
            "version": self.versions[name],
            "expires": day(self.life[name]),
            **content,
            **other,
        }
        keys = keys or self.keys["targets" if name == "targets" else "online"]
        self.write(self.file(name), encode(document(signed, keys)))

    def file(self, name):
        return "timestamp.json" if name == "timestamp" else f"{self.versions[name]}.{name}.json"

    def entry(self, name):
        return listed(self.versions[name], self.read(self.file(name)))

    def target(self, name):
        digest = hashlib.sha256(self.targets[name]).hexdigest()
        folder, _, base = name.rpartition("/")
        return self.folder / "targets" / folder / f"{digest}.{base}"

    def path(self, file):
        return self.folder / "metadata" / file

    def read(self, file):
        return self.path(file).read_bytes()

    def signed(self, file):
        return json.loads(self.read(file))["signed"]

    def write(self, file, data):
        self.path(file).write_bytes(data)

    def grow(self, path, length):
        """Makes a file of so many bytes that takes no room."""
        with open(path, "ab") as file:
            os.truncate(file.fileno(), length)

    def copied(self, folder):
        """What somebody took away: repository and keys as they are now."""
        shutil.copytree(self.folder, folder)
        other = copy.deepcopy(self)
        other.folder = pathlib.Path(folder)
        return other
