"""Callbacks: what a fit tells while it runs."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from numbers import Integral
from typing import TYPE_CHECKING, Any, TextIO

from fastrnn.ground import checks
from fastrnn.ground.console import Console, tell
from fastrnn.ground.dialects import DIALECTS
from fastrnn.ground.unknown import asked_of, explained

if not TYPE_CHECKING:
    __getattr__ = asked_of(__name__)

MOST = 100
"""Epochs that leave a line where nobody asked for all of them: there may be thousands."""
SECONDS = 1.0
"""An epoch that ends so long after the last line leaves one, too."""
REST = (
    " |{bar}| {percentage:.0f}% [{elapsed}<{remaining}, {rate_fmt}]",
    " {percentage:.0f}% [{elapsed}<{remaining}]",
    "",
)
"""What stands behind the figures in a live line, by the room that there is."""
SHORTEST = 8
"""Columns of a bar that is worth its room."""


@explained
class Callback:
    """Base class: override what you need. Any function ``f(epoch, figures)`` does as well, called after every epoch."""

    def __init_subclass__(cls, **options: Any) -> None:
        """Refuse what Keras and Lightning call these: it would never be called."""
        super().__init_subclass__(**options)
        for name in vars(cls):
            if name.startswith("on_") and name in DIALECTS["Callback"]:
                raise TypeError(
                    f"{cls.__name__} has {name}, which is not called; expected {DIALECTS['Callback'][name]}"
                )

    def begin(self, trainer: Any, epochs: int, samples: int) -> None:
        """Before the first epoch of ``epochs`` over ``samples`` sequences by a `fastrnn.Trainer`."""

    def progress(self, epoch: int, samples: int) -> None:
        """Now and then within an epoch: ``samples`` sequences of it are done."""

    def epoch(self, epoch: int, figures: dict[str, float]) -> None:
        """After an epoch, with its figures."""

    def end(self) -> None:
        """After the last epoch, or when the fit is broken off."""


class Lines(Callback):
    """A line an epoch: its number, its figures, the seconds it took.

    Parameters
    ----------
    file : None is standard error, in a notebook the cell
    most : epochs that leave a line, spread over the fit, beside one a second, the first and the last; None is all
    """

    def __init__(self, file: TextIO | None = None, most: int | None = None) -> None:
        self._file, self._most = file, most

    def begin(self, trainer: Any, epochs: int, samples: int) -> None:
        self._epochs, self._every, self._held = epochs, -(-epochs // (self._most or epochs)), ""
        self._start, self._told = time.perf_counter(), -math.inf

    def epoch(self, epoch: int, figures: dict[str, float]) -> None:
        now = time.perf_counter()
        self._held = " - ".join([f"epoch {epoch + 1}/{self._epochs}", *_shown(figures), f"{now - self._start:.1f}s"])
        self._start = now
        if (epoch + 1) % self._every == 0 or now - self._told >= SECONDS:
            self._told = now
            self._tell()

    def end(self) -> None:
        if self._held:
            self._tell()

    def _tell(self) -> None:
        tell(self._held, file=self._file)
        self._held = ""


@explained
class ProgressBar(Lines):
    """A live line: epoch, figures of the last one, a bar, the time left, sequences a second (tqdm).

    Where it is narrow, the figures keep their place and the rest gives way. Lines of epochs stay above it.

    Parameters
    ----------
    file : None is standard error, in a notebook the cell
    most : epochs that leave a line, spread over the fit, beside one a second, the first and the last
    """

    def __init__(self, file: TextIO | None = None, most: int = MOST) -> None:
        super().__init__(file, checks.positive_int("most", most))
        self._bar: Any = None

    def __getstate__(self) -> dict[str, Any]:
        """What a copy gets: all but the bar, which is the fit's."""
        return self.__dict__ | {"_bar": None}

    def begin(self, trainer: Any, epochs: int, samples: int) -> None:
        from tqdm import tqdm

        super().begin(trainer, epochs, samples)
        self._samples, self._head, self._figures = samples, f"epoch 1/{epochs}", list[str]()

        class Bar(tqdm):  # type: ignore[misc]
            monitor_interval = 0  # no thread of its own
            status_printer = staticmethod(_writing_over)  # tqdm's own flushes standard streams, which may be broken

            def __str__(bar) -> str:  # noqa: N805
                return self._line(bar.format_dict, bar.format_meter)

        console = Console(self._file)
        self._bar = Bar(
            total=epochs * samples, unit=" seq", unit_scale=True, file=console, leave=False, disable=False,
            dynamic_ncols=not console.is_cell, mininterval=0.5 if console.is_cell else 0.1, delay=console.is_cell / 2,
        )  # fmt: skip

    def progress(self, epoch: int, samples: int) -> None:
        self._head = f"epoch {epoch + 1}/{self._epochs}"
        self._bar.update(epoch * self._samples + samples - self._bar.n)

    def epoch(self, epoch: int, figures: dict[str, float]) -> None:
        self.progress(epoch, self._samples)
        self._figures = _shown(figures)
        super().epoch(epoch, figures)

    def end(self) -> None:
        if self._bar is not None:
            self._bar.close()
            super().end()
            self._bar = None

    def _tell(self) -> None:
        if self._bar.last_print_t >= self._bar.start_t + self._bar.delay:  # else it has not been shown yet
            self._bar.clear()
        super()._tell()

    def _line(self, state: dict[str, Any], meter: Callable[..., str]) -> str:
        """Lay out the live line: the figures, then as much of the rest as has room; at worst whole figures go."""
        width = state["ncols"] if state["ncols"] and state["ncols"] > 0 else math.inf
        told = [self._head, *self._figures]
        shorter = [" ".join(told[:count]).replace(":", "") for count in range(len(told), 0, -1)]
        for state["prefix"] in (" - ".join(told), *shorter):
            for rest in REST:
                state["bar_format"] = "{desc}" + rest
                shortest = state | {"bar_format": state["bar_format"].replace("{bar}", "." * SHORTEST), "ncols": None}
                if len(meter(**shortest)) <= width:
                    return meter(**state)
        return ""


