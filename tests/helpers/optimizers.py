"""The one table of optimizers: each beside PyTorch's of the same numbers; a row is all that a new one adds here."""

from typing import Any

import fastrnn as fr

# Of equal gradients the centred square is nothing but rounding: a large epsilon leaves it so.
TABLE: list[tuple[fr.optimizers.Optimizer, str, dict[str, Any]]] = [
    (fr.SGD(0.05), "SGD", {"lr": 0.05}),
    (fr.SGD(0.05, momentum=0.9, weight_decay=0.01), "SGD", {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.01}),
    (fr.SGD(0.05, momentum=0.8, nesterov=True), "SGD", {"lr": 0.05, "momentum": 0.8, "nesterov": True}),
    (fr.SGD(0.05, momentum=0.9, dampening=0.5), "SGD", {"lr": 0.05, "momentum": 0.9, "dampening": 0.5}),
    (fr.Adam(0.01), "Adam", {"lr": 0.01}),
    (
        fr.Adam(0.01, 0.8, 0.95, 1e-3, weight_decay=0.1, amsgrad=True),
        "Adam",
        {"lr": 0.01, "betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.1, "amsgrad": True},
    ),
    (fr.RMSProp(0.01, epsilon=1e-4), "RMSprop", {"lr": 0.01, "eps": 1e-4}),
    (
        fr.RMSProp(0.01, rho=0.8, momentum=0.7, epsilon=1e-4, weight_decay=0.1),
        "RMSprop",
        {"lr": 0.01, "alpha": 0.8, "momentum": 0.7, "eps": 1e-4, "weight_decay": 0.1},
    ),
    (
        fr.RMSProp(0.01, rho=0.8, momentum=0.7, epsilon=1.0, centered=True),
        "RMSprop",
        {"lr": 0.01, "alpha": 0.8, "momentum": 0.7, "eps": 1.0, "centered": True},
    ),
    (
        fr.RMSProp(0.01, rho=0.8, epsilon=1.0, centered=True),
        "RMSprop",
        {"lr": 0.01, "alpha": 0.8, "eps": 1.0, "centered": True},
    ),
    (fr.Adagrad(0.05, epsilon=1e-4), "Adagrad", {"lr": 0.05, "eps": 1e-4}),
    (fr.Adagrad(0.05, epsilon=1e-4, weight_decay=0.1), "Adagrad", {"lr": 0.05, "eps": 1e-4, "weight_decay": 0.1}),
    (fr.AdamW(0.01), "AdamW", {"lr": 0.01}),
    (
        fr.AdamW(0.01, 0.8, 0.95, 1e-3, weight_decay=0.2, amsgrad=True),
        "AdamW",
        {"lr": 0.01, "betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.2, "amsgrad": True},
    ),
    (fr.NAdam(0.01), "NAdam", {"lr": 0.01}),
    (
        fr.NAdam(0.01, 0.8, 0.95, 1e-3, weight_decay=0.1, momentum_decay=0.1),
        "NAdam",
        {"lr": 0.01, "betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.1, "momentum_decay": 0.1},
    ),
    (fr.Adadelta(), "Adadelta", {}),
    (
        fr.Adadelta(0.5, 0.8, 1e-4, weight_decay=0.1),
        "Adadelta",
        {"lr": 0.5, "rho": 0.8, "eps": 1e-4, "weight_decay": 0.1},
    ),
    (fr.Adamax(0.01), "Adamax", {"lr": 0.01}),
    (
        fr.Adamax(0.01, 0.8, 0.95, 1e-3, weight_decay=0.1),
        "Adamax",
        {"lr": 0.01, "betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.1},
    ),
]
OPTIMIZERS = tuple(optimizer for optimizer, _, _ in TABLE)


def describe_optimizer(optimizer: Any) -> dict[str, Any]:
    """Return the reference's description of an optimizer."""
    return {"kind": optimizer.kind, **{name: getattr(optimizer, name) for name in optimizer.__struct_fields__}}
