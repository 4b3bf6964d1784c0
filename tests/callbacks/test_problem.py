import inspect
import re
from importlib import import_module
from pathlib import Path

from torchvitals.callbacks.problem import Problem

PAGE = Path(__file__).parents[2] / "callbacks" / "problems.md"
RULES = "torchvitals.callbacks.diagnosing.rules"
SEVERITIES = ("critical", "warning", "info")


def rows():
    """Severity by code in the tables of the page."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    cells = [line.split("|") for line in lines if line.startswith("| `")]
    return {row[1].strip(" `"): row[4].strip() for row in cells}


def test_the_page_has_every_problem_with_its_worst_severity():
    worst = {}
    for problem in Problem:
        source = inspect.getsource(import_module(f"{RULES}.{problem.value}"))
        worst[problem.value] = next(s for s in SEVERITIES if re.search(f'"{s}"', source))
    assert rows() == worst


def test_a_problem_prints_as_its_code():
    assert f"{Problem.DEAD_RELU}" == str(Problem.DEAD_RELU) == "dead_relu"
