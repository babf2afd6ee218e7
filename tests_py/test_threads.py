"""Several Python threads at once, forked and spawned processes, and how many cores are used."""

import multiprocessing
import os
import resource
import subprocess
import sys
import threading
import time
from typing import Any

import numpy as np
import pytest

import nybble.core as mx


def product() -> "np.ndarray[Any, Any]":
    """Long enough for the pool; the exact result is known."""
    a = mx.array(np.arange(300 * 200).reshape(300, 200) % 7, dtype=mx.float32)
    return np.array(a @ a.T)


def expected() -> "np.ndarray[Any, Any]":
    a = np.arange(300 * 200).reshape(300, 200) % 7
    return a @ a.T


def in_child(queue: Any) -> None:
    queue.put(bool(np.array_equal(product(), expected())))


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_child_process_computes(method: str) -> None:
    np.testing.assert_array_equal(product(), expected())  # the parent's pool is there and warm
    context = multiprocessing.get_context(method)
    queue = context.SimpleQueue()
    child = context.Process(target=in_child, args=(queue,))
    child.start()
    child.join(60)
    assert child.exitcode == 0
    assert queue.get()
    np.testing.assert_array_equal(product(), expected())


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_while_other_threads_compute_has_a_working_pool() -> None:
    stop = threading.Event()

    def compute() -> None:
        while not stop.is_set():
            product()

    threads = [threading.Thread(target=compute) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(5):
            pid = os.fork()
            if pid == 0:
                ok = np.array_equal(product(), expected())
                os._exit(0 if ok else 1)
            assert os.waitpid(pid, 0)[1] == 0
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_several_threads_compute_at_once_and_each_gets_its_result() -> None:
    rng = np.random.default_rng(0)
    inputs = [rng.integers(-5, 6, (150, 150)).astype(np.float32) for _ in range(8)]
    results: list[list[Any]] = [[] for _ in inputs]

    def compute(i: int) -> None:
        a = mx.array(inputs[i])
        for _ in range(10):
            results[i].append(np.array(a @ a))

    threads = [threading.Thread(target=compute, args=(i,)) for i in range(len(inputs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for a, products in zip(inputs, results, strict=True):
        assert len(products) == 10
        for result in products:
            np.testing.assert_array_equal(result, a @ a)


def test_the_number_of_threads_may_change_while_others_compute() -> None:
    stop = threading.Event()
    wrong: list[int] = []

    def compute() -> None:
        while not stop.is_set():
            if not np.array_equal(product(), expected()):
                wrong.append(1)

    before = mx.get_num_threads()
    thread = threading.Thread(target=compute)
    thread.start()
    try:
        for count in (1, 3, 2, 8, 1, 4) * 5:
            mx.set_num_threads(count)
            np.testing.assert_array_equal(product(), expected())
    finally:
        stop.set()
        thread.join()
        mx.set_num_threads(before)
    assert not wrong


def test_idle_workers_use_no_processor_time() -> None:
    product()
    start = resource.getrusage(resource.RUSAGE_SELF)
    time.sleep(0.3)
    end = resource.getrusage(resource.RUSAGE_SELF)
    used = end.ru_utime - start.ru_utime + end.ru_stime - start.ru_stime
    assert used < 0.03


def threads_of_a_new_process(**environment: str) -> int:
    code = "import nybble.core as mx; print(mx.get_num_threads())"
    variables = {k: v for k, v in os.environ.items() if k != "NYBBLE_NUM_THREADS"} | environment
    output = subprocess.run(
        [sys.executable, "-c", code], env=variables, check=True, capture_output=True
    )
    return int(output.stdout)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs Linux")
def test_by_default_the_cores_of_the_affinity_mask_are_used() -> None:
    mask = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(mask)})
    try:
        assert threads_of_a_new_process() == 1
        assert threads_of_a_new_process(NYBBLE_NUM_THREADS="3") == 3
    finally:
        os.sched_setaffinity(0, mask)
    assert threads_of_a_new_process() <= len(mask)
