"""A process that tells a bucket of calls until it is killed.

    python -m tests.sinks.bucket.feeder STATE URL ENDPOINT FORMAT [INSTANCE]

It writes the ids of a batch before it is told, and a line `told` after that.
"""

import itertools
import random
import sys
import time
from pathlib import Path

from understudy.server.config.sink_settings import BucketSettings
from understudy.server.domain.deployment import Secret
from understudy.server.sinks.bucket.sink import open_bucket

from .making import calls, ids
from .s3 import KEY, KEY_ID


def main(state: str, url: str, endpoint: str, format: str, instance: str = "same") -> None:
    """Feed for ever. The instance may have been another process's before."""
    sink = open_bucket(
        BucketSettings(
            url=url,
            endpoint=endpoint,
            region="us-east-1",
            access_key_id=Secret(KEY_ID),
            secret_access_key=Secret(KEY),
            format="litellm" if format == "litellm" else "lines",
            every=0.02,
        ),
        Path(state),
        instance,
    )
    for _ in itertools.count():
        batch = calls(random.randint(1, 8))
        print(*ids(batch), flush=True)
        sink.tell(batch)
        print("told", flush=True)
        time.sleep(0.02)


if __name__ == "__main__":
    main(*sys.argv[1:])
