import re
import sys
from pathlib import Path

import pytest
from helpers.training import run

from torchvitals.callbacks import Problem

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
PAGES = [
    "README.md",
    "benchmarks/README.md",
    "benchmarks/clinic/README.md",
    "callbacks/problems.md",
]


@pytest.mark.parametrize("block", BLOCKS[1:], ids=lambda block: re.findall(r"\w+\(", block)[0])
def test_code_runs_as_it_stands(block, tmp_path):
    run([sys.executable, "-c", block], tmp_path, MPLBACKEND="agg", WANDB_SILENT="true")


def test_the_first_code_prints_what_stands_below_it(tmp_path):
    shown = README.partition(BLOCKS[0])[2].split("```\n")[2]
    log = "import sys, logging; logging.basicConfig(stream=sys.stdout, format='%(message)s')\n"
    printed = run([sys.executable, "-c", log + BLOCKS[0]], tmp_path).splitlines()
    assert len(shown.splitlines()) == 2
    assert [line for line in shown.splitlines() if line not in printed] == []


def test_there_is_code_for_each_use():
    assert len(BLOCKS) == 9


def test_the_number_of_problems_is_that_of_the_doctor():
    assert f"[{len(Problem)} problems]" in README


def test_figures_are_those_that_the_demo_printed():
    printed = (ROOT / "examples/results/demo.txt").read_text()
    demo = README.partition("## Two commands")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([\w ,/]+) \| (.+?) \| (.+?) \|$", demo, flags=re.MULTILINE)
    assert len(rows) == 5
    flat = re.sub(r"[\s│┃]+", " ", printed)
    for title, sick, treated in rows[:-1]:
        first = title.split(",")[0]
        assert re.search(rf"{first}.*? {re.escape(sick)} {re.escape(treated)} ", flat), title


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files(page):
    path = ROOT / page
    links = [link for link in links_of(path.read_text()) if link[0] != "#" and "://" not in link]
    assert links
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_the_table_of_contents_leads_to_headings():
    headings = re.findall(r"^#+ (.+)$", README, flags=re.MULTILINE)
    anchors = {"#" + re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in headings}
    assert set(links_of(README)) >= {"#quickstart", "#faq"}
    assert [link for link in links_of(README) if link[0] == "#" and link not in anchors] == []


def test_every_result_of_a_benchmark_is_on_the_page_of_the_benchmarks():
    links = links_of((ROOT / "benchmarks/README.md").read_text())
    results = {f"results/{path.name}" for path in (ROOT / "benchmarks/results").glob("*.txt")}
    assert results
    assert results - set(links) == set()


def links_of(page):
    return re.findall(r"\]\(([^)]+)\)", page)
