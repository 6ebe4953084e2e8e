"""keras-check: three sequences of three pairs to 10, 20, 30 with SimpleRNN(4) + Dense(1), MSE and Adam."""

import numpy as np

import fastrnn as fr

NAME = "keras-check"
WHAT = "B = 3, T = 3, I = 2, H = 4; Adam, 2000 epochs of one update; the loss"

EPOCHS, RATE, UNITS = 2000, 0.01, 4
X = np.array([[[1, 2], [2, 3], [3, 4]], [[5, 6], [6, 7], [7, 8]], [[9, 10], [10, 11], [11, 12]]], dtype=float)
Y = np.array([[10.0], [20.0], [30.0]])


def draw_weights(seed):
    """Keras's: Glorot-uniform, the recurrent kernel orthogonal, biases 0."""
    rng = np.random.default_rng(seed)
    q, r = np.linalg.qr(rng.standard_normal((UNITS, UNITS)))
    return [
        rng.uniform(-1, 1, (2, UNITS)) * np.sqrt(6 / (2 + UNITS)),
        q * np.sign(np.diag(r)),
        np.zeros(UNITS),
        rng.uniform(-1, 1, (UNITS, 1)) * np.sqrt(6 / (UNITS + 1)),
        np.zeros(1),
    ]


def forward(weights, x):
    W, U, b, V, c = weights
    h = [np.zeros((len(x), UNITS))]
    for t in range(x.shape[1]):
        h.append(np.tanh(np.dot(x[:, t], W) + np.dot(h[-1], U) + b))
    return h, np.dot(h[-1], V) + c


def slow(seed):
    weights = draw_weights(seed)
    m = [np.zeros_like(w) for w in weights]
    v = [np.zeros_like(w) for w in weights]
    for epoch in range(1, EPOCHS + 1):
        h, output = forward(weights, X)
        d_output = 2 * (output - Y) / len(X)
        _, U, _, V, _ = weights
        dW, dU, db, dV, dc = gradients = [np.zeros_like(w) for w in weights]
        dV += np.dot(h[-1].T, d_output)
        dc += d_output.sum(axis=0)
        d_h = np.dot(d_output, V.T)
        for t in reversed(range(X.shape[1])):
            d_a = d_h * (1 - h[t + 1] ** 2)
            dW += np.dot(X[:, t].T, d_a)
            dU += np.dot(h[t].T, d_a)
            db += d_a.sum(axis=0)
            d_h = np.dot(d_a, U.T)
        for i, g in enumerate(gradients):
            m[i] = 0.9 * m[i] + 0.1 * g
            v[i] = 0.999 * v[i] + 0.001 * g**2
            m_hat = m[i] / (1 - 0.9**epoch)
            v_hat = v[i] / (1 - 0.999**epoch)
            weights[i] = weights[i] - RATE * m_hat / (np.sqrt(v_hat) + 1e-8)
    return float(np.mean((forward(weights, X)[1] - Y) ** 2))


def fast(seed):
    model = fr.Sequential([fr.SimpleRNN(UNITS), fr.Dense(1)], input_size=2)
    model.set_weights(draw_weights(seed))
    trainer = fr.Trainer(model, loss="mse", optimizer=fr.Adam(RATE))
    trainer.fit(X, Y, epochs=EPOCHS, verbose=0)
    return trainer.evaluate(X, Y)["loss"]
