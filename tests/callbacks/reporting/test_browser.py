"""The page in a real browser: Chromium, without a screen."""

import math
import re
import shutil
from dataclasses import replace

import pytest
import torch
from helpers.case_notes import (
    CODE,
    HOSTILE,
    diagnosis,
    hostile_notes,
    large_notes,
    layer_map,
    plain_notes,
)

from torchvitals.callbacks import Remedy
from torchvitals.callbacks.reporting.chart import Chart
from torchvitals.callbacks.reporting.curve import Curve
from torchvitals.callbacks.reporting.finding import Finding
from torchvitals.callbacks.reporting.page import write_page

# The colours at shares of the first map's width, in the middle of its height.
PIXELS = """shares => {
  const canvas = document.querySelector('figure.map .plot canvas');
  const row = canvas.getContext('2d').getImageData(0, canvas.height / 2, canvas.width, 1).data;
  return shares.map((share) => String(row.slice(4 * Math.floor(share * canvas.width)).slice(0, 4)));
}"""
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def chromium():
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip(f"needs a browser: none of {', '.join(BROWSERS)} is installed")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def show(chromium, tmp_path):
    """Open notes as a page; whatever the browser complains about fails the test."""
    complaints, contexts = [], []

    def open_page(notes, *, width=1200, scheme="light", **settings):
        context = chromium.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, **settings
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))
        page.goto(write_page(notes, tmp_path / "report.html").as_uri())
        page.requests = []
        page.on("request", lambda request: page.requests.append(request.url))
        page.complaints = complaints
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def move_to(page, plot, x, y):
    """Put the mouse at these shares of a plot's cells or frame."""
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])


COLOURS = """canvas => {
    const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return new Set(new Uint32Array(data.buffer)).size;
}"""


def test_every_plot_is_drawn(show):
    page = show(plain_notes())
    assert page.locator("h1").inner_text() == "1 problem: dead ReLUs in fc2 since step 40."
    curves = [len(chart.curves) for chart in plain_notes().charts]
    for chart, count in zip(page.locator("figure.chart").all(), curves, strict=True):
        paths = chart.locator("path.curve").all()
        assert len(paths) == count
        assert all(path.bounding_box()["width"] > 50 for path in paths)
        assert chart.locator(".badge").all_inner_texts() != []
    maps = page.locator("figure.map .plot canvas").all()
    assert len(maps) == 3
    for canvas in maps:
        assert canvas.evaluate(COLOURS) > 8
        assert canvas.bounding_box()["width"] > 700
    assert page.locator("figure.chart").first.get_by_text("not finite").count() == 1
    assert page.locator("figure.map").first.locator(".striped").count() == 1


def test_marks_stand_at_the_steps_of_the_findings(show):
    page = show(plain_notes())
    chart = page.locator("figure.chart").first
    frame = chart.locator(".frame").bounding_box()
    placed = {}
    for badge, line in zip(
        chart.locator(".badge text").all(), chart.locator("line.mark").all(), strict=True
    ):
        x = line.bounding_box()["x"]
        placed[badge.text_content()] = 100 * (x - frame["x"]) / frame["width"]
    assert list(placed) == ["1", "2"]
    assert placed["1"] == pytest.approx(20, abs=0.5)
    assert placed["2"] == pytest.approx(40, abs=0.5)
    badge = chart.locator(".badge").nth(1)
    badge.click()
    assert page.url.endswith("#finding-2")
    assert page.locator("#finding-2 .number").inner_text() == "2"


@pytest.mark.parametrize("width", [1200, 390])
def test_hover_shows_the_value_of_a_cell(show, width):
    notes = plain_notes()
    page = show(notes, width=width)
    canvas = page.locator("figure.map .plot canvas").nth(1)
    for row, column in ((0, 0), (1, 5), (2, 9)):
        move_to(page, canvas, (10 * column + 9) / 100, (row + 0.5) / 3)
        step, layer, value = page.locator("#tip div").all_inner_texts()
        assert step == f"step {10 * column + 9}"
        assert layer == f"fc{row + 1}"
        assert float(value) == pytest.approx((column + 1) * (row + 1) / 30, rel=5e-3)
    page.mouse.move(5, 5)
    assert page.locator("#tip").is_hidden()


