"""Writes the v2 torrent of one file of zeros with many pieces of 16 KiB, without the file.

    bench_zeros.py OUT PIECES

PIECES is a power of two, at least 2. Prints the infohash.
"""

import hashlib
import sys

import libtorrent as lt

PIECE_LENGTH = 16384


def main():
    out, pieces = sys.argv[1], int(sys.argv[2])
    # With one block a piece, the piece layer is the layer of leaves.
    leaf = hashlib.sha256(bytes(PIECE_LENGTH)).digest()
    root, width = leaf, 1
    while width < pieces:
        root, width = hashlib.sha256(root + root).digest(), width * 2
    assert width == pieces, "a power of two"
    info = {
        b"file tree": {b"zeros": {b"": {b"length": pieces * PIECE_LENGTH, b"pieces root": root}}},
        b"meta version": 2,
        b"name": b"zeros",
        b"piece length": PIECE_LENGTH,
    }
    with open(out, "wb") as file:
        file.write(lt.bencode({b"info": info, b"piece layers": {root: leaf * pieces}}))
    print(hashlib.sha256(lt.bencode(info)).hexdigest())


main()
