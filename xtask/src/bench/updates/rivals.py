"""Sizes of the patches that other programs make between two trees.

    rivals.py OLD NEW METHOD SCRATCH [PROGRAM]

Prints one line of JSON: bytes of the patch with each changed file alone, and with all of them as one stream (`solid`),
processor seconds and peak memory; for the chunkers, the bytes that a player who has OLD fetches, by chunk size. A file counts as changed when its bytes differ from the old file at the same path; a
new file has its whole worth in the patch (zstd -19). A file that merely moved costs nothing, for every method alike.
"""

import hashlib
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path


def files(tree):
    return {str(p.relative_to(tree)): p for p in sorted(tree.rglob("*")) if p.is_file() and not p.is_symlink()}


def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").digest() if hasattr(hashlib, "file_digest") else hashlib.sha256(file.read()).digest()


def changes(old_tree, new_tree):
    """Pairs (old path or None, new path), and what is gone."""
    old, new = files(old_tree), files(new_tree)
    standing = {digest(path) for path in old.values()}
    changed = [(old.get(name), path) for name, path in new.items() if digest(path) not in standing]
    gone = [path for name, path in old.items() if name not in new]
    return changed, gone


def run(words, **more):
    done = subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **more)
    if done.returncode not in (0,):
        raise SystemExit(f"{words[0]} failed: {done.stderr.decode(errors='replace')[:300]}")


def zstd(old, new, patch):
    run(["zstd", "-19", "--long=31", "-q", "-f", f"--patch-from={old}", str(new), "-o", str(patch)])


def plain(new, patch):
    run(["zstd", "-19", "-q", "-f", str(new), "-o", str(patch)])


def xdelta3(old, new, patch):
    size = max(1 << 20, os.path.getsize(old))
    run(["xdelta3", "-e", "-9", "-S", "lzma", "-B", str(min(size, (1 << 31) - 1)), "-f", "-s", str(old), str(new), str(patch)])


def bsdiff(old, new, patch):
    run(["bsdiff", str(old), str(new), str(patch)])


def hdiffpatch(old, new, patch):
    # In a process of its own, so that its memory and time are those of this one patch.
    code = (
        "import sys,hdiffpatch as h;a,b,c=sys.argv[1:];"
        "d=h.diff(open(a,'rb').read(),open(b,'rb').read(),h.COMPRESSION_LZMA2,validate=False);open(c,'wb').write(d)"
    )
    run([sys.executable, "-c", code, str(old), str(new), str(patch)])


def zucchini(old, new, patch):
    raw = Path(f"{patch}.raw")
    run([sys.argv[5], str(old), str(new), str(raw)])
    # Its patch is meant to be compressed as a whole, with LZMA.
    run(["xz", "-9", "-e", "-k", "-f", str(raw)])
    os.replace(f"{raw}.xz", patch)


METHODS = {"zstd": zstd, "xdelta3": xdelta3, "bsdiff": bsdiff, "hdiffpatch": hdiffpatch, "zucchini": zucchini}
PROGRAM = (b"\x7fELF", b"MZ")


def is_program(path):
    with open(path, "rb") as file:
        return file.read(4).startswith(PROGRAM)


def per_file(changed, method, scratch):
    total, patch = 0, scratch / "patch"
    for old, new in changed:
        if new.stat().st_size == 0:
            continue
        if old is None or old.stat().st_size == 0:
            plain(new, patch)
        elif method is zucchini and not (is_program(old) and is_program(new)):
            # It knows programs only; for the rest its users take what is at hand.
            bsdiff(old, new, patch)
        else:
            method(old, new, patch)
        total += patch.stat().st_size
    return total


def solid(changed, gone, method, scratch):
    old_stream, new_stream, patch = scratch / "old", scratch / "new", scratch / "patch"
    with open(old_stream, "wb") as stream:
        for old, _ in changed:
            if old is not None:
                stream.write(old.read_bytes())
        for path in gone:
            stream.write(path.read_bytes())
    with open(new_stream, "wb") as stream:
        for _, new in changed:
            stream.write(new.read_bytes())
    method(old_stream, new_stream, patch)
    return patch.stat().st_size


def stream_of(tree, into):
    with open(into, "wb") as stream:
        for path in files(tree).values():
            stream.write(path.read_bytes())


def casync(old_tree, new_tree, scratch):
    """Chunks of the new bytes that the old ones' store has not, without the index. As streams: no times, no owners."""
    sizes = {}
    for kib in (4, 16, 64):
        seen, index = {}, scratch / "stream.caibx"
        for name, tree in (("old", old_tree), ("new", new_tree)):
            store, stream = scratch / f"{name}-{kib}.castr", scratch / name
            stream_of(tree, stream)
            run(["casync", "make", f"--chunk-size={kib * 1024}", "--compression=zstd", f"--store={store}", str(index), str(stream)])
            seen[name] = {path.name: path.stat().st_size for path in store.rglob("*.cacnk")}
            shutil.rmtree(store)
        fetched = sum(size for name, size in seen["new"].items() if name not in seen["old"])
        sizes[f"{kib}k"] = fetched
    return sizes


def bita(old_tree, new_tree, scratch):
    """What it says that it took from the archive."""
    sizes = {}
    for name, tree in (("old", old_tree), ("new", new_tree)):
        stream_of(tree, scratch / name)
    for kib in (4, 16, 64):
        archive, out = scratch / "new.cba", scratch / "out"
        words = [sys.argv[5], "compress", "--force-create", "--avg-chunk-size", f"{kib}KiB", "--min-chunk-size", f"{kib // 4}KiB"]
        words += ["--max-chunk-size", f"{kib * 16}KiB"]
        run(words + ["-i", str(scratch / "new"), str(archive)])
        shown = subprocess.run([sys.argv[5], "clone", "--force-create", "--seed", str(scratch / "old"), str(archive), str(out)],
                               capture_output=True, text=True, check=True)
        sizes[f"{kib}k"] = taken_from_archive(shown.stdout + shown.stderr)
    return sizes


def taken_from_archive(said):
    found = re.search(r"Fetched \S+ \S+ \((\d+)\) from archive|from archive[^\d]*(\d[\d,]*) bytes", said)
    if not found:
        raise SystemExit("bita says nothing that we understand: " + said[-600:])
    return int((found.group(1) or found.group(2)).replace(",", ""))


CHUNKERS = {"casync": casync, "bita": bita}


def main():
    old_tree, new_tree, name, scratch = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], Path(sys.argv[4])
    scratch.mkdir(parents=True, exist_ok=True)
    if name in CHUNKERS:
        print(json.dumps(CHUNKERS[name](old_tree, new_tree, scratch)))
        return
    method = METHODS[name]
    changed, gone = changes(old_tree, new_tree)
    raw = sum(new.stat().st_size for _, new in changed)
    figures = {"changed_files": len(changed), "changed_bytes": raw}
    for kind, measure in (("per_file", lambda: per_file(changed, method, scratch)), ("solid", lambda: solid(changed, gone, method, scratch))):
        if kind == "solid" and method is zucchini:
            continue
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        began = time.monotonic()
        figures[kind] = measure()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        figures[f"{kind}_cpu"] = round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 1)
        figures[f"{kind}_seconds"] = round(time.monotonic() - began, 1)
        figures["peak_mib"] = after.ru_maxrss // 1024
    print(json.dumps(figures))


main()
