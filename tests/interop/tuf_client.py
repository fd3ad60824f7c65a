#!/usr/bin/env python3
"""Reads a repository with python-tuf, an implementation that shares no code with ours.

Either of
  tuf_client.py --metadata-url URL --targets-url URL --root FILE --targets NAME...
  tuf_client.py --repo DIR --root FILE --targets NAME...
The second starts a web server for DIR on loopback. Every target named is downloaded and checked by python-tuf; without
--targets every target listed is. Prints one JSON line; exits 1 if anything is refused.

--state DIR keeps the client's state, so that a second run continues from the first. --out DIR keeps the downloads.
--expect-refusal NAME exits 0 only if python-tuf raises the exception of that name.
"""

import argparse
import functools
import http.server
import json
import pathlib
import sys
import tempfile
import threading

from tuf.ngclient import Updater


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def serve(folder):
    handler = functools.partial(Quiet, directory=folder)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_address[1]}"


def listed_targets(state):
    targets = json.loads((state / "targets.json").read_text())
    return sorted(targets["signed"]["targets"])


def read(arguments, scratch):
    if arguments.repo:
        url = serve(arguments.repo)
        arguments.metadata_url, arguments.targets_url = f"{url}/metadata/", f"{url}/targets/"
    state = pathlib.Path(arguments.state or scratch / "state")
    out = pathlib.Path(arguments.out or scratch / "out")
    for folder in (state, out):
        folder.mkdir(parents=True, exist_ok=True)
    updater = Updater(
        str(state),
        arguments.metadata_url,
        target_dir=str(out),
        target_base_url=arguments.targets_url,
        bootstrap=arguments.root.read_bytes(),
    )
    updater.refresh()
    downloaded = {}
    for name in arguments.targets or listed_targets(state):
        info = updater.get_targetinfo(name)
        if info is None:
            raise LookupError(f"no target named {name}")
        path = updater.download_target(info)
        downloaded[name] = pathlib.Path(path).stat().st_size
    return downloaded


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--metadata-url")
    parser.add_argument("--targets-url")
    parser.add_argument("--repo")
    parser.add_argument("--root", type=pathlib.Path, required=True)
    parser.add_argument("--targets", nargs="*", default=[])
    parser.add_argument("--state")
    parser.add_argument("--out")
    parser.add_argument("--expect-refusal")
    arguments = parser.parse_args()
    if not arguments.repo and not (arguments.metadata_url and arguments.targets_url):
        parser.error("either --repo or both --metadata-url and --targets-url")
    with tempfile.TemporaryDirectory() as scratch:
        try:
            result = {"ok": True, "targets": read(arguments, pathlib.Path(scratch))}
        except Exception as error:  # whatever python-tuf refuses with is the result
            result = {"ok": False, "refusal": type(error).__name__, "reason": str(error)}
    print(json.dumps(result, sort_keys=True))
    if arguments.expect_refusal:
        return 0 if result.get("refusal") == arguments.expect_refusal else 1
    return 0 if result["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
