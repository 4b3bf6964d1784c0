import re
import sys
from pathlib import Path

import pytest
from helpers.training import run

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: re.findall(r"\w+\(", block)[0])
def test_code_runs_as_it_stands(block, tmp_path):
    run([sys.executable, "-c", block], tmp_path, MPLBACKEND="agg", WANDB_SILENT="true")


def test_there_is_code_for_each_use():
    assert len(BLOCKS) == 8


def test_figures_are_those_that_the_demo_printed():
    printed = (ROOT / "examples/results/demo.txt").read_text()
    demo = README.partition("## Five uses")[0]
    rows = re.findall(r"^\| ([\w ,/]+) \| (.+?) \| (.+?) \|$", demo, flags=re.MULTILINE)
    assert len(rows) == 5
    flat = re.sub(r"[\s│┃]+", " ", printed)
    for title, sick, treated in rows[:-1]:
        first = title.split(",")[0]
        assert re.search(rf"{first}.*? {re.escape(sick)} {re.escape(treated)} ", flat), title


def test_links_lead_to_files():
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link).is_file()] == []
