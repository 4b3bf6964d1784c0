import csv
import json
import re
import sys
from pathlib import Path

import pytest
import torch
from helpers.images import write_images
from helpers.training import run
from helpers.wandb_file import finished_file, series
from sklearn.datasets import load_iris

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.mark.parametrize(
    "name", ["add_a_callback", "subclass_a_module", "log_to_wandb", "train_on_a_table"]
)
def test_example_runs(name, tmp_path):
    printed = run([sys.executable, EXAMPLES / f"{name}.py"], tmp_path)
    if name == "add_a_callback":
        assert printed.count("% dead") == 17
    if name == "subclass_a_module":
        assert "test_accuracy" in printed
    if name == "train_on_a_table":
        assert "sex=female, sex=male" in printed
        r2 = float(re.search(r"test_r2 +│ +([\d.]+)", printed)[1])
        assert r2 > 0.3
        first, second = json.loads(re.search(r"progression: (.*)", printed)[1])
        assert 25 < second < first < 346  # the range of the study
    if name == "log_to_wandb":
        path = finished_file(tmp_path, "runs/wandb/offline-run-*/*.wandb")
        assert len(series(path, "grad_norm/total")) == 5


def test_who_is_not_logged_in_to_wandb_is_told_so(tmp_path):
    command = [sys.executable, EXAMPLES / "log_to_wandb.py"]
    nobody = {"HOME": str(tmp_path), "NETRC": str(tmp_path / "netrc"), "WANDB_API_KEY": ""}
    printed = run(command, tmp_path, WANDB_MODE="online", **nobody)
    assert "Not logged in to W&B, logging offline instead: run `wandb login`." in printed
    assert finished_file(tmp_path, "runs/wandb/offline-run-*/*.wandb")


def test_the_report_example_writes_the_page_of_a_sick_run(tmp_path):
    printed = run([sys.executable, EXAMPLES / "report_page.py"], tmp_path)
    assert "Open runs/report_page/report.html in a browser." in printed
    page = (tmp_path / "runs/report_page/report.html").read_text(encoding="utf-8")
    assert '<header class="verdict critical">' in page


def test_the_demo_shows_what_it_claims(tmp_path):
    printed = run([sys.executable, EXAMPLES / "demo.py"], tmp_path, COLUMNS="120")
    rows = {}
    for line in printed.splitlines():
        title, *cells = (cell.strip() for cell in re.split("[│┃]", line.strip("│┃")))
        if title and len(cells) == 2:
            rows[title] = cells
    sick, treated = (float(cell.rstrip("%")) for cell in rows["test digits right"])
    assert sick < 20
    assert treated > 98
    sick, treated = map(float, rows["gradient per weight, first / last layer"])
    assert sick < 1e-5
    assert 0.1 < treated < 10
    assert rows["dead ReLUs"][0] == "no ReLU in it"
    assert "val_loss" in rows["why it stopped"][0]
    assert (tmp_path / "runs/demo/gradient_norms.png").stat().st_size > 10_000
    for name in ("sick", "treated"):
        path = finished_file(tmp_path, f"runs/demo/{name}/wandb/offline-run-*/*.wandb")
        assert len(series(path, "grad_norm/total")) > 100
        assert list(tmp_path.glob(f"runs/demo/{name}/csv/*/metrics.csv"))


def test_what_helps_writes_its_table_figures_and_picture(tmp_path):
    command = [sys.executable, EXAMPLES / "what_helps.py", "--only", "batch", "--seeds", "2"]
    printed = run([*command, "--epochs", "2"], tmp_path)
    assert "| all training images |" in printed
    out = tmp_path / "runs/what_helps"
    assert [row["name"] for row in json.loads((out / "digits.json").read_text())][1:3] == [
        "1",
        "32",
    ]
    assert (out / "digits.md").read_text().count("\n| ") >= 6
    assert (out / "digits.png").stat().st_size > 10_000