def test_hover_tells_what_is_no_number(show):
    page = show(plain_notes())
    canvas = page.locator("figure.map .plot canvas").first
    for row, column, words in ((0, 3, "not finite"), (1, 4, "no record")):
        move_to(page, canvas, (10 * column + 9) / 100, (row + 0.5) / 3)
        assert page.locator("#tip div").last.inner_text() == words


def names_of(page, count):
    """The names beside the first map, which come before its axis."""
    texts = page.locator("figure.map").first.locator(".plot > svg > text")
    return texts.all_text_contents()[:count]


@pytest.mark.parametrize(
    ("layers", "shown"),
    [
        (["fc1", "a.rather.long.name.fc1"], ["fc1", "…ong.name.fc1"]),
        (
            [f"encoder.layer_{i}.self_attention" for i in (9, 10, 11)],
            ["…9…_attention", "…10…attention", "…11…attention"],
        ),
        (
            [f"model.layers.{i}.{n}.linear.output" for i in (1, 21) for n in "qk"],
            ["…1.q…r.output", "…1.k…r.output", "…21.q….output", "…21.k….output"],
        ),
        (["x.encoder.layer.weight", "encoder.layer.weight"], ["x.…yer.weight", "…layer.weight"]),
    ],
)
def test_shortened_names_differ(show, layers, shown):
    page = show(plain_notes(layers=layers), width=390)
    assert names_of(page, len(layers)) == shown
    page = show(plain_notes(layers=layers), width=1200)
    assert len(set(names_of(page, len(layers)))) == len(layers)


def test_what_is_above_the_scale_looks_different(show):
    steps = [9, 19, 29]
    values = torch.tensor([[1.0, 10.0, 11.0]]).double()
    page = show(plain_notes(maps=(layer_map("grad_norm", ["fc"], steps, values),)))
    assert page.locator("figure.map .scale p").all_inner_texts() == ["above 10"]
    assert len(set(page.evaluate(PIXELS, [0.09, 0.19, 0.29]))) == 3
    values = values.clamp(max=10)
    page = show(plain_notes(maps=(layer_map("grad_norm", ["fc"], steps, values),)))
    assert page.locator("figure.map .scale p").count() == 0
    assert len(set(page.evaluate(PIXELS, [0.19, 0.29]))) == 1


def test_the_axis_is_that_of_steps(show):
    page = show(plain_notes())
    assert page.locator(".plot .unit").all_text_contents() == ["step"] * 5


def test_not_finite_is_said_beside_the_axis(show):
    chart = Chart("Loss", (Curve("loss", range(100), [math.nan] * 100),))
    page = show(plain_notes(charts=(chart,)))
    frame = page.locator("figure.chart .frame").bounding_box()
    words = page.locator("figure.chart text.not-finite").bounding_box()
    assert words["x"] > frame["x"] + 4


@pytest.mark.parametrize("width", [1200, 390])
def test_code_is_not_cut(show, width):
    code = "torch.optim.Adam(self.parameters(), lr=1e-3)  # and so on, at some length" * 2
    found = replace(diagnosis(), remedies=(Remedy("Do.", f"{code}\n{code}"),))
    page = show(plain_notes(findings=(Finding(found, 40),)), width=width)
    box = page.locator(".code pre").first
    assert box.evaluate("box => box.scrollWidth <= box.clientWidth")
    assert box.inner_text() == f"{code}\n{code}"


