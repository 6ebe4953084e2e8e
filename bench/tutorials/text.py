"""text: the next character of a book, as min-char-rnn learns it: one sequence, 25 steps an update."""

import numpy as np

import fastrnn as fr
from fastrnn.datasets import alice

NAME = "text"
WHAT = "B = 1, T = 25, I = O = 69, H = 100; Adagrad, clipped, 6000 updates; nats a character in the last 2000"

CHARACTERS, SWEEPS, STEPS, UNITS, RATE, CLIP, EPSILON = 50_000, 3, 25, 100, 0.1, 5.0, 1e-10


def read():
    data = alice()[: CHARACTERS + 1]
    characters = sorted(set(data))
    return [characters.index(character) for character in data], len(characters)


def draw_weights(seed, vocabulary):
    rng = np.random.default_rng(seed)
    W, U, V = (0.01 * rng.standard_normal(n) for n in ((vocabulary, UNITS), (UNITS, UNITS), (UNITS, vocabulary)))
    return [W, U, np.zeros(UNITS), V, np.zeros(vocabulary)]


def slow(seed):
    data, vocabulary = read()
    weights = draw_weights(seed, vocabulary)
    W, U, b, V, c = weights
    memory = [np.zeros_like(w) for w in weights]
    for _ in range(SWEEPS):
        h_before, total = np.zeros(UNITS), 0.0
        for start in range(0, CHARACTERS, STEPS):
            xs, ps = [], []
            hs = [h_before]
            for t in range(start, start + STEPS):
                x = np.zeros(vocabulary)
                x[data[t]] = 1
                h = np.tanh(np.dot(x, W) + np.dot(hs[-1], U) + b)
                y = np.dot(h, V) + c
                p = np.exp(y) / np.sum(np.exp(y))
                total += -np.log(p[data[t + 1]])
                xs.append(x)
                hs.append(h)
                ps.append(p)
            dW, dU, db, dV, dc = gradients = [np.zeros_like(w) for w in weights]
            d_next = np.zeros(UNITS)
            for t in reversed(range(STEPS)):
                d_y = ps[t].copy()
                d_y[data[start + t + 1]] -= 1
                dV += np.outer(hs[t + 1], d_y)
                dc += d_y
                d_h = np.dot(V, d_y) + d_next
                d_raw = (1 - hs[t + 1] ** 2) * d_h
                db += d_raw
                dW += np.outer(xs[t], d_raw)
                dU += np.outer(hs[t], d_raw)
                d_next = np.dot(U, d_raw)
            h_before = hs[-1]
            for w, g, m in zip(weights, gradients, memory, strict=True):
                np.clip(g, -CLIP, CLIP, out=g)
                m += g * g
                w -= RATE * g / (np.sqrt(m) + EPSILON)
    return total / CHARACTERS


def fast(seed):
    data, vocabulary = read()
    model = fr.Sequential(
        [fr.OneHot(vocabulary), fr.SimpleRNN(UNITS, return_sequences=True), fr.Dense(vocabulary)], vocabulary
    )
    model.set_weights(draw_weights(seed, vocabulary))
    x, y = (np.array(part).reshape(-1, STEPS) for part in (data[:-1], data[1:]))
    # The recipe sums the loss over the steps, fastrnn takes the mean: to Adagrad that is one, if the limits go along.
    optimizer = fr.Adagrad(RATE, epsilon=EPSILON / STEPS)
    trainer = fr.Trainer(model, "sparse_categorical_crossentropy", optimizer, clip_value=CLIP / STEPS)
    history = trainer.fit(x, y, epochs=SWEEPS, batch_size=1, shuffle=False, carry_state=True, verbose=0)
    return history.history["loss"][-1]
