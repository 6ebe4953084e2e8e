"""letters: four letters of the alphabet to the next by Embedding(26, 2), SimpleRNN(10) and softmax(26), with Adam."""

import numpy as np

import fastrnn as fr

NAME = "letters"
WHAT = "variant d: 26 rows, T = 4, I = 2, H = 10, 26 classes; Adam, 100 epochs of one update; the cross-entropy"

EPOCHS, RATE, SIZE, UNITS, LETTERS, SEEN = 100, 0.01, 2, 10, 26, 4
X = (np.arange(LETTERS)[:, None] + np.arange(SEEN)) % LETTERS
Y = (np.arange(LETTERS) + SEEN) % LETTERS


def draw_weights(seed):
    """Keras's: embeddings uniform in ±0.05, Glorot-uniform, the recurrent kernel orthogonal, biases 0."""
    rng = np.random.default_rng(seed)
    q, r = np.linalg.qr(rng.standard_normal((UNITS, UNITS)))
    return [
        rng.uniform(-0.05, 0.05, (LETTERS, SIZE)),
        rng.uniform(-1, 1, (SIZE, UNITS)) * np.sqrt(6 / (SIZE + UNITS)),
        q * np.sign(np.diag(r)),
        np.zeros(UNITS),
        rng.uniform(-1, 1, (UNITS, LETTERS)) * np.sqrt(6 / (UNITS + LETTERS)),
        np.zeros(LETTERS),
    ]


def forward(weights, x):
    E, W, U, b, V, c = weights
    h = [np.zeros((len(x), UNITS))]
    for t in range(SEEN):
        h.append(np.tanh(np.dot(E[x[:, t]], W) + np.dot(h[-1], U) + b))
    logits = np.dot(h[-1], V) + c
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return h, e / e.sum(axis=1, keepdims=True)


def slow(seed):
    weights = draw_weights(seed)
    m = [np.zeros_like(w) for w in weights]
    v = [np.zeros_like(w) for w in weights]
    rows = np.arange(len(X))
    for epoch in range(1, EPOCHS + 1):
        h, p = forward(weights, X)
        E, W, U, _, V, _ = weights
        dE, dW, dU, db, dV, dc = gradients = [np.zeros_like(w) for w in weights]
        d_logits = p.copy()
        d_logits[rows, Y] -= 1
        d_logits /= len(X)
        dV += np.dot(h[-1].T, d_logits)
        dc += d_logits.sum(axis=0)
        d_h = np.dot(d_logits, V.T)
        for t in reversed(range(SEEN)):
            d_a = d_h * (1 - h[t + 1] ** 2)
            dW += np.dot(E[X[:, t]].T, d_a)
            dU += np.dot(h[t].T, d_a)
            db += d_a.sum(axis=0)
            np.add.at(dE, X[:, t], np.dot(d_a, W.T))
            d_h = np.dot(d_a, U.T)
        for i, g in enumerate(gradients):
            m[i] = 0.9 * m[i] + 0.1 * g
            v[i] = 0.999 * v[i] + 0.001 * g**2
            m_hat = m[i] / (1 - 0.9**epoch)
            v_hat = v[i] / (1 - 0.999**epoch)
            weights[i] = weights[i] - RATE * m_hat / (np.sqrt(v_hat) + 1e-8)
    return float(-np.mean(np.log(forward(weights, X)[1][rows, Y])))


def fast(seed):
    model = fr.Sequential(
        [fr.Embedding(LETTERS, SIZE), fr.SimpleRNN(UNITS), fr.Dense(LETTERS, activation="softmax")], input_size=LETTERS
    )
    model.set_weights(draw_weights(seed))
    trainer = fr.Trainer(model, loss="sparse_categorical_crossentropy", optimizer=fr.Adam(RATE))
    trainer.fit(X, Y, epochs=EPOCHS, verbose=0)
    return trainer.evaluate(X, Y)["loss"]
