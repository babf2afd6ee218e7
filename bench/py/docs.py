"""Puts the figures of a run into docs/performance.md, between two markers."""

from pathlib import Path

from .plot import draw
from .report import markdown
from .results import Run, save

BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
PAGE, PLOT, DATA = "performance.md", "performance.svg", "performance.json"


def write(run: Run, folder: Path) -> None:
    """Rewrites the section of the page, the plot and the data in a folder."""
    page = folder / PAGE
    text = replace_section(page.read_text(), f"{markdown(run)}\n\n![Figures of this run]({PLOT})")
    draw(run, folder / PLOT)
    save(run, folder / DATA)
    page.write_text(text)


def replace_section(text: str, content: str) -> str:
    """Raises ValueError if the page does not have the two markers, in this order."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"expected '{BEGIN}' and '{END}' in {PAGE}")
    return f"{before}{BEGIN}\n\n{content}\n\n{END}{after}"
