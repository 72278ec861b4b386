"""The echo of Python's `websockets`, as its documentation writes it; level 1, no context take-over unless asked for."""
import asyncio
import socket
import sys

from websockets.asyncio.server import serve
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory

mode = sys.argv[1]
deflate = [
    ServerPerMessageDeflateFactory(
        server_no_context_takeover="takeover" not in mode,
        client_no_context_takeover="takeover" not in mode,
        compress_settings={"level": 1},
    )
]


async def echo(connection):
    async for message in connection:
        await connection.send(message)


async def main():
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(4096)
    extensions = deflate if "deflate" in mode else None
    async with serve(echo, sock=listener, backlog=4096, compression=None, extensions=extensions, ping_interval=None):
        print("port", listener.getsockname()[1], flush=True)
        await asyncio.Future()


asyncio.run(main())
