"""Python workers for several task managers on one machine.

    python tests/engine/worker_pool.py --service_port 50000

Each task manager numbers its workers from 1, and Beam's worker pool knows a worker by that number alone: of two task
managers that share a pool, the one that ends first has the other's worker stopped, and the other waits for it forever.
On a machine with one task manager Beam's own pool does. This one keeps a pool for each connection, which is to say for
each task manager.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from typing import Any

from apache_beam.runners.worker.worker_pool_main import BeamFnExternalWorkerPoolServicer

__all__ = ["PoolOfPools"]


class PoolOfPools(BeamFnExternalWorkerPoolServicer):
    """Hands a request on to the pool of who asks."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._pools = defaultdict(lambda: BeamFnExternalWorkerPoolServicer(**settings))

    def StartWorker(self, request: Any, context: Any) -> Any:
        return self._pools[context.peer()].StartWorker(request, context)

    def StopWorker(self, request: Any, context: Any) -> Any:
        return self._pools[context.peer()].StopWorker(request, context)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--service_port", type=int, required=True)
    _, server = PoolOfPools.start(use_process=True, port=parser.parse_args().service_port)
    while True:
        time.sleep(3600)
