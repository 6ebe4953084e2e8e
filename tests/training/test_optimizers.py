"""Every optimizer of the table: PyTorch's numbers over 50 steps, the kernels' beside the reference's, and refusals."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import fastrnn as fr
from fastrnn.optimizers import OPTIMIZERS
from fastrnn.reference.optimizers import RULES
from fastrnn.reference.training import apply_update, start_training, train_step
from tests.helpers.optimizers import TABLE, describe_optimizer
from tests.helpers.problems import describe

STEPS = 50
IDS = [repr(optimizer) for optimizer, _, _ in TABLE]


def test_the_table_holds_every_optimizer() -> None:
    assert {optimizer.kind for optimizer, _, _ in TABLE} == set(OPTIMIZERS) == set(RULES)
    for kind, optimizer in OPTIMIZERS.items():
        assert getattr(fr, optimizer.__name__) is optimizer
        assert fr.Trainer(fr.Sequential([fr.SimpleRNN(1)]), optimizer=kind).optimizer == optimizer()


@pytest.mark.parametrize(("optimizer", "name", "numbers"), TABLE, ids=IDS)
def test_the_reference_takes_the_steps_of_torch(optimizer: Any, name: str, numbers: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    torch.set_default_dtype(torch.float64)  # of the product that NAdam keeps
    try:
        take_steps(torch, optimizer, getattr(torch.optim, name), numbers)
    finally:
        torch.set_default_dtype(torch.float32)


def take_steps(torch: Any, optimizer: Any, make: Any, numbers: dict[str, Any]) -> None:
    rng = np.random.default_rng(0)
    weights = [rng.standard_normal((3, 4)), rng.standard_normal(4)]
    tensors = [torch.tensor(weight, requires_grad=True) for weight in weights]
    theirs = make(tensors, **numbers)
    described = describe_optimizer(optimizer)
    progress = start_training(weights, described)
    for _ in range(STEPS):
        gradients = [rng.standard_normal(weight.shape) for weight in weights]
        for tensor, gradient in zip(tensors, gradients, strict=True):
            tensor.grad = torch.tensor(gradient)
        theirs.step()
        progress = apply_update(progress, gradients, described)
        for mine, tensor in zip(progress.weights, tensors, strict=True):
            assert_allclose(mine, tensor.detach(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("optimizer", [row[0] for row in TABLE], ids=IDS)
def test_the_kernels_take_the_steps_of_the_reference(optimizer: Any, dtype: str, tmp_path: Path) -> None:
    """Also across a stop, after which the number of the step is what it was."""
    rng = np.random.default_rng(1)
    model = fr.Sequential([fr.SimpleRNN(5), fr.Dense(2)], input_size=3, dtype=dtype, seed=3)
    x, y = rng.standard_normal((4, 3, 3)).astype(dtype), rng.standard_normal((4, 2)).astype(dtype)
    described, layers = describe_optimizer(optimizer), [describe(layer) for layer in model.layers]
    progress = start_training(model.get_weights(), described)
    trainer = fr.Trainer(model, optimizer=optimizer)
    for half in range(2):
        trainer.fit(x, y, epochs=STEPS // 2, batch_size=4, shuffle=False, verbose=0)
        for _ in range(STEPS // 2):
            _, progress, _ = train_step(layers, progress, x, y, described)
        bound = 1e-11 if dtype == "float64" else 2e-3
        for mine, theirs in zip(trainer.model.get_weights(), progress.weights, strict=True):
            assert_allclose(mine, theirs, rtol=bound, atol=bound)
        if half == 0:
            trainer.save_checkpoint(tmp_path / "run.ckpt")
            trainer = fr.Trainer.resume(tmp_path / "run.ckpt")


@pytest.mark.parametrize("optimizer", [row[0] for row in TABLE], ids=IDS)
def test_the_same_bits_for_any_threads(optimizer: Any) -> None:
    runs = []
    for threads in (1, 2, 3):
        rng = np.random.default_rng(1)
        model = fr.Sequential([fr.Embedding(50, 9), fr.SimpleRNN(33), fr.Dense(2)], seed=3)
        ids, y = rng.integers(0, 50, (70, 3)), rng.standard_normal((70, 2))
        fr.Trainer(model, optimizer=optimizer, threads=threads, clip_norm=0.1).fit(ids, y, epochs=2, verbose=0)
        runs.append(model.network.flat.copy())
    for run in runs[1:]:
        assert_array_equal(run, runs[0])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: fr.SGD(momentum=0.9, dampening=1.0),
            "SGD has dampening=1.0; expected a number at least 0 and below 1",
        ),
        (lambda: fr.SGD(momentum=0.9, nesterov=True, dampening=0.1), "expected no dampening with nesterov"),
        (lambda: fr.Adam(amsgrad=1), "Adam has amsgrad=1; expected True or False"),
        (lambda: fr.Adam(weight_decay=-1.0), "Adam has weight_decay=-1.0; expected a number at least 0"),
        (lambda: fr.RMSProp(centered="yes"), "RMSProp has centered='yes'; expected True or False"),
        (lambda: fr.RMSProp(weight_decay=float("nan")), "RMSProp has weight_decay=nan"),
        (lambda: fr.Adagrad(weight_decay="x"), "Adagrad has weight_decay='x'"),
    ],
)
def test_what_is_out_of_range_is_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