class Each(Callback):
    """A plain function, called after every epoch with its number and its figures."""

    def __init__(self, function: Any) -> None:
        self._function = function

    def epoch(self, epoch: int, figures: dict[str, float]) -> None:
        self._function(epoch, figures)


def telling(verbose: int | None, callbacks: Any = ()) -> list[Callback]:
    """Return what shows a fit: nothing (0), a live bar (1), a line an epoch (2).

    None is the bar where a line can be written over, and elsewhere lines, of `MOST` epochs and one a second at most;
    nothing where one of the callbacks does so.

    Raises
    ------
    ValueError
        Another value.
    """
    if verbose is None:
        if isinstance(callbacks, list | tuple) and any(isinstance(each, Lines) for each in callbacks):
            return []
        return [ProgressBar() if Console().is_live else Lines(most=MOST)]
    if not isinstance(verbose, Integral) or verbose not in (0, 1, 2):
        raise ValueError(
            f"verbose is {checks.brief(verbose)}; expected 0 (silent), 1 (a bar), 2 (a line an epoch) or None, which "
            f"chooses"
        )
    return [[], [ProgressBar()], [Lines()]][int(verbose)]


def _writing_over(file: Any) -> Callable[[str], None]:
    """Return what writes a line over the one that it wrote before."""
    before = 0

    def write(line: str) -> None:
        nonlocal before
        file.write(f"\r{line.ljust(before)}")
        file.flush()
        before = len(line)

    return write


def _shown(figures: dict[str, float]) -> list[str]:
    """Return figures as Keras writes them."""
    return [f"{name}: {value:.4f}" if abs(value) > 1e-3 else f"{name}: {value:.4e}" for name, value in figures.items()]
