"""A proxy on loopback that knows CONNECT, and remembers all that it could read."""

import asyncio


class Tunnel:
    """Connects to where it is told, or to `port` of this machine whatever the name."""

    def __init__(self, status: int = 200, port: int | None = None) -> None:
        self.heads: list[bytes] = []
        self.passed = bytearray()
        self._status = status
        self._port = port

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head)
        writer.write(b"HTTP/1.1 %d So\r\n\r\n" % self._status)
        if self._status != 200:
            writer.close()
            return
        host, _, port = head.split(b" ")[1].decode().partition(":")
        if self._port is not None:
            host, port = "127.0.0.1", str(self._port)
        other_reader, other_writer = await asyncio.open_connection(host, int(port))
        await asyncio.gather(self._pump(reader, other_writer), self._pump(other_reader, writer))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            self.passed += data
            writer.write(data)
        writer.close()
