"""Matrices of which ids pick rows: a plain update touches the rows that the minibatch used, and no others."""

from typing import Any

import numpy as np
import pytest

import fastrnn as fr
from fastrnn.engine.plan import Data, Plan
from fastrnn.engine.program import Training
from fastrnn.engine.team import Team

STACKS = {
    "embedding": lambda: [fr.Embedding(50, 5), fr.LSTM(4), fr.Dense(1)],
    "one_hot": lambda: [fr.OneHot(50), fr.GRU(6), fr.Dense(1)],
    "both_ways": lambda: [fr.OneHot(50), fr.Bidirectional(fr.SimpleRNN(7)), fr.Dense(1)],
}


def picked(model: fr.Sequential, flat: Any) -> list[Any]:
    """Return the parts of a flat buffer that belong to matrices of which ids pick rows."""
    return [view for view in model.network.named(flat).values() if view.ndim == 2 and len(view) == 50]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("clip_norm", [None, 0.01])
@pytest.mark.parametrize("optimizer", [fr.SGD(0.1), fr.Adagrad(0.1)], ids=["sgd", "adagrad"])
@pytest.mark.parametrize("name", STACKS)
def test_only_used_rows_are_touched(name: str, optimizer: Any, clip_norm: float | None, threads: int) -> None:
    model = fr.Sequential(STACKS[name](), input_size=50)
    plan = Plan(
        model.network, 3, 4, columns=("mse",), training=Training(optimizer=optimizer, clip_norm=clip_norm),
        threads=threads,
    )  # fmt: skip
    rng = np.random.default_rng(0)
    x = rng.integers(0, 25, (9, 4))
    x[6:] = [[40, 41, 40, 42]] * 3
    before = [matrix.copy() for matrix in picked(model, model.network.flat)]
    for gradient in picked(model, plan.gradients):
        gradient[25:40] = 7.0
        gradient[43:] = 7.0
    plan.read(Data(x, np.ones((9, 1), np.float32)))
    plan.run(Team(threads), 0, 3)
    used = np.isin(np.arange(50), x)
    for state in plan.update.state:
        for matrix in picked(model, state):
            assert (matrix[~used] == 0.0).all()
            assert (matrix[used] != 0.0).any(axis=1).all()
    for matrix, old, gradient in zip(
        picked(model, model.network.flat), before, picked(model, plan.gradients), strict=True
    ):
        np.testing.assert_array_equal(matrix[~used], old[~used])
        assert (matrix[used] != old[used]).any(axis=1).all()
        assert (gradient[25:40] == 7.0).all()
        assert (gradient[43:] == 7.0).all()
        assert (gradient[:25] == 0.0).all()
        assert (gradient[40:43] != 0.0).any()


@pytest.mark.parametrize(
    "optimizer",
    [fr.SGD(0.1, weight_decay=0.5), fr.SGD(0.1, momentum=0.9), fr.RMSProp(momentum=0.5), fr.Adam()],
    ids=["decay", "momentum", "rmsprop", "adam"],
)
def test_a_rule_that_moves_every_parameter_does(optimizer: Any) -> None:
    """Momentum and decay go on where there is no gradient."""
    model = fr.Sequential(STACKS["embedding"](), input_size=50)
    trainer = fr.Trainer(model, optimizer=optimizer)
    y = np.ones((2, 1))
    trainer.fit(np.ones((2, 4), np.int64), y, epochs=1, verbose=0)
    before = model.get_weights()[0]
    trainer.fit(np.zeros((2, 4), np.int64), y, epochs=1, verbose=0)
    assert (model.get_weights()[0][:2] != before[:2]).all()


def test_means_of_squares_fade_in_rows_that_are_not_used() -> None:
    model = fr.Sequential(STACKS["embedding"](), input_size=50)
    trainer = fr.Trainer(model, optimizer=fr.RMSProp(0.01, rho=0.25))
    squares = []
    for used in (1, 0):
        trainer.fit(np.full((2, 4), used), np.ones((2, 1)), epochs=1, verbose=0)
        assert trainer._plan is not None
        squares.append(picked(model, trainer._plan.update.state[0])[0][1].copy())
    assert (squares[0] > 0.0).all()
    np.testing.assert_allclose(squares[1], 0.25 * squares[0], rtol=1e-6)
