#!/usr/bin/env python3
"""Plays attacks on a TUF client: makes each case's repositories, reads them with python-tuf, and prints it all.

  tuf_matrix.py FOLDER

One JSON line per case: its name, the root it begins with, and its steps. A step is one load by one player, whose state is
kept from step to step: the repository's folder, the time, what the origin fails at, the verdict that is right, and what
python-tuf said. Another client that plays the same steps can be compared with it. A case that says `differs` names why
another client may rightly come to another verdict.
"""

import datetime
import json
import pathlib
import sys

import tuf_cases
from tuf.api import exceptions
from tuf.ngclient import FetcherInterface, Updater

BASE = "http://repository.invalid/"
# From the most special to the most general: one of our codes for each kind of refusal.
CODES = [
    (exceptions.UnsignedMetadataError, "META_SIGNATURE"),
    (exceptions.LengthOrHashMismatchError, "META_SIGNATURE"),
    (exceptions.BadVersionNumberError, "META_ROLLBACK"),
    (exceptions.ExpiredMetadataError, "META_EXPIRED"),
    (exceptions.RepositoryError, "META_INVALID"),
    (exceptions.DownloadLengthMismatchError, "META_SIZE"),
    (exceptions.DownloadHTTPError, "ORIGIN_NOT_FOUND"),
    (exceptions.DownloadError, "NETWORK"),
]


class Folder(FetcherInterface):
    """Serves a folder, but for the paths at which it was told to fail."""

    def __init__(self, folder, faults):
        self.folder, self.faults, self.taken = pathlib.Path(folder), faults, 0

    def _fetch(self, url):
        path = url.removeprefix(BASE)
        fault = self.faults.get(path)
        if fault == "timeout":
            raise TimeoutError(path)
        if fault:
            raise exceptions.DownloadHTTPError(path, int(fault))
        file = self.folder / path
        if not file.is_file():
            raise exceptions.DownloadHTTPError(path, 404)
        return self.chunks(file)

    def chunks(self, file):
        with open(file, "rb") as stream:
            while chunk := stream.read(16 * 1024):
                self.taken += len(chunk)
                yield chunk


def load(case, step, folder):
    """One load by python-tuf; its state is in the case's folder."""
    state, out = folder / "python-state", folder / "python-out"
    for part in (state, out):
        part.mkdir(exist_ok=True)
    fetcher = Folder(step["repo"], step["faults"])
    try:
        root = pathlib.Path(case["root"]).read_bytes()
        updater = Updater(
            str(state), BASE + "metadata/", str(out), BASE + "targets/", fetcher=fetcher, bootstrap=root
        )
        updater._trusted_set.reference_time = datetime.datetime.fromisoformat(step["now"])
        updater.refresh()
        for name in step["targets"]:
            info = updater.get_targetinfo(name)
            if info is None:
                raise LookupError(name)
            updater.download_target(info)
    except exceptions.DownloadHTTPError as error:
        code = "ORIGIN_NOT_FOUND" if error.status_code in (403, 404) else "NETWORK"
        return {"verdict": code, "words": f"{type(error).__name__}: {error}", "taken": fetcher.taken}
    except Exception as error:  # whatever it refuses with is the result
        code = next((code for kind, code in CODES if isinstance(error, kind)), "CRASHED")
        return {"verdict": code, "words": f"{type(error).__name__}: {error}", "taken": fetcher.taken}
    trusted = updater._trusted_set
    seen = {name: target.hashes["sha256"] for name, target in trusted.targets.targets.items()}
    return {"verdict": "OK", "root": trusted.root.version, "targets": seen, "taken": fetcher.taken}


def main():
    base = pathlib.Path(sys.argv[1]).resolve()
    for number, make in enumerate(tuf_cases.ALL):
        folder = base / f"{number:02}-{make.__name__}"
        folder.mkdir(parents=True)
        case = tuf_cases.Case(folder)
        make(case)
        plan = case.plan(make.__name__)
        for step in plan["steps"]:
            if step["tear"]:
                tear(folder / "python-state")
            step["python"] = load(plan, step, folder)
        outside = [str(path) for path in base.parent.rglob("evil*") if path.is_file()]
        plan["outside"] = [path for path in outside if "python-out" not in path]
        print(json.dumps(plan, sort_keys=True))


def tear(state):
    """Cuts the state's timestamp off in the middle."""
    file = state / "timestamp.json"
    file.write_bytes(file.read_bytes()[:40])


if __name__ == "__main__":
    main()