def test_hover_on_a_curve_shows_all_curves_and_moves_every_cursor(show):
    page = show(plain_notes())
    move_to(page, page.locator("figure.chart .frame").first, 0.5, 0.3)
    lines = page.locator("#tip div").all_inner_texts()
    assert lines[0] == "step 50"
    assert "training loss of a batch: 1.5" in lines
    assert "validation loss: 1.75" in lines
    assert page.locator("line.cursor").count() == 5


def test_the_keyboard_reaches_every_cell(show):
    page = show(plain_notes())
    page.locator("figure.map .plot").nth(1).focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
    assert page.locator("#tip div").all_inner_texts() == ["step 19", "fc2", "0.133"]
    page.keyboard.press("Escape")
    assert page.locator("#tip").is_hidden()


def test_the_keys_of_the_browser_stay_its_own(show):
    page = show(plain_notes())
    page.locator("figure.map .plot").first.focus()
    page.keyboard.press("Alt+ArrowLeft")
    assert page.locator("#tip").is_hidden()


def test_drag_looks_closer_and_a_button_goes_back(show):
    page = show(plain_notes())
    frame = page.locator("figure.chart .frame").first
    move_to(page, frame, 0.2, 0.3)
    page.mouse.down()
    move_to(page, frame, 0.5, 0.3)
    move_to(page, frame, 0.6, 0.3)
    page.mouse.up()
    assert page.locator(".zoom span").inner_text() == "Steps 20 to 60."
    move_to(page, page.locator("figure.map .plot canvas").nth(1), 0.5, 0.1)
    assert page.locator("#tip div").first.inner_text() == "step 39"
    page.get_by_role("button", name="All steps").click()
    assert page.locator(".zoom").is_hidden()


@pytest.mark.parametrize("key", ["ArrowRight", "ArrowDown"])
def test_the_keyboard_begins_within_the_steps_that_are_shown(show, key):
    page = show(plain_notes())
    frame = page.locator("figure.chart .frame").first
    move_to(page, frame, 0.2, 0.3)
    page.mouse.down()
    move_to(page, frame, 0.6, 0.3)
    page.mouse.up()
    page.locator("figure.map .plot").first.focus()
    page.keyboard.press(key)
    assert page.locator(".zoom").is_visible()
    assert page.locator("figure.map").first.locator("line.cursor").count() == 1


def test_the_mouse_that_rests_does_not_take_the_cursor_from_the_keyboard(show):
    page = show(plain_notes())
    frame = page.locator("figure.chart .frame").first
    move_to(page, frame, 0.4, 0.3)
    page.locator("figure.map .plot").nth(2).focus()  # The page scrolls beneath the mouse.
    assert page.evaluate("scrollY") > 0
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(400)
    assert page.locator("figure.map").nth(2).locator("line.cursor").count() == 1
    assert page.locator("#tip").is_visible()
    move_to(page, page.locator("figure.chart .frame").first, 0.6, 0.3)
    assert page.locator("#tip div").first.inner_text() == "step 60"


def test_an_axis_can_be_logarithmic(show):
    page = show(plain_notes())
    chart = page.locator("figure.chart").nth(1)
    before = chart.locator("path.curve").get_attribute("d")
    chart.get_by_role("button", name="Log axis").click()
    assert chart.locator("path.curve").get_attribute("d") != before
    chart.get_by_role("button", name="Linear axis").click()
    assert chart.locator("path.curve").get_attribute("d") == before


def test_a_loss_that_blows_up_does_not_flatten_what_was_before(show):
    losses = [2.0 - 0.01 * step for step in range(95)] + [10.0**power for power in range(5, 30, 5)]
    chart = Chart("Loss", (Curve("training loss", range(100), losses),))
    page = show(plain_notes(charts=(chart,)))
    assert page.get_by_role("button", name="Linear axis").is_visible()
    assert page.locator("figure.chart .frame").bounding_box()["height"] > 100
    curve = page.locator("figure.chart path.curve").get_attribute("d")
    heights = [float(point.split()[1]) for point in re.split("[ML]", curve)[1:96]]
    assert max(heights) - min(heights) > 20
    move_to(page, page.locator("figure.chart .frame"), 1, 0.5)
    assert page.locator("#tip div").last.inner_text() == "training loss: 1.00e+25"


