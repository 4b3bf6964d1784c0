import base64
import hashlib
import json
import math
import re
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch
from helpers.case_notes import HOSTILE, hostile_notes, large_notes, layer_map, plain_notes

from torchvitals.callbacks.reporting.case_notes import CaseNotes
from torchvitals.callbacks.reporting.chart import Chart
from torchvitals.callbacks.reporting.curve import Curve
from torchvitals.callbacks.reporting.page import render_page, write_page


class Elements(HTMLParser):
    """Every element with its attributes and its own text, as a browser splits them."""

    def __init__(self, page):
        super().__init__()
        self.found = []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes), []))

    def handle_endtag(self, tag):
        self.found.append(("", {}, []))

    def handle_data(self, data):
        if self.found:
            self.found[-1][2].append(data)

    def all(self, tag):
        return [(attributes, "".join(text)) for name, attributes, text in self.found if name == tag]


def figures(page):
    ((_, text),) = [
        (attributes, text)
        for attributes, text in Elements(page).all("script")
        if attributes.get("type") == "application/json"
    ]
    return json.loads(text)


@pytest.mark.parametrize("notes", [plain_notes(), hostile_notes()])
def test_only_the_script_and_the_style_of_the_file_are_allowed(notes):
    elements = Elements(render_page(notes))
    (policy,) = [
        attributes["content"]
        for attributes, _ in elements.all("meta")
        if attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    for tag, rule in (("script", "script-src"), ("style", "style-src")):
        (text,) = [
            text
            for attributes, text in elements.all(tag)
            if "json" not in attributes.get("type", "")
        ]
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules[rule] == f"'sha256-{digest}'"


def test_the_page_asks_for_nothing_else():
    page = render_page(plain_notes())
    for tag, attributes, _ in Elements(page).found:
        assert not {"src", "srcset", "style", "onclick", "onload"} & attributes.keys()
        assert attributes.get("href", "#").startswith("#"), tag
    # The name of SVG's namespace is no address.
    assert re.findall(r"https?://[^\"]+", page) == ["http://www.w3.org/2000/svg"]


def test_hostile_texts_make_no_element():
    plain, hostile = Elements(render_page(plain_notes())), Elements(render_page(hostile_notes()))
    assert {tag for tag, _, _ in hostile.found} <= {tag for tag, _, _ in plain.found} | {"ul"}
    assert len(hostile.all("script")) == 2
    assert figures(render_page(hostile_notes()))["maps"][0]["layers"] == list(HOSTILE)
    shown = " ".join(text for _, _, parts in hostile.found for text in parts)
    assert "49" not in [word.strip() for word in shown.split("\n")]


def test_numbers_arrive():
    found = figures(render_page(plain_notes()))
    notes = plain_notes()
    for chart, expected in zip(found["charts"], notes.charts, strict=True):
        for curve, source in zip(chart["curves"], expected.curves, strict=True):
            assert curve["steps"] == list(source.steps)
            values = [float(value) for value in curve["values"]]
            assert values == pytest.approx(source.values, rel=1e-4, nan_ok=True)
    for shown, source in zip(found["maps"], notes.maps, strict=True):
        rows = [[math.nan if v is None else float(v) for v in row] for row in shown["values"]]
        assert torch.allclose(
            torch.tensor(rows, dtype=torch.float64), source.values, rtol=6e-3, equal_nan=True
        )
    assert [(m["number"], m["since"], m["withdrawn"]) for m in found["marks"]] == [
        (2, 40, None),
        (1, 20, 60),
    ]
    assert found["end"] == 100


@pytest.mark.parametrize(
    ("values", "logarithmic"),
    [
        ([2.3, 2.0, 0.5], False),
        ([2.3, 0.1, 0.001], True),
        ([1.0, 1.1, 1.2, 90.0], True),
        ([0.0, 1.0, 900.0], False),
        ([-1.0, 1e6], False),
        ([math.nan, math.inf], False),
        ([1.0], False),
    ],
)
def test_an_axis_is_logarithmic_where_a_linear_one_shows_nothing(values, logarithmic):
    chart = Chart("Loss", (Curve("loss", range(len(values)), values),))
    found = figures(render_page(plain_notes(charts=(chart,))))
    assert found["charts"][0]["logarithmic"] is logarithmic


def test_a_training_without_a_step_has_a_page():
    page = render_page(
        CaseNotes("run", "unknown", "No verdict: no step is recorded.", "Broke off.")
    )
    assert "<h1>No verdict: no step is recorded.</h1>" in page
    assert figures(page) == {"end": 1, "marks": [], "charts": [], "maps": []}


def test_one_report_of_one_layer_has_a_map():
    notes = plain_notes(maps=(layer_map("drift", ["fc"], [0], torch.tensor([[0.5]])),))
    (shown,) = figures(render_page(notes))["maps"]
    assert (shown["steps"], shown["values"]) == ([0], [[0.5]])


def test_a_large_training_is_a_small_file_made_quickly():
    notes = large_notes()
    started = time.process_time()
    page = render_page(notes)
    assert time.process_time() - started < 10
    assert len(page) < 3_000_000
    found = figures(page)
    assert max(found["charts"][0]["curves"][0]["values"]) == 40
    assert max(max(row) for row in found["maps"][0]["values"]) == 9


def test_the_file_is_replaced_as_a_whole(tmp_path):
    path = tmp_path / "new" / "report.html"
    assert write_page(plain_notes(), str(path)) == path
    first = path.read_text(encoding="utf-8")
    write_page(plain_notes(title="another"), path)
    assert path.read_text(encoding="utf-8") != first
    assert [file.name for file in path.parent.iterdir()] == ["report.html"]


def test_a_full_disk_keeps_nothing_of_a_page(tmp_path, monkeypatch):
    def fill(path, text, **_):
        path.write_bytes(b"a part")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", fill)
    with pytest.raises(OSError, match="No space left"):
        write_page(plain_notes(), tmp_path / "report.html")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_no_file_for_a_page(tmp_path):
    with pytest.raises(IsADirectoryError, match=r"`path` to be the path of a file.*report\.html"):
        write_page(plain_notes(), tmp_path)
    with pytest.raises(TypeError, match="`path` to be the path of a file, but got 3"):
        write_page(plain_notes(), 3)
    assert list(tmp_path.iterdir()) == []
