"""`./dev bench` on tiny sizes: every case's results are checked, and the writers work."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import nybble.core as mx

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.py import (  # noqa: E402
    __main__,
    cases,
    docs,
    machine,
    matrices,
    plot,
    report,
    results,
    runner,
    targets,
)
from bench.py.case import TINY, Case, Contestant, Plan  # noqa: E402

PLAN = Plan(TINY, threads=2, quick=False)
ONCE = runner.Effort(rounds=1, seconds=0.0, least=1, slow=1.0)
LIMITS = results.Limits({1: 10e9, 2: 20e9}, {1: 50e9, 2: 100e9}, 1e-6, "avx2")
ALL = cases.all_cases()


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)
def test_every_case_is_right_or_says_what_is_missing(case):
    result = runner.run(case, PLAN, ONCE)
    assert not result.wrong, result.errors
    if results.OURS in result.times:
        assert result.errors[results.OURS] <= 1.0
    else:
        assert result.notes


def test_names_are_unique_and_targets_name_cases_that_exist():
    names = [case.name for case in ALL]
    assert len(set(names)) == len(names)
    for name in (cases.ONE, cases.PROMPT, cases.DENSE_FLOAT, cases.ALONE):
        assert name in names


def example_case(times_wrong: float = 0.0, *wanted: targets.Target) -> Case:
    contestant = Contestant([lambda: 1, lambda: 2], lambda index, result: times_wrong)
    return Case("example", "Section", lambda _: {"nybble": contestant, "NumPy": contestant},
                bytes=1000, flops=10, bound="read", threads=2, targets=wanted)  # fmt: skip


def test_wrong_results_are_not_timed():
    for error in (1.5, float("nan")):
        result = runner.run(example_case(error), PLAN, ONCE)
        assert result.wrong == ["nybble", "NumPy"] and not result.times


def test_all_matrices_take_turns():
    used = []
    calls = [lambda i=i: used.append(i) for i in range(3)]
    runner.one_turn(Contestant(calls, lambda *_: 0.0), count=5, first=0)
    assert used[-5:] == [0, 1, 2, 0, 1]


def test_a_check_finds_a_small_error():
    product = cases.Product()
    made = cases.case("x", "y", product).make(PLAN)["nybble"]
    result = np.array(made.calls[0]())
    assert made.error(0, result) <= 1.0
    assert made.error(0, result * (1 + 2.0**-10)) > 1.0


def test_decoding_agrees_with_dequantize():
    for format in (matrices.Format(3), matrices.Format(4, 32), matrices.Format(1, 128)):
        matrix = matrices.make_matrix(format, (4, 256), seed=1)
        parts = [mx.array(part) for part in (matrix.words, matrix.scales, matrix.biases)]
        dense = mx.dequantize(*parts, group_size=format.group_size, bits=format.bits)
        np.testing.assert_array_equal(np.array(dense), matrix.dense(slice(None)).astype(np.float32))
        np.testing.assert_array_equal(
            matrix.dense(slice(1, 3), slice(0, 1)),
            matrix.dense(slice(None))[1:3, : format.group_size],
        )


@pytest.mark.parametrize("mode", matrices.FP_MODES)
def test_decoding_of_small_floats_agrees_with_mlx(mode):
    mlx = pytest.importorskip("mlx.core")
    group_size, bits = matrices.FP_MODES[mode]
    matrix = matrices.make_matrix(matrices.Format(bits, group_size, mode), (4, 128), seed=1)
    dense = mlx.dequantize(
        mlx.array(matrix.words), mlx.array(matrix.scales), None, group_size, bits, mode,
        dtype=mlx.float32,
    )  # fmt: skip
    np.testing.assert_array_equal(np.array(dense), matrix.dense(slice(None)))


@pytest.fixture
def example_run():
    wanted = (targets.share_of_limit(0.5), targets.faster_than("NumPy", 2.0),
              targets.time_against("not there", 1.0), targets.seconds(1.0))  # fmt: skip
    case = example_case(0.0, *wanted)
    result = runner.run(case, PLAN, ONCE)
    for name, median in (("nybble", 1e-7), ("NumPy", 1.5e-7)):
        result.times[name] = results.Summary(3, median, 0.01, median)
    skipped = results.Result("other", "Section", notes=["nybble has no other yet"])
    settings = {"threads": 2, "quick": True}
    run = results.Run(machine.describe(), {"nybble": "1"}, settings, LIMITS, [result, skipped])
    __main__.judge([case, Case("other", "Section", lambda _: {})], run)
    return run


def test_targets_are_met_missed_or_open(example_run):
    verdicts = example_run.results[0].verdicts
    assert [verdict.met for verdict in verdicts] == [True, False, None, True]
    assert verdicts[0].value == pytest.approx(0.5) and verdicts[1].value == pytest.approx(1.5)


def test_json_comes_back_as_it_was(example_run, tmp_path):
    results.save(example_run, tmp_path / "run.json")
    assert results.load(tmp_path / "run.json") == example_run
    (tmp_path / "other.json").write_text(json.dumps({"schema": 0}))
    with pytest.raises(ValueError, match="not a file that"):
        results.load(tmp_path / "other.json")


def test_tables_show_figures_and_notes(example_run, capsys):
    report.print_run(example_run, report.make_console(stderr=False))
    text = capsys.readouterr().out
    for part in (
        "100 ns",
        "10 GB/s",
        "50%",
        "(1.5x)",
        "MISSED",
        "at least 2 times as fast as NumPy",
        "has no other yet",
        "2 met, 1",
    ):
        assert part in text


def test_docs_replace_their_section_and_nothing_else(example_run, tmp_path):
    page = tmp_path / docs.PAGE
    page.write_text(f"before\n{docs.BEGIN}\nold\n{docs.END}\nafter\n")
    docs.write(example_run, tmp_path)
    first = page.read_text()
    assert first.startswith("before\n") and first.endswith("after\n") and "old" not in first
    assert "| example |" in first and docs.PLOT in first
    docs.write(example_run, tmp_path)
    assert page.read_text() == first
    assert (tmp_path / docs.PLOT).read_text().lstrip().startswith("<?xml")
    assert results.load(tmp_path / docs.DATA) == example_run
    page.write_text("no markers")
    with pytest.raises(ValueError, match="expected"):
        docs.write(example_run, tmp_path)


def test_the_page_has_its_markers():
    text = (ROOT / "docs" / docs.PAGE).read_text()
    assert docs.replace_section(text, "x").count("x") >= 1


def test_a_plot_of_nothing_is_drawn(example_run, tmp_path):
    example_run.results.clear()
    plot.draw(example_run, tmp_path / "empty.png")
    assert (tmp_path / "empty.png").stat().st_size > 0


def test_the_command_line_refuses_what_it_cannot_do(tmp_path):
    def run(*arguments):
        command = [sys.executable, "-m", "bench.py", *arguments]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert "ending in .svg" in run("--plot", "figures.txt").stderr
    missing = run("--only", "no such case", "--limits", str(tmp_path / "none"))
    assert missing.returncode == 2 and "there are:" in missing.stderr
    assert cases.ONE in missing.stderr


def test_limits_need_their_program(tmp_path):
    with pytest.raises(RuntimeError, match="cannot measure the limits"):
        machine.measure_limits(tmp_path / "none", [1])
    failing = tmp_path / "failing"
    failing.write_text("#!/bin/sh\necho no such CPU >&2\nexit 1\n")
    failing.chmod(0o755)
    with pytest.raises(RuntimeError, match="no such CPU"):
        machine.measure_limits(failing, [1])