def test_the_page_holds_what_the_example_wrote():
    page = (EXAMPLES / "what_helps.md").read_text()
    for data in ("digits", "mnist5k"):
        assert (EXAMPLES / f"results/what_helps_{data}.md").read_text() in page


def test_the_command_line_trains_resumes_and_tests(tmp_path):
    command = [sys.executable, "-m", "torchvitals"]
    train = [*command, "fit", "--config", EXAMPLES / "digits.yaml"]
    run([*train, "--trainer.max_epochs=1"], tmp_path)
    (checkpoint,) = tmp_path.glob("runs/digits/lightning_logs/*/checkpoints/*.ckpt")
    run([*train, "--trainer.max_epochs=2", "--ckpt_path", checkpoint], tmp_path)
    assert len(list(tmp_path.glob("runs/digits/lightning_logs/*/checkpoints/*.ckpt"))) == 2
    test = [*command, "test", "--config", EXAMPLES / "digits.yaml", "--ckpt_path", checkpoint]
    assert "test_accuracy" in run(test, tmp_path)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--model.norm=batchnorm", "error: Expected `norm` to be one of"),
        ("--data.dataset=digts", "Did you mean 'digits'?"),
    ],
)
def test_the_command_line_says_what_is_wrong_without_a_traceback(argument, message, tmp_path):
    command = [sys.executable, "-m", "torchvitals", "fit", "--config", EXAMPLES / "digits.yaml"]
    with pytest.raises(AssertionError) as failure:
        run([*command, argument], tmp_path)
    assert "exited with 2" in str(failure.value)
    assert message in str(failure.value)
    assert "Traceback" not in str(failure.value)


def test_the_command_line_runs_all_seams_on_a_folder_of_images(tmp_path):
    write_images(tmp_path / "my_images", {"cat": 40, "dog": 12}, size=(20, 16))
    config = EXAMPLES / "folder_of_images.yaml"
    fast = ["--trainer.max_epochs=1", "--trainer.accelerator=cpu", "--data.image_size=16"]
    fast += ["--model.width=4", "--trainer.logger=false"]
    command = [sys.executable, "-m", "torchvitals"]
    run([*command, "fit", "--config", config, *fast], tmp_path)
    (checkpoint,) = tmp_path.glob("runs/folder_of_images/checkpoints/*.ckpt")
    state = torch.load(checkpoint, weights_only=True)["ImageDataModule"]
    assert state["class_names"] == ["cat", "dog"]
    evaluate = ["--config", config, *fast, "--ckpt_path", checkpoint]
    assert "val_accuracy" in run([*command, "validate", *evaluate], tmp_path)
    assert "test_accuracy" in run([*command, "test", *evaluate], tmp_path)
    run([*command, "predict", *evaluate], tmp_path)


def write_rows(path, header, rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def test_the_command_line_runs_on_a_table_and_on_texts(tmp_path):
    study = load_iris()
    names = study.target_names[study.target]
    rows = [[*measures, name] for measures, name in zip(study.data, names, strict=True)]
    write_rows(tmp_path / "iris.csv", [*study.feature_names, "species"], rows)
    texts = [[f"the {word} number {i}", word] for i in range(40) for word in ("match", "sauce")]
    write_rows(tmp_path / "my_texts.csv", ["text", "label"], texts)
    for example, score in (("table", 0.85), ("texts", 0.95)):
        config = ["--config", EXAMPLES / f"{example}.yaml", "--trainer.accelerator=cpu"]
        command = [sys.executable, "-m", "torchvitals"]
        run([*command, "fit", *config, "--trainer.logger=false"], tmp_path)
        (checkpoint,) = tmp_path.glob(f"runs/{example}/checkpoints/*.ckpt")
        evaluate = [*config, "--ckpt_path", checkpoint, "--trainer.logger=false"]
        found = run([*command, "test", *evaluate], tmp_path)
        (accuracy,) = re.findall(r"test_accuracy\W+([\d.]+)", found)
        assert float(accuracy) >= score
