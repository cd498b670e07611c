"""How long a call took is told to the microsecond, whatever clock the event loop goes by."""

from concurrent.futures import ThreadPoolExecutor

from understudy import client
from understudy.v1 import record_pb2, record_pb2_grpc

from ..stub.eventually import eventually_sync
from .running import Demo


def test_latencies_are_finer_than_milliseconds(demo: Demo) -> None:
    with client.Client(demo.target) as service:
        stub = service.raw_stub(record_pb2_grpc.RecordServiceStub)

        def ask(number: int) -> object:
            said = [{"role": "user", "content": f"hi {number}"}]
            return service.completion(model="gpt-4", messages=said)

        with ThreadPoolExecutor(20) as pool:
            assert all(pool.map(ask, range(20)))

        def latencies() -> list[int]:
            query = record_pb2.ListRecordsRequest(filter="model_group = gpt-4 AND role = PRIMARY")
            records = stub.ListRecords(query, metadata=service.raw_metadata).records
            return [one.latency.ToMicroseconds() for one in records]

        eventually_sync(lambda: len(latencies()) >= 20)

        assert len([one for one in latencies() if one % 1000]) >= 10
