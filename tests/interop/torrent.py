"""Makes torrents with libtorrent, and tells what libtorrent reads in one.

    torrent.py make DIR OUT [--piece-length N] [--flavour v2|v1|hybrid] [--web-seed URL]
    torrent.py describe FILE

Both print one JSON object: infohash, piece length, and each file's path, size, attributes, pieces
root and piece layer.
"""

import argparse
import json
import os

import libtorrent as lt


def flavour_flags(name):
    return {"v2": lt.create_torrent.v2_only, "v1": lt.create_torrent.v1_only, "hybrid": 0}[name]


def make(options):
    folder = os.path.abspath(options.folder)
    torrent = lt.create_torrent(lt.list_files(folder), options.piece_length, flavour_flags(options.flavour))
    for url in options.web_seed:
        torrent.add_url_seed(url)
    lt.set_piece_hashes(torrent, os.path.dirname(folder))
    data = lt.bencode(torrent.generate())
    with open(options.out, "wb") as out:
        out.write(data)
    return data


def describe(data):
    info = lt.torrent_info(data)
    layers = lt.bdecode(data).get(b"piece layers", {})
    layout = info.layout()
    files = []
    for index in range(layout.num_files()):
        flags = layout.file_flags(index)
        if flags & lt.file_storage.flag_pad_file:
            continue
        root = layout.root(index)
        files.append(
            {
                # The torrent's name is the first component of libtorrent's paths.
                "path": layout.file_path(index).split("/", 1)[-1],
                "size": layout.file_size(index),
                "executable": bool(flags & lt.file_storage.flag_executable),
                "root": str(root),
                "layer": layers.get(root.to_bytes(), b"").hex(),
            }
        )
    return {
        "infohash": str(info.info_hashes().v2),
        "has_v1": info.info_hashes().has_v1(),
        "name": info.name(),
        "piece_length": info.piece_length(),
        "files": files,
    }


def main():
    parser = argparse.ArgumentParser()
    verbs = parser.add_subparsers(dest="verb", required=True)
    maker = verbs.add_parser("make")
    maker.add_argument("folder")
    maker.add_argument("out")
    maker.add_argument("--piece-length", type=int, default=0)
    maker.add_argument("--flavour", choices=["v2", "v1", "hybrid"], default="v2")
    maker.add_argument("--web-seed", action="append", default=[])
    reader = verbs.add_parser("describe")
    reader.add_argument("file")
    options = parser.parse_args()
    if options.verb == "make":
        data = make(options)
    else:
        with open(options.file, "rb") as file:
            data = file.read()
    print(json.dumps(describe(data)))


main()
