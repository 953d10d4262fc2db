"""A kernel on threads gives what it gives alone, tags and errors included."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.metrics import MetricsFilter
from apache_beam.testing.util import assert_that, equal_to

from transforms.kernel import COUNTERS, Kernel


class _Twice:
    def __call__(self, element: int, *more: Any) -> Iterator[Any]:
        time.sleep(0.001 * (element % 3))
        yield element * 2
        if element % 2:
            yield beam.pvalue.TaggedOutput("odd", element)


class _Fails:
    def __call__(self, element: int) -> Iterator[int]:
        if element == 3:
            raise ValueError("element three")
        yield element


class _WaitsForTheSixth:
    """The first element is done when the sixth is."""

    done = threading.Event()

    def __call__(self, element: int) -> Iterator[bool]:
        if element == 5:
            self.done.set()
        yield element != 0 or self.done.wait(timeout=20)


@pytest.mark.parametrize("threads", [1, 3])
def test_outputs_and_tags_of_every_element(threads: int):
    """Nothing is lost or doubled, on the main output or another, with side inputs or without."""
    with beam.Pipeline(runner="FnApiRunner") as pipeline:
        side = beam.pvalue.AsList(pipeline | "Side" >> beam.Create([1]))
        elements = pipeline | beam.Create(range(20))
        found = elements | Kernel(_Twice(), threads, ("odd",), (side,))
        assert_that(found.main, equal_to([2 * n for n in range(20)]), "Main")
        assert_that(found.odd, equal_to(list(range(1, 20, 2))), "Odd")


@pytest.mark.parametrize("threads", [1, 3])
def test_an_error_in_a_kernel_fails_the_pipeline(threads: int):
    """No record is swallowed: without a place for it the run stops."""
    with (
        pytest.raises(Exception, match="element three"),
        beam.Pipeline(runner="FnApiRunner") as pipeline,
    ):
        _ = pipeline | beam.Create(range(9)) | Kernel(_Fails(), threads)


def test_short_elements_do_not_wait_for_a_long_one():
    """While one thread is at the first element, the other goes on to the sixth."""
    with beam.Pipeline(runner="FnApiRunner") as pipeline:
        elements = pipeline | beam.Create(range(6), reshuffle=False)
        assert_that(elements | Kernel(_WaitsForTheSixth(), 2), equal_to([True] * 6))


@pytest.mark.parametrize("threads", [1, 3])
def test_elements_and_time_are_counted(threads: int):
    """Every element once, and the time that kernels worked, however many worked at once."""
    pipeline = beam.Pipeline(runner="FnApiRunner")
    _ = pipeline | beam.Create(range(30)) | Kernel(_Twice(), threads, ("odd",))
    metrics = pipeline.run().metrics().query(MetricsFilter().with_namespace(COUNTERS))
    found = {counter.key.metric.name: counter.result for counter in metrics["counters"]}
    assert found["kernel_elements"] == 30
    assert 30 <= found["kernel_ms"] < 3_000  # each third sleeps 0, 1, 2 ms
