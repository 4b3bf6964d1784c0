import re
from importlib import import_module
from pathlib import Path

from helpers.rule_source import source_of

from torchvitals.callbacks.problem import Problem

PAGE = Path(__file__).parents[2] / "callbacks" / "problems.md"
RULES = "torchvitals.callbacks.diagnosing.rules"
SEVERITIES = ("critical", "warning", "info")


def sections():
    """Severity by code in the sections of the page."""
    text = PAGE.read_text(encoding="utf-8")
    found = re.findall(r"^### `(\w+)`\n\nAt worst: \*\*(\w+)\*\*\. ", text, flags=re.MULTILINE)
    assert len(found) == text.count("\n### ")
    return dict(found)


def test_the_page_has_every_problem_with_its_worst_severity():
    worst = {}
    for problem in Problem:
        source = source_of(import_module(f"{RULES}.{problem.value}"))
        worst[problem.value] = next(s for s in SEVERITIES if re.search(f'"{s}"', source))
    assert sections() == worst


def test_the_page_says_of_every_problem_what_shows_it_and_what_helps():
    for section in PAGE.read_text(encoding="utf-8").split("\n### ")[1:]:
        assert re.search(r"^Symptoms\b.*:$", section, flags=re.MULTILINE), section
        assert re.search(r"^First remed(y|ies): ", section, flags=re.MULTILINE), section


def test_the_contents_of_the_page_are_all_problems_in_its_order():
    contents = re.findall(r"\[(\w+)\]\(#\1\)", PAGE.read_text(encoding="utf-8"))
    assert contents == list(sections())


def test_a_problem_prints_as_its_code():
    assert f"{Problem.DEAD_RELU}" == str(Problem.DEAD_RELU) == "dead_relu"
