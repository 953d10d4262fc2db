"""Running kernels in Beam: one element in, any number out, several at once in one process.

DuckDB, Arrow and numpy release the interpreter lock, so threads of one process use all cores without the
two or three seconds that worker processes take to start (docs/adr/0002). Results are emitted in
the order of the elements, whatever finished first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import apache_beam as beam
import pyarrow as pa
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.windowed_value import WindowedValue

__all__ = ["Kernel"]


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
        self._running: deque[Future[list[Any]]] = deque()

    def setup(self) -> None:
        # Of Arrow's allocators the one that gives memory back soonest, and no slower here.
        pa.set_memory_pool(pa.system_memory_pool())
        if self._threads > 1:
            self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="kernel")

    def start_bundle(self) -> None:
        self._running = deque()

    # Beam reads annotations of `process` as type hints and has none for variable arguments.
    def process(self, element, *side_inputs):  # type: ignore[no-untyped-def]  # noqa: ANN001
        if self._pool is None:
            yield from self._function(element, *side_inputs)
            return
        self._running.append(self._pool.submit(lambda: list(self._function(element, *side_inputs))))
        if len(self._running) > self._threads:
            yield from self._running.popleft().result()

    def finish_bundle(self) -> Iterator[WindowedValue]:
        window = GlobalWindow()
        while self._running:
            for value in self._running.popleft().result():
                if isinstance(value, beam.pvalue.TaggedOutput):
                    stamped = WindowedValue(value.value, window.max_timestamp(), [window])
                    yield beam.pvalue.TaggedOutput(value.tag, stamped)
                else:
                    yield WindowedValue(value, window.max_timestamp(), [window])

    def teardown(self) -> None:
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None
