"""Running kernels in Beam: one element in, any number out, several at once in one process.

DuckDB, Arrow and numpy release the interpreter lock, so threads of one process use all cores without the
two or three seconds that worker processes take to start (docs/adr/0002). Results are emitted in
the order of the elements, whatever finished first.

Every kernel counts its elements and the milliseconds it worked, as Beam counters of its step: they show in a
runner's own interface while a job runs, and in the table `runs` afterwards.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import apache_beam as beam
from apache_beam.metrics import Metrics
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.windowed_value import WindowedValue

from transforms.process import set_up_process

__all__ = ["COUNTERS", "Kernel", "count"]

COUNTERS = "footpath"
"""Namespace of footpath's counters in Beam."""

_AHEAD = 8
"""Elements for each thread that may be under way: so many short ones are done while another thread is at a long one."""


def count(name: str, increment: int) -> None:
    """Add to a Beam counter; only on the thread that Beam calls, on any other it would be lost."""
    Metrics.counter(COUNTERS, name).inc(increment)


class Kernel(beam.PTransform):
    """Apply ``function(element) -> iterable`` to every element of a globally windowed collection.

    Parameters
    ----------
    function : callable
        Picklable; may return tagged outputs.
    threads : int
        How many elements are worked on at once.
    outputs : tuple of str
        Tags of further outputs; the result is then a tuple-like of collections, main first as ``main``.
    side_inputs : tuple
        Views such as `AsDict`, given to the function after the element.
    """

    def __init__(
        self,
        function: Callable[..., Iterable[Any]],
        threads: int = 1,
        outputs: tuple[str, ...] = (),
        side_inputs: tuple[Any, ...] = (),
    ) -> None:
        super().__init__()
        self._function = function
        self._threads = threads
        self._outputs = outputs
        self._side_inputs = side_inputs

    def expand(self, elements: beam.PCollection) -> Any:
        pardo = beam.ParDo(_KernelDoFn(self._function, self._threads), *self._side_inputs)
        if self._outputs:
            return elements | pardo.with_outputs(*self._outputs, main="main")
        return elements | pardo


class _KernelDoFn(beam.DoFn):
    def __init__(self, function: Callable[..., Iterable[Any]], threads: int) -> None:
        self._function = function
        self._threads = threads
        self._pool: ThreadPoolExecutor | None = None
        self._running: deque[Future[tuple[list[Any], float]]] = deque()
        self._elements, self._seconds = 0, 0.0

    def setup(self) -> None:
        set_up_process()
        if self._threads > 1:
            self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="kernel")

    def start_bundle(self) -> None:
        self._running = deque()
        self._elements, self._seconds = 0, 0.0

    # Beam reads annotations of `process` as type hints and has none for variable arguments.
    def process(self, element, *side_inputs):  # type: ignore[no-untyped-def]  # noqa: ANN001
        if self._pool is None:
            started = time.perf_counter()
            for value in self._function(element, *side_inputs):
                self._seconds += time.perf_counter() - started
                yield value
                started = time.perf_counter()
            self._count(time.perf_counter() - started)
            return
        self._running.append(self._pool.submit(self._work, element, *side_inputs))
        if len(self._running) > _AHEAD * self._threads:
            yield from self._finished()

    def _work(self, *arguments: Any) -> tuple[list[Any], float]:
        started = time.perf_counter()
        return list(self._function(*arguments)), time.perf_counter() - started

    def _finished(self) -> list[Any]:
        """The values of the oldest element under way."""
        values, seconds = self._running.popleft().result()
        self._count(seconds)
        return values

    def _count(self, seconds: float) -> None:
        self._elements += 1
        self._seconds += seconds

    def finish_bundle(self) -> Iterator[WindowedValue]:
        window = GlobalWindow()
        while self._running:
            for value in self._finished():
                if isinstance(value, beam.pvalue.TaggedOutput):
                    stamped = WindowedValue(value.value, window.max_timestamp(), [window])
                    yield beam.pvalue.TaggedOutput(value.tag, stamped)
                else:
                    yield WindowedValue(value, window.max_timestamp(), [window])
        count("kernel_elements", self._elements)
        count("kernel_ms", round(self._seconds * 1000))

    def teardown(self) -> None:
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None
