"""xsinx: x sin(x) in groups of 6 points, five groups of x to y of the last, the state carried from window to window."""

import numpy as np

import fastrnn as fr
from fastrnn.tutorials.xsinx_numpy import POINTS, RATE, UNITS, WINDOW, Net, train_epoch

NAME = "xsinx"
WHAT = "B = 1, T = 5, I = 6, H = 20; SGD, 28,800 updates; the RMSE of the fit in the last epoch"

EPOCHS = 300


def draw(seed):
    """Draw the groups of points and the weights."""
    rng = np.random.default_rng(seed)
    x = np.arange(1, 601).reshape(100, POINTS) / 100
    y = x * np.sin(x) + rng.uniform(-0.01, 0.01, x.shape)
    shapes = (UNITS, POINTS), (UNITS, UNITS), (POINTS, UNITS)
    return x, y, *(rng.standard_normal(shape) for shape in shapes)


def slow(seed):
    x, y, U, W, V = draw(seed)
    net, x, y = Net.of(W, U, V), x[:, :, None], y[:, :, None]
    for _ in range(EPOCHS):
        fit, _ = train_epoch(net, x, y, np.zeros((UNITS, 1)), overwrite=False)
    return float(np.sqrt(np.mean((fit - y[WINDOW - 1 :]) ** 2)))


def fast(seed):
    x, y, U, W, V = draw(seed)
    model = fr.Sequential([fr.SimpleRNN(UNITS), fr.Dense(POINTS)], input_size=POINTS, dtype="float64")
    model.set_weights([U.T, W.T, np.zeros(UNITS), V.T, np.zeros(POINTS)])
    windows = np.lib.stride_tricks.sliding_window_view(x, WINDOW, axis=0).transpose(0, 2, 1)
    # mse is the mean over the points, the recipe's error their sum.
    trainer = fr.Trainer(model, loss="mse", optimizer=fr.SGD(RATE * POINTS))
    history = trainer.fit(
        windows, y[WINDOW - 1 :], epochs=EPOCHS, batch_size=1, shuffle=False, carry_state=True, verbose=0
    )
    return float(np.sqrt(history.history["loss"][-1]))