@pytest.mark.parametrize("shares", [[0.0, 0.0, 0.0], [0.5, 0.5, 0.5], [0.8, 0.9, 0.85]])
def test_the_axis_of_a_share_begins_at_zero(show, shares):
    chart = Chart("Share", (Curve("dead", [0, 50, 100], shares),), from_zero=True)
    page = show(plain_notes(charts=(chart,)))
    labels = page.locator("figure.chart text[text-anchor='end']:not(.unit)")
    ticks = [float(text) for text in labels.all_text_contents()]
    assert min(ticks) == 0
    assert max(ticks) >= max(shares)
    lowest = labels.nth(ticks.index(0)).bounding_box()
    frame = page.locator("figure.chart .frame").bounding_box()
    assert lowest["y"] + lowest["height"] / 2 == pytest.approx(frame["y"] + frame["height"], abs=3)


def test_a_point_that_no_line_leads_to_is_a_whole_dot(show):
    gaps = [math.nan, 0.8, math.nan, 0.5, 0.5, math.nan, math.inf, 0.9]
    charts = (
        Chart("One", (Curve("one", [0], [0.5]),)),
        Chart("Gaps", (Curve("gaps", range(0, 80, 10), gaps),)),
        Chart("Noise", (Curve("noise", range(0, 80, 10), gaps, "faint"),)),
    )
    page = show(plain_notes(charts=charts))
    figures = page.locator("figure.chart")
    assert [figures.nth(i).locator("circle.dot").count() for i in range(3)] == [1, 2, 0]
    assert page.locator("[clip-path] circle").count() == 0


def test_code_is_copied(show):
    page = show(plain_notes())
    button = page.locator(".copy").first
    button.click()
    page.wait_for_function("document.querySelector('.copy').textContent === 'Copied'")
    page.evaluate("document.body.append(document.createElement('textarea'))")
    page.locator("textarea").focus()
    page.keyboard.press("Control+V")
    assert page.locator("textarea").input_value() == CODE


def test_nothing_in_the_data_runs(show):
    notes = hostile_notes()
    page = show(notes)
    assert page.title() == f"{notes.title}: {notes.verdict}"
    assert page.locator("img").count() == 0
    assert page.locator("script").count() == 2
    assert page.locator(".finding .layer code").inner_text() == HOSTILE[1]
    canvas = page.locator("figure.map .plot canvas").first
    for row, name in enumerate(HOSTILE):
        move_to(page, canvas, 0.01, (row + 0.5) / len(HOSTILE))
        assert page.locator("#tip div").nth(1).text_content() == name
    assert page.requests == []


def test_the_browser_would_run_nothing_that_got_in(show):
    page = show(plain_notes())
    page.evaluate("""() => {
        document.body.insertAdjacentHTML("beforeend", "<img src=x onerror='window.ran = 1'>");
        const script = document.createElement("script");
        script.textContent = "window.ran = 1";
        document.body.append(script);
    }""")
    page.wait_for_timeout(200)
    assert page.evaluate("window.ran") is None
    assert any("Content Security Policy" in complaint for complaint in page.complaints)
    page.complaints.clear()


@pytest.mark.parametrize("width", [390, 320])
@pytest.mark.parametrize("notes", [plain_notes, hostile_notes])
def test_no_phone_scrolls_sideways(show, notes, width):
    page = show(notes(), width=width, has_touch=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("figure.map .plot canvas").first.bounding_box()["width"] > width / 2


def test_a_finger_is_not_told_to_drag(show):
    hint = "Drag across a plot"
    assert show(plain_notes()).get_by_text(hint).is_visible()
    assert (
        show(plain_notes(), width=390, is_mobile=True, has_touch=True).get_by_text(hint).is_hidden()
    )


def test_a_tap_shows_the_value_and_another_one_hides_it(show):
    page = show(plain_notes(), width=390, has_touch=True)
    canvas = page.locator("figure.map .plot canvas").first
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] - 5)
    assert page.locator("#tip div").nth(1).inner_text() == "fc3"
    page.locator("h2").first.tap()
    assert page.locator("#tip").is_hidden()


