"""What a remedy has to paste is Python, and has the names and numbers of the training at hand."""

import ast

import pytest
from helpers.rule_source import source_of
from helpers.vital_signs import FLAT, SMALL, vitals
from torch import nn

from torchvitals.callbacks import Problem as P
from torchvitals.callbacks.diagnosing.examination import RULES, examine
from torchvitals.callbacks.diagnosing.vital_signs.signs import Layer


def parses(code):
    """Whether it is a statement, or arguments."""
    for form in (code, f"f({code})"):
        try:
            tree = ast.parse(form)
        except SyntaxError:
            continue
        # What is to be filled in by the reader is none.
        return not any(isinstance(n, ast.Constant) and n.value is ... for n in ast.walk(tree))
    return False


def text_of(node):
    """What a literal says, with 1 for what is put in."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(p.value if isinstance(p, ast.Constant) else "1" for p in node.values)
    return ""


WRITTEN = [
    text_of(call.args[1])
    for rule in RULES
    for call in ast.walk(ast.parse(source_of(rule)))
    if isinstance(call, ast.Call) and ast.unparse(call.func) == "Remedy" and len(call.args) > 1
]


@pytest.mark.parametrize("code", sorted(set(filter(None, WRITTEN))))
def test_what_is_written_down_can_be_pasted(code):
    assert parses(code)


@pytest.mark.parametrize("code", ["net.0.requires_grad_(True)", "l1=..., l2=...", 'a="b", or c'])
def test_what_cannot_is_told(code):
    assert not parses(code)


def remedies_of(problem, signs):
    return next(s.remedies for s in examine(signs) if s.problem is problem)


def frozen(*names):
    return [Layer(name, 20_000, trained=False, as_drawn=True) for name in names]


def run(code, model):
    exec(code, {"model": model})
    return [name for name, p in model.named_parameters() if p.requires_grad]


def network():
    layers = [nn.Linear(2, 2) for _ in range(3)]
    model = nn.Module()
    model.body, model.head = nn.Sequential(*layers), nn.Linear(2, 2)
    model.scale = nn.Parameter(nn.Linear(2, 2).weight.detach())
    return model


def test_a_body_that_is_frozen_as_drawn_is_let_train_as_a_whole():
    layers = [*frozen("body.0", "body.1", "body.2"), Layer("head", 10, has_gradient=True)]
    signs = vitals(FLAT, layers=layers)
    *_, train = remedies_of(P.FROZEN_PARAMETER, signs)
    model = network().requires_grad_(False)
    assert run(train.code, model) == [f"body.{i}.{n}" for i in range(3) for n in ("weight", "bias")]


@pytest.mark.parametrize("names", [["body.0"], ["body.0", "body.2"]])
def test_layers_without_a_gradient_are_frozen_by_name(names):
    layers = [Layer(name, 10, has_gradient=name not in names) for name in ("body.0", "body.2")]
    layers.append(Layer("head", 90, has_gradient=True))
    *_, freeze = remedies_of(P.FROZEN_PARAMETER, vitals(FLAT, layers=layers))
    left = run(freeze.code, network())
    assert not any(one.startswith(f"{name}.") for name in names for one in left)
    assert "head.weight" in left


def test_a_parameter_is_frozen_by_name():
    *_, freeze = remedies_of(P.FROZEN_PARAMETER, vitals(FLAT, forgotten_parameters=["scale"]))
    assert "scale" not in run(freeze.code, network())


@pytest.mark.parametrize("name", ["valid/loss", 'a "loss"'])
def test_stopping_early_watches_what_was_read(name):
    signs = vitals(
        SMALL, validation_losses=[1.0, 0.9, 1.3, 1.4, 1.5], validation_name=name,
        training_epoch_losses=[1.0, 0.5, 0.4, 0.3, 0.2],
    )  # fmt: skip
    call = ast.parse(remedies_of(P.OVERFITTING, signs)[0].code).body[0].value
    assert call.args[0].value == name


def test_a_hundredth_of_a_weight_decay_is_of_the_one_at_hand():
    signs = vitals(FLAT, weight_decay=3.0, decay_pulls=[12.0, 9.0, 8.0])
    assert remedies_of(P.OVER_REGULARIZED, signs)[-1].code == "weight_decay=0.03"


@pytest.mark.parametrize("by_gradients", [True, False])
def test_what_is_clipped_to_nothing_is_clipped_less(by_gradients):
    signs = vitals(
        FLAT, weight_decay=1e-4, decay_pulls=[9.0] * 5, clip_norm=1e-4, total_updates=[1e-5] * 10,
        total_gradients=[2.0, 3.0, 4.0], steps_by_gradients=by_gradients,
    )  # fmt: skip
    problem = P.LEARNING_RATE_TOO_LOW if by_gradients else P.OVER_REGULARIZED
    assert remedies_of(problem, signs)[0].code == "Trainer(gradient_clip_val=3)"


@pytest.mark.parametrize("by_gradients", [True, False])
def test_of_a_modules_own_clipping_it_is_told_where_to_look(by_gradients):
    signs = vitals(
        FLAT, total_updates=[1e-6] * 10, clips_itself=True, steps_by_gradients=by_gradients
    )
    told = "configure_gradient_clipping" in remedies_of(P.LEARNING_RATE_TOO_LOW, signs)[0].advice
    assert told == by_gradients


def test_clipping_of_long_gradients_alone_is_no_cause():
    """A norm that is usual: it shortens them by half, and no step is small for it."""
    signs = vitals(
        FLAT, clip_norm=1.0, total_updates=[1e-5] * 10, total_gradients=[2.0, 2.0, 2.0],
        steps_by_gradients=True,
    )  # fmt: skip
    assert "learning rate" in remedies_of(P.LEARNING_RATE_TOO_LOW, signs)[0].advice


def test_an_optimiser_whose_step_was_forgotten_is_to_make_it():
    layers = [Layer("a", 9, has_gradient=True), Layer("b", 9, has_gradient=True, stepped=False)]
    signs = vitals(FLAT, layers=layers)
    (symptom,) = [s for s in examine(signs) if s.problem is P.FROZEN_PARAMETER]
    assert symptom.remedies[0].code == "optimizer.step()"


@pytest.mark.parametrize(("best", "said"), [(0.9, "50% above"), (1e-3, "1.35e+03 times")])
def test_how_far_a_loss_is_above_its_best_can_be_read(best, said):
    signs = vitals(
        SMALL, validation_losses=[2.0, best, 1.35, 1.35, 1.35, 1.35],
        training_epoch_losses=[2.0, 1.0, 0.5, 0.3, 0.1, 0.05],
    )  # fmt: skip
    (symptom,) = [s for s in examine(signs) if s.problem is P.OVERFITTING]
    assert f"at least {said} its best" in symptom.evidence
