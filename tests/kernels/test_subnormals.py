"""Numbers too small to be normal are zero in compiled code, and only there."""

import numpy as np
import pytest

import fastrnn as fr
from fastrnn.code.target import TARGET

pytestmark = pytest.mark.skipif(TARGET.architecture == "other", reason="has no switch for them that is known")
TINY = np.finfo(np.float32).tiny


def computes_subnormals() -> bool:
    """Whether this thread's own arithmetic has them."""
    return bool((np.full(64, 1e-30, np.float32) * np.full(64, 1e-10, np.float32) > 0).all())


def is_normal_or_zero(array: np.ndarray) -> np.ndarray:
    return (array == 0) | (np.abs(array) >= TINY)


@pytest.mark.parametrize("threads", [1, 2])
def test_results_hold_none(threads):
    model = fr.Sequential([fr.SimpleRNN(3, activation="linear"), fr.Dense(1, use_bias=False)], input_size=1, seed=0)
    model.set_weights([np.full(weight.shape, 1e-20, np.float32) for weight in model.get_weights()])
    x = np.full((64, 2, 1), 1.0, np.float32)
    assert (model.predict(x, threads=threads) == 0).all()
    model.set_weights([np.full(weight.shape, 1e-18, np.float32) for weight in model.get_weights()])
    assert (model.predict(x, threads=threads) >= TINY).all()
    assert computes_subnormals()


@pytest.mark.parametrize("cell", [fr.SimpleRNN, fr.GRU, fr.LSTM, fr.MinGRU])
def test_errors_that_vanish_end(cell):
    """Long before the first step: without this each step of theirs would hold subnormals."""
    model = fr.Sequential([cell(4), fr.Dense(1)], input_size=2, seed=0)
    x = np.random.default_rng(0).normal(size=(3, 600, 2)).astype(np.float32)
    _, gradients = model.gradients(x, np.ones((3, 1), np.float32), wants=["x"])
    assert is_normal_or_zero(gradients["x"]).all()
    assert (gradients["x"][:, 0] == 0).all()
    assert (gradients["x"][:, -1] != 0).all()
    assert computes_subnormals()


def test_the_callers_arithmetic_is_as_before_a_failed_fit():
    class Broken(fr.Callback):
        def epoch(self, epoch, figures):
            assert computes_subnormals()
            raise RuntimeError("broken")

    trainer = fr.Trainer(fr.Sequential([fr.GRU(4), fr.Dense(1)], seed=0), threads=2)
    x = np.ones((64, 3, 1), np.float32)
    with pytest.raises(RuntimeError, match="broken"):
        trainer.fit(x, x[:, 0], callbacks=[Broken()], verbose=0)
    assert computes_subnormals()