def luminance(colour):
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


STYLE = "(element, name) => getComputedStyle(element).getPropertyValue(name)"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_readable_in_both_schemes(show, scheme):
    page = show(plain_notes(), scheme=scheme)
    back = luminance(page.locator("body").evaluate(STYLE, "background-color"))
    assert back > 0.8 if scheme == "light" else back < 0.05
    card = luminance(page.locator(".finding").first.evaluate(STYLE, "background-color"))
    for place, behind, name in [
        ("h1", back, "color"), (".outcome", back, "color"), (".hint", back, "color"),
        (".evidence", card, "color"), (".critical .severity", card, "color"),
        (".warning .severity", card, "color"), (".tags", card, "color"),
        ("figure.chart text", back, "fill"), (".legend", back, "color"), ("dt", back, "color"),
    ]:  # fmt: skip
        text = luminance(page.locator(place).first.evaluate(STYLE, name))
        contrast = (max(text, behind) + 0.05) / (min(text, behind) + 0.05)
        assert contrast >= 4.5, place  # WCAG 2.2, level AA
    for tone in range(2):
        line = luminance(page.locator(f"path.tone-{tone}").first.evaluate(STYLE, "stroke"))
        assert (max(line, back) + 0.05) / (min(line, back) + 0.05) >= 3


def test_a_change_of_scheme_redraws_the_maps(show):
    page = show(plain_notes())
    pixel = "canvas => [...canvas.getContext('2d').getImageData(2, 2, 1, 1).data]"
    canvas = page.locator("figure.map .plot canvas").nth(1)
    light = canvas.evaluate(pixel)
    page.emulate_media(color_scheme="dark")
    page.wait_for_timeout(100)
    assert sum(canvas.evaluate(pixel)[:3]) < sum(light[:3]) / 2
    page.complaints.clear()  # Chromium's advice to who reads pixels often


def test_print_leaves_out_what_only_a_screen_can_do(show):
    page = show(plain_notes(), scheme="dark")
    page.emulate_media(media="print")
    assert not any(button.is_visible() for button in page.get_by_role("button").all())
    assert luminance(page.locator("body").evaluate(STYLE, "background-color")) > 0.9


def test_without_scripts_the_findings_are_there(show):
    page = show(plain_notes(), java_script_enabled=False)
    assert "99% of fc2 are dead." in page.locator(".evidence").first.inner_text()
    assert page.locator("noscript").inner_text()
    assert not page.locator(".copy").first.is_visible()


def test_a_long_training_of_a_deep_network_is_shown_quickly(show):
    page = show(large_notes())
    page.locator("figure.map .plot canvas").last.wait_for()
    assert page.evaluate("performance.getEntriesByType('navigation')[0].domComplete") < 10_000
    move_to(page, page.locator("figure.map .plot canvas").first, 1 / 3, 150.5 / 300)
    _, layer, value = page.locator("#tip div").all_inner_texts()
    assert layer == "encoder.blocks.150.attention.projection"
    assert float(value) == 9.0
    moved = page.evaluate("""() => {
        const plot = document.querySelector("figure.map .plot"), box = plot.getBoundingClientRect();
        const started = performance.now();
        for (let i = 0; i < 50; i++)
            plot.dispatchEvent(new PointerEvent("pointermove", {
                clientX: box.left + 200 + i, clientY: box.top + 50, bubbles: true}));
        return (performance.now() - started) / 50;
    }""")
    assert moved < 50
