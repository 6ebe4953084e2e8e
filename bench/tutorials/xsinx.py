"""xsinx: x sin(x) in groups of 6 points, five groups of x to y of the last, the state carried from window to window."""

import numpy as np

import fastrnn as fr

NAME = "xsinx"
WHAT = "B = 1, T = 5, I = 6, H = 20; SGD, 28,800 updates; the RMSE of the fit in the last epoch"

EPOCHS, RATE, UNITS, POINTS, WINDOW = 300, 0.023, 20, 6, 5


def draw(seed):
    """Draw the groups of points and the weights."""
    rng = np.random.default_rng(seed)
    x = np.arange(1, 601).reshape(100, POINTS) / 100
    y = x * np.sin(x) + rng.uniform(-0.01, 0.01, x.shape)
    shapes = (UNITS, POINTS), (UNITS, UNITS), (POINTS, UNITS)
    return x, y, *(rng.standard_normal(shape) for shape in shapes)


def slow(seed):
    x, y, U, W, V = draw(seed)
    b, c = np.zeros(UNITS), np.zeros(POINTS)
    for _ in range(EPOCHS):
        state, total = np.zeros(UNITS), 0.0
        for first in range(len(y) - WINDOW + 1):
            window, target = x[first : first + WINDOW], y[first + WINDOW - 1]
            states = [state]
            for group in window:
                states.append(np.tanh(np.dot(U, group) + np.dot(W, states[-1]) + b))
            output = np.dot(V, states[-1]) + c
            total += np.sum((output - target) ** 2)
            d_output = 2 * (output - target)
            dU, dW, db = np.zeros(U.shape), np.zeros(W.shape), np.zeros(b.shape)
            d_state = np.dot(V.T, d_output)
            for t in reversed(range(WINDOW)):
                d_sum = d_state * (1 - states[t + 1] ** 2)
                dU += np.outer(d_sum, window[t])
                dW += np.outer(d_sum, states[t])
                db += d_sum
                d_state = np.dot(W.T, d_sum)
            V -= RATE * np.outer(d_output, states[-1])
            c -= RATE * d_output
            U -= RATE * dU
            W -= RATE * dW
            b -= RATE * db
            state = states[-1]
    return float(np.sqrt(total / (POINTS * (len(y) - WINDOW + 1))))


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
