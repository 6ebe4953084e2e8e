"""stocks: sixty days' prices to the next by two stacked SimpleRNN layers with dropout, MSE and Adam."""

import numpy as np

import fastrnn as fr
from fastrnn.tutorials.stocks import make_prices

NAME = "stocks"
WHAT = "B = 64, T = 60, I = 1, H = 80 and 100, dropout 0.2; Adam, 5 of 50 epochs of 26 updates; RMSE held out, dollars"

EPOCHS, BATCH, RATE, DROPOUT = 5, 64, 0.001, 0.2
UNITS = (80, 100)


def draw_weights(seed):
    """Keras's: Glorot-uniform, the recurrent kernels orthogonal, biases 0."""
    rng = np.random.default_rng(seed)
    weights, inputs = [], 1
    for units in UNITS:
        q, r = np.linalg.qr(rng.standard_normal((units, units)))
        kernel = rng.uniform(-1, 1, (inputs, units)) * np.sqrt(6 / (inputs + units))
        weights += [kernel, q * np.sign(np.diag(r)), np.zeros(units)]
        inputs = units
    return [*weights, rng.uniform(-1, 1, (inputs, 1)) * np.sqrt(6 / (inputs + 1)), np.zeros(1)]


def run_layer(weights, x):
    """Return the states (T + 1, B, H), the first of them zero, of inputs x (T, B, I)."""
    W, U, b = weights
    h = np.zeros((len(x) + 1, x.shape[1], len(b)))
    for t in range(len(x)):
        h[t + 1] = np.tanh(np.dot(x[t], W) + np.dot(h[t], U) + b)
    return h


def backward_layer(weights, x, h, d_h):
    """Return the gradients of the weights, and of x, from those of the states 1 ... T."""
    W, U, b = weights
    dW, dU, db, d_x = np.zeros_like(W), np.zeros_like(U), np.zeros_like(b), np.zeros_like(x)
    later = np.zeros_like(h[0])
    for t in reversed(range(len(x))):
        d_a = (d_h[t] + later) * (1 - h[t + 1] ** 2)
        dW += np.dot(x[t].T, d_a)
        dU += np.dot(h[t].T, d_a)
        db += d_a.sum(axis=0)
        d_x[t] = np.dot(d_a, W.T)
        later = np.dot(d_a, U.T)
    return [dW, dU, db], d_x


def predict(weights, x):
    h = run_layer(weights[:3], x.transpose(1, 0, 2))[1:]
    return np.dot(run_layer(weights[3:6], h)[-1], weights[6]) + weights[7]


def find_gradients(weights, x, y, rng):
    x = x.transpose(1, 0, 2)
    h = run_layer(weights[:3], x)
    mask = (rng.random(h[1:].shape) >= DROPOUT) / (1 - DROPOUT)
    dropped = h[1:] * mask
    g = run_layer(weights[3:6], dropped)
    last_mask = (rng.random(g[-1].shape) >= DROPOUT) / (1 - DROPOUT)
    last = g[-1] * last_mask

    d_output = 2 * (np.dot(last, weights[6]) + weights[7] - y) / len(y)
    d_g = np.zeros_like(g[1:])
    d_g[-1] = np.dot(d_output, weights[6].T) * last_mask
    upper, d_dropped = backward_layer(weights[3:6], dropped, g, d_g)
    lower, _ = backward_layer(weights[:3], x, h, d_dropped * mask)
    return [*lower, *upper, np.dot(last.T, d_output), d_output.sum(axis=0)]


def slow(seed):
    prices = make_prices()
    x, y = prices.x[prices.training], prices.y[prices.training]
    weights = draw_weights(seed)
    m = [np.zeros_like(w) for w in weights]
    v = [np.zeros_like(w) for w in weights]
    order, masks = np.random.default_rng(seed), np.random.default_rng(seed + 1)
    step = 0
    for _ in range(EPOCHS):
        shuffled = order.permutation(len(x))
        for first in range(0, len(x), BATCH):
            rows = shuffled[first : first + BATCH]
            step += 1
            for i, g in enumerate(find_gradients(weights, x[rows], y[rows], masks)):
                m[i] = 0.9 * m[i] + 0.1 * g
                v[i] = 0.999 * v[i] + 0.001 * g**2
                m_hat = m[i] / (1 - 0.9**step)
                v_hat = v[i] / (1 - 0.999**step)
                weights[i] = weights[i] - RATE * m_hat / (np.sqrt(v_hat) + 1e-8)
    return rmse(prices, predict(weights, prices.x[prices.held_out]))


def fast(seed):
    prices = make_prices()
    lower, upper = UNITS
    model = fr.Sequential(
        [
            fr.SimpleRNN(lower, return_sequences=True),
            fr.Dropout(DROPOUT),
            fr.SimpleRNN(upper),
            fr.Dropout(DROPOUT),
            fr.Dense(1),
        ],
        input_size=1,
    )
    model.set_weights(draw_weights(seed))
    trainer = fr.Trainer(model, loss="mse", optimizer=fr.Adam(RATE), seed=seed)
    x, y = prices.x[prices.training], prices.y[prices.training]
    trainer.fit(x, y, epochs=EPOCHS, batch_size=BATCH, verbose=0)
    return rmse(prices, model.predict(prices.x[prices.held_out]))


def rmse(prices, scaled):
    dollars = scaled[:, 0] * (prices.high - prices.low) + prices.low
    return float(np.sqrt(np.mean((dollars - prices.truth) ** 2)))
