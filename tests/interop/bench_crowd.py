"""Many light peers of one seed: each asks for blocks and throws them away.

    bench_crowd.py IP:PORT INFOHASH PEERS PIECES

Pieces are one block of 16 KiB each. Every peer comes from an address of its own (127.1.x.y). Prints
{"t":"crowd","connected":N,"bytes":B} every second: who has been greeted, and payload received by all.
"""

import asyncio
import json
import os
import random
import struct
import sys

BLOCK = 16384
OUTSTANDING = 4

counts = {"connected": 0, "bytes": 0}


def request(pieces):
    return struct.pack(">IBIII", 13, 6, random.randrange(pieces), 0, BLOCK)


async def peer(number, address, infohash, pieces):
    host, port = address.rsplit(":", 1)
    own = f"127.1.{number // 250}.{number % 250 + 1}"
    reader, writer = await asyncio.open_connection(host, int(port), local_addr=(own, 0))
    # Version 2 (BEP 52) and the fast extension (BEP 6).
    reserved = bytes([0, 0, 0, 0, 0, 0, 0, 0x10 | 0x04])
    writer.write(b"\x13BitTorrent protocol" + reserved + infohash[:20] + os.urandom(20))
    await reader.readexactly(68)
    counts["connected"] += 1
    # I have none (BEP 6), and am interested.
    writer.write(struct.pack(">IB", 1, 15) + struct.pack(">IB", 1, 2))
    try:
        while True:
            (length,) = struct.unpack(">I", await reader.readexactly(4))
            message = await reader.readexactly(length)
            kind = message[0] if message else None
            if kind == 1:
                writer.write(b"".join(request(pieces) for _ in range(OUTSTANDING)))
            elif kind == 7:
                counts["bytes"] += length - 9
                writer.write(request(pieces))
    finally:
        counts["connected"] -= 1


async def one(*words):
    try:
        await peer(*words)
    except (OSError, asyncio.IncompleteReadError) as error:
        print(f"peer {words[0]}: {error}", file=sys.stderr, flush=True)


async def main():
    address, infohash, peers, pieces = sys.argv[1:5]
    words = (address, bytes.fromhex(infohash), int(pieces))
    running = [asyncio.create_task(one(number, *words)) for number in range(int(peers))]
    while True:
        await asyncio.sleep(1)
        print(json.dumps({"t": "crowd", **counts, "running": sum(not one.done() for one in running)}), flush=True)


asyncio.run(main())
