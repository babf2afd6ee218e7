"""The layers of the engine: an include may only point down."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "cpp" / "nybble"

MAY_INCLUDE = {
    "base": set(),
    "quant": {"base"},
    "kernels": {"base", "quant"},
    "array": {"base"},
    "ops": {"base", "quant", "kernels", "array"},
    "io": {"base", "array"},
}


def wrong_includes(sources: Path) -> list[str]:
    wrong = []
    for file in sorted(sources.rglob("*.[hc]*")):
        layer = file.relative_to(sources).parts[0]
        used = set(re.findall(r'#include "nybble/(\w+)/', file.read_text())) & MAY_INCLUDE.keys()
        wrong += [f"{file.name} -> {other}" for other in used - MAY_INCLUDE[layer] - {layer}]
    return wrong


def test_includes_only_point_down():
    assert not wrong_includes(SOURCES)


def test_an_upward_include_is_found(tmp_path):
    (tmp_path / "kernels").mkdir()
    (tmp_path / "kernels" / "bad.cpp").write_text('#include "nybble/array/array.h"\n')
    assert wrong_includes(tmp_path) == ["bad.cpp -> array"]


def test_only_one_switch_over_dtypes():
    """Cases of the Dtype enum stand in visit_dtype alone."""
    found = {f.name for f in SOURCES.rglob("*.[hc]*") if "case Dtype::" in f.read_text()}
    assert found == {"dtype.h"}


def test_highway_stays_in_the_kernels():
    found = {
        f.relative_to(SOURCES).parts[0]
        for f in SOURCES.rglob("*.[hc]*")
        if re.search(r"#include [<\"]hwy/", f.read_text())
    }
    assert found <= {"kernels"}
