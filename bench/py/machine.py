"""What this machine is, and what it can do."""

import datetime
import json
import os
import platform
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import nybble.core as mx

from .results import Limits


def describe() -> dict[str, Any]:
    return {
        "processor": processor_name(),
        "cores": len(os.sched_getaffinity(0)),
        "cache_bytes": largest_cache(),
        "memory_bytes": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        "architecture": platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
        "simd": mx.device_info().get("simd", ""),
        "load": os.getloadavg()[0],
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
    }


def processor_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def largest_cache() -> int:
    """Bytes of the last level; 0 if the system does not tell."""
    units = {"K": 2**10, "M": 2**20}
    sizes = [0]
    for file in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size"):
        text = file.read_text().strip()
        sizes.append(int(text[:-1]) * units[text[-1]] if text[-1] in units else int(text))
    return max(sizes)


def measure_limits(program: Path, threads: Iterable[int]) -> Limits:
    """Runs bench/limits.cpp for each number of threads.

    Raises RuntimeError if there is no such program, or it fails.
    """
    found = {}
    for count in sorted(set(threads)):
        try:
            output = subprocess.run(
                [program, str(count)], capture_output=True, text=True, check=True
            ).stdout
        except (OSError, subprocess.CalledProcessError) as error:
            message = getattr(error, "stderr", "") or str(error)
            raise RuntimeError(f"{program} cannot measure the limits: {message.strip()}") from None
        found[count] = json.loads(output)
    most = found[max(found)]
    return Limits(
        {count: row["read_bytes_per_second"] for count, row in found.items()},
        {count: row["fma_flops_per_second"] for count, row in found.items()},
        most["fork_join_seconds"],
        most["simd"],
    )
