"""Run the stub by itself: `python -m tests.stub --port 9000 --mode slow-50ms`.

It prints its origin, and serves until it is ended.
"""

import argparse
import asyncio
import signal
import ssl

import uvloop

from .faultstub import FaultStub


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.stub", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--mode", help="answers every request, whatever its model")
    parser.add_argument("--keep", type=int, default=0, help="how many requests to remember")
    parser.add_argument("--certificate", help="PEM file with key and chain: serve over TLS")
    return parser.parse_args()


async def _serve(options: argparse.Namespace) -> None:
    tls = None
    if options.certificate is not None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(options.certificate)
    over = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, over.set)
    async with FaultStub(
        mode=options.mode, host=options.host, port=options.port, keep=options.keep, tls=tls
    ) as stub:
        print(stub.url, flush=True)
        await over.wait()


if __name__ == "__main__":
    uvloop.run(_serve(_parse()))
