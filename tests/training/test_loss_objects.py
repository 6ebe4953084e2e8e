"""Losses as objects: their values and gradients, places that count differently, files, and what is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import fastrnn as fr
from fastrnn.equations import exp
from fastrnn.reference.element_losses import ELEMENT_LOSSES, element_loss
from fastrnn.reference.losses import loss_shares
from tests.helpers.losses import TABLE, Row

N, T, F, OUTPUTS = 21, 6, 3, 5
BOUNDS = {"float64": 1e-12, "float32": 3e-5}
IDS = [repr(row.loss) for row in TABLE]
SPARSE = fr.SparseCategoricalCrossentropy


def make_model(
    activation: str = "linear", dtype: str = "float64", every_step: bool = True, outputs: int = OUTPUTS
) -> Any:
    stack = [fr.GRU(7, return_sequences=every_step), fr.Dense(outputs, activation)]
    model = fr.Sequential(stack, input_size=F, dtype=dtype, seed=1)
    rng = np.random.default_rng(2)
    model.set_weights([rng.standard_normal(weight.shape) for weight in model.get_weights()])
    return model


def make_targets(kind: str, shape: tuple[int, ...], dtype: str) -> Any:
    rng = np.random.default_rng(3)
    if kind == "counts":
        return rng.poisson(2.0, shape).astype(dtype)
    if kind == "distributions":
        return rng.dirichlet(np.ones(shape[-1]), shape[:-1]).astype(dtype)
    return rng.standard_normal(shape).astype(dtype)


def parts() -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(4)
    return rng.standard_normal((N, T, F)), rng.integers(0, 3, N) / 2.0, rng.integers(0, T + 1, N)


@pytest.mark.parametrize("row", TABLE, ids=IDS)
def test_slopes_of_the_reference_are_those_of_differences(row: Row) -> None:
    value, slope = ELEMENT_LOSSES[row.loss.kind]
    y = np.random.default_rng(0).uniform(0.05, 0.9, 50)
    target = np.abs(make_targets("numbers", (50,), "float64")) if row.targets != "numbers" else y[::-1] + 0.013
    wanted = (value(y + 1e-6, target, **row.settings) - value(y - 1e-6, target, **row.settings)) / 2e-6
    assert_allclose(slope(y, target, **row.settings), wanted, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("row", [row for row in TABLE if row.theirs], ids=lambda row: repr(row.loss))
def test_the_reference_is_torch(row: Row) -> None:
    torch = pytest.importorskip("torch")
    y = np.random.default_rng(0).standard_normal((N, OUTPUTS))
    target = make_targets(row.targets, (N, OUTPUTS), "float64")
    name, settings = row.theirs
    wanted = getattr(torch.nn.functional, name)(torch.tensor(y), torch.tensor(target), **settings)
    assert element_loss(row.loss.kind, y, target, np.full(N, 1 / N), **row.settings)[0] == pytest.approx(float(wanted))


@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("every_step", [False, True], ids=["last", "sequences"])
@pytest.mark.parametrize("row", TABLE, ids=IDS)
def test_values_and_gradients(row: Row, every_step: bool, dtype: str) -> None:
    model = make_model(row.activation, dtype, every_step)
    x, weight, lengths = parts()
    y = make_targets(row.targets, (N, T, OUTPUTS) if every_step else (N, OUTPUTS), dtype)
    shares = loss_shares(y.shape[:-1], weight, lengths)
    outputs = model.predict(x, lengths)
    wanted, _ = element_loss(row.loss.kind, outputs, y, shares, **row.settings)
    loss, _ = model.gradients(x, y, row.loss, weight, lengths)
    assert loss == pytest.approx(wanted, rel=BOUNDS[dtype] * 10)
    trainer = fr.Trainer(model, row.loss, metrics=["mse", fr.Huber(2.0)])
    found = trainer.evaluate(x, y, sample_weight=weight, lengths=lengths)
    assert found["loss"] == pytest.approx(wanted, rel=BOUNDS[dtype] * 10)
    assert found["huber"] == pytest.approx(element_loss("huber", outputs, y, shares, delta=2.0)[0], rel=1e-4)
    if dtype == "float64":
        check = fr.check_gradients(model, x, y, row.loss, numbers=5, sample_weight=weight, lengths=lengths)
        assert check.error < 1e-6, check


@pytest.mark.parametrize("every_step", [False, True], ids=["last", "sequences"])
def test_quantiles_of_several_levels(every_step: bool) -> None:
    levels = (0.1, 0.5, 0.9)
    model = make_model(every_step=every_step, outputs=6)
    x, weight, lengths = parts()
    y = make_targets("numbers", (N, T, 2) if every_step else (N, 2), "float64")
    outputs = model.predict(x, lengths)
    shares = loss_shares(y.shape[:-1], weight, lengths)
    wanted, _ = element_loss("quantile", outputs, np.repeat(y, 3, -1), shares, level=np.tile(levels, 2))
    assert model.gradients(x, y, fr.Quantile(levels), weight, lengths)[0] == pytest.approx(wanted, rel=1e-12)
    assert fr.check_gradients(model, x, y, fr.Quantile(levels), numbers=3).error < 1e-6
    fr.Trainer(model, fr.Quantile(levels)).fit(x, y, epochs=1, verbose=0)


@pytest.mark.parametrize("every_step", [False, True], ids=["last", "sequences"])
@pytest.mark.parametrize(
    "options",
    [
        {"class_weight": [1.0, 0.0, 2.0, 0.5, 3.0]},
        {"ignore_label": -1},
        {"label_smoothing": 0.2},
        {"class_weight": [1.0, 0.3, 2.0, 0.5, 3.0], "ignore_label": 2, "label_smoothing": 0.1},
    ],
    ids=str,
)
def test_sparse_crossentropy_is_torch(options: dict[str, Any], every_step: bool) -> None:
    torch = pytest.importorskip("torch")
    x, _, lengths = parts()
    rng = np.random.default_rng(5)
    classes = rng.integers(0, OUTPUTS, (N, T) if every_step else N)
    if options.get("ignore_label") == -1:
        classes[rng.random(classes.shape) < 0.3] = -1
    for activation in ("linear", "softmax"):
        model = make_model(activation, every_step=every_step)
        logits = make_model(every_step=every_step)
        places = np.arange(T) < lengths[:, None] if every_step else lengths > 0
        weight = torch.tensor(options["class_weight"], dtype=torch.float64) if "class_weight" in options else None
        wanted = torch.nn.functional.cross_entropy(
            torch.tensor(logits.predict(x, lengths)[places]), torch.tensor(classes[places]), weight,
            ignore_index=options.get("ignore_label", -100), label_smoothing=options.get("label_smoothing", 0.0),
        )  # fmt: skip
        loss = SPARSE(**options)
        assert model.gradients(x, classes, loss, lengths=lengths)[0] == pytest.approx(float(wanted), rel=1e-12)
        assert fr.check_gradients(model, x, classes, loss, numbers=4, lengths=lengths).error < 1e-7
        found = fr.Trainer(model, loss, metrics=["accuracy"]).evaluate(x, classes, lengths=lengths)
        assert found["loss"] == pytest.approx(float(wanted), rel=1e-12)
        counts = places & (classes != options.get("ignore_label", -100))
        each = np.array(options.get("class_weight", np.ones(OUTPUTS)))[np.clip(classes, 0, OUTPUTS - 1)] * counts
        right = model.predict(x, lengths).argmax(-1) == classes
        assert found["accuracy"] == pytest.approx((each * right).sum() / each.sum(), rel=1e-12)


def test_smoothed_targets_of_the_other_crossentropies() -> None:
    x, weight, lengths = parts()
    for loss, activation in ((fr.CategoricalCrossentropy, "softmax"), (fr.BinaryCrossentropy, "sigmoid")):
        model = make_model(activation)
        y = make_targets("distributions", (N, T, OUTPUTS), "float64")
        share, classes = 0.3, 2 if activation == "sigmoid" else OUTPUTS
        name = loss.kind
        wanted = model.gradients(x, y * (1 - share) + share / classes, name, weight, lengths)[0]
        assert model.gradients(x, y, loss(share), weight, lengths)[0] == pytest.approx(wanted, rel=1e-14)


def test_the_same_bits_for_any_threads_with_places_that_weigh() -> None:
    x, _, lengths = parts()
    classes = np.random.default_rng(5).integers(-1, OUTPUTS, (N, T))
    runs = []
    for threads in (1, 2, 3):
        model = make_model("softmax", "float32")
        loss = SPARSE(class_weight=[1, 2, 3, 4, 5], ignore_label=-1)
        trainer = fr.Trainer(model, loss, threads=threads)
        trainer.fit(x, classes, epochs=3, batch_size=8, lengths=lengths, validation_split=0.2, verbose=0)
        runs.append(model.network.flat.copy())
    for run in runs[1:]:
        assert_array_equal(run, runs[0])


def test_a_place_that_is_ignored_is_as_one_beyond_the_end() -> None:
    x, _, _ = parts()
    lengths = np.random.default_rng(0).integers(1, T + 1, N)
    classes = np.random.default_rng(5).integers(0, OUTPUTS, (N, T))
    marked = np.where(np.arange(T) < lengths[:, None], classes, 77)
    model = make_model("softmax")
    wanted = model.gradients(x, classes, "sparse_categorical_crossentropy", lengths=lengths)
    found = model.gradients(x, marked, SPARSE(ignore_label=77))
    assert found[0] == pytest.approx(wanted[0], rel=1e-13)
    for name, gradient in wanted[1].items():
        assert_allclose(found[1][name], gradient, rtol=1e-9, atol=1e-13)


@fr.loss
def lopsided(prediction: Any, target: Any) -> Any:
    error = prediction - target
    return exp(error * 0.5) - error * 0.5 - 1.0


def test_a_loss_of_ones_own(tmp_path: Path) -> None:
    x, weight, lengths = parts()
    model = make_model()
    y = make_targets("numbers", (N, T, OUTPUTS), "float64")
    assert fr.check_gradients(model, x, y, lopsided, numbers=5, lengths=lengths).error < 1e-7
    error = model.predict(x, lengths) - y
    cost = (np.exp(0.5 * error) - 0.5 * error - 1.0).mean(-1)
    wanted = (loss_shares((N, T), weight, lengths) * cost).sum()
    trainer = fr.Trainer(model, lopsided, metrics=["mae", lopsided])
    found = trainer.evaluate(x, y, sample_weight=weight, lengths=lengths)
    assert found["loss"] == found["lopsided"] == pytest.approx(wanted, rel=1e-12)
    trainer.fit(x, y, epochs=2, verbose=0)
    trainer.save_checkpoint(tmp_path / "run.ckpt")
    with pytest.raises(ValueError, match="names the loss 'lopsided', which is not handed in"):
        fr.Trainer.resume(tmp_path / "run.ckpt")
    resumed = fr.Trainer.resume(tmp_path / "run.ckpt", custom_objects={"lopsided": lopsided})
    for each in (trainer, resumed):
        each.fit(x, y, epochs=1, verbose=0)
    assert_array_equal(trainer.model.network.flat, resumed.model.network.flat)


@pytest.mark.parametrize("loss", [row.loss for row in TABLE] + [SPARSE(ignore_label=-1), "mse"], ids=repr)
def test_checkpoints_hold_the_loss(loss: Any, tmp_path: Path) -> None:
    activation = "softmax" if getattr(loss, "probabilities", "") else "linear"
    trainer = fr.Trainer(make_model(activation), loss)
    trainer.save_checkpoint(tmp_path / "run.ckpt")
    assert fr.Trainer.resume(tmp_path / "run.ckpt").loss == trainer.loss == fr.losses.plain(loss)


def test_a_default_is_stored_as_its_name() -> None:
    assert fr.Trainer(make_model(), fr.MSE()).loss == "mse"
    assert fr.Trainer(make_model(), "huber").loss == "huber"
    assert fr.Trainer(make_model(), fr.Huber(2.0)).loss == fr.Huber(2.0)
    assert set(fr.losses.LOSSES) >= {row.loss.kind for row in TABLE} == set(ELEMENT_LOSSES)


REFUSED: dict[str, tuple[Any, str]] = {
    "delta": (lambda: fr.Huber(0.0), "Huber has delta=0.0; expected a number above 0"),
    "delta of text": (lambda: fr.Huber("1"), "Huber has delta='1'; expected a number"),
    "levels": (lambda: fr.Quantile(1.0), "Quantile has levels=1.0; expected a number above 0 and below 1"),
    "no levels": (lambda: fr.Quantile(()), "Quantile has level"),
    "log_input": (lambda: fr.Poisson(1), "Poisson has log_input=1; expected True or False"),
    "smoothing": (lambda: fr.BinaryCrossentropy(1.0), "label_smoothing=1.0; expected a number at least 0 and below 1"),
    "weights": (lambda: SPARSE(class_weight=[1.0, -1.0]), "class_weight"),
    "weights of nan": (lambda: SPARSE(class_weight=[float("nan")]), "class_weight"),
    "a dict of weights": (lambda: SPARSE(class_weight={0: 1.0}), "in their order"),
    "label": (lambda: SPARSE(ignore_label=0.5), "ignore_label=0.5; expected a whole number"),
    "number of weights": (
        lambda: fr.Trainer(make_model("softmax"), SPARSE(class_weight=[1.0])), "class_weight has 1 numbers; expected 5"
    ),
    "outputs": (lambda: fr.Trainer(make_model(), fr.Quantile((0.1, 0.9))), "has 5 outputs, but 'quantile' has 2"),
    "two of a name": (lambda: fr.Trainer(make_model(), "mse", metrics=[fr.Huber(1.0), fr.Huber(2.0)]), "two that are"),
    "a metric of other outputs": (
        lambda: fr.Trainer(make_model(outputs=6), fr.Quantile((0.1, 0.9)), metrics=["mse"]),
        "different numbers of outputs",
    ),
    "logits to KL": (lambda: fr.Trainer(make_model(), "kl_divergence"), "outputs are linear; expected softmax"),
    "negative counts": (
        lambda: make_model().gradients(parts()[0], -np.ones((N, T, OUTPUTS)), "poisson"), "y has -1.0 in row 0"
    ),
    "no distribution": (
        lambda: make_model("softmax").gradients(parts()[0], np.ones((N, T, OUTPUTS)), "kl_divergence"), "expected"
    ),
    "a branch": (lambda: fr.loss(lambda p, y: p if p > y else y), "a function that has a name"),
    "no slope": (lambda: fr.loss(constant), "does not depend on the prediction"),
}  # fmt: skip


def constant(prediction: Any, target: Any) -> Any:
    return target * target


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_loss_is_refused_in_one_line(case: str) -> None:
    call, message = REFUSED[case]
    with pytest.raises((TypeError, ValueError), match=message) as refusal:
        call()
    assert "\n" not in str(refusal.value)
    assert "expected" in str(refusal.value)
