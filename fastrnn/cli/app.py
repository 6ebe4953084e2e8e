"""The commands. What they need beyond flags is imported when they run, so that `--help` compiles and loads nothing."""

import csv
import io
import os
import shutil
import sys
from dataclasses import asdict, replace
from importlib import metadata
from pathlib import Path
from typing import Annotated

from cyclopts import App, CycloptsError, Parameter

from fastrnn import datasets
from fastrnn._version import __version__
from fastrnn.callbacks.lines import MOST
from fastrnn.cli import run as tutorials
from fastrnn.cli import text as texts
from fastrnn.cli.flags import report_as_flags, strict
from fastrnn.cli.outputs import check_outputs, forecast_csv
from fastrnn.cli.progress import progress
from fastrnn.cli.streams import answer, say
from fastrnn.ground.files import CSV, SAFETENSORS, atomic_write, check_ending
from fastrnn.ground.settings import Settings

_NARROWEST = 20

app = App(
    name="fastrnn",
    help="Recurrent networks trained on the CPU: from a CSV to a forecast.",
    version=__version__,
    default_parameter=Parameter(negative=(), consume_multiple=True, converter=strict),
)
app.command(tutorials.app)
app.command(texts.app)


def run(arguments: list[str]) -> None:
    """Parse and run one command line; raises ValueError for one that does not parse."""
    _widen()
    try:
        command, bound, _ = app.parse_args(arguments, exit_on_error=False, print_error=False)
    except CycloptsError as error:
        asked = " ".join(("fastrnn", *(error.command_chain or ()), "--help"))
        raise ValueError(f"{error} ({asked} lists what there is)") from None
    command(*bound.args, **bound.kwargs)


def _widen() -> None:
    """Let help be no narrower than 20 columns: rich wraps words for ever where there is no room for a frame."""
    told = os.environ.get("COLUMNS", "")
    if (told.isdecimal() and int(told) < _NARROWEST) or shutil.get_terminal_size().columns < _NARROWEST:
        os.environ["COLUMNS"] = str(_NARROWEST)


@app.command
def train(
    data: Path | None = None,
    /,
    *,
    settings: Annotated[Settings | None, Parameter(name="*")] = None,
    out: Path = Path("model.safetensors"),
    plot: Path | None = None,
    refit: bool = False,
) -> None:
    """Train a forecaster, measure it on the held-out end of the series, and save it.

    Parameters
    ----------
    data
        CSV (with a header line) or Parquet file, rows in the order of time; the yearly sunspot numbers that ship with
        the package where it is left out.
    out
        Model file to write.
    plot
        Picture to write: the held-out forecast and the loss curves (.png, .svg, .pdf).
    refit
        When the model is measured and saved, train anew on all rows, as many epochs as were kept, and save that one.
    """
    source = data or datasets.path()
    check_outputs(source, out, plot)
    check_ending("--out", out, SAFETENSORS)
    chosen = settings or Settings()
    if data is None and chosen.features and Path(chosen.features[-1]).is_file():
        raise ValueError(f"{chosen.features[-1]} stands among the --features; expected the data first, then the flags")
    chosen = replace(chosen, features=tuple(name.strip() for name in _split(chosen.features)))
    from fastrnn.data.tables import read_table
    from fastrnn.forecast.forecaster import Forecaster

    replaced = " (replaced)" if out.exists() else ""
    forecaster, table = Forecaster(**asdict(chosen)), read_table(source)
    report = forecaster.fit(table, [progress(MOST)])
    forecaster.save(out)
    if refit:
        report = forecaster.refit(table, report, [progress(MOST)])
        forecaster.save(out)
    say(f"{report_as_flags(str(report))}\n\nmodel: {out}{replaced}")
    if plot is not None:
        from fastrnn.pictures.plots import save_report

        save_report(report, plot)
        say(f"plot: {plot}")


def _split(features: tuple[str, ...]) -> list[str]:
    """Take names apart at commas, save those within double quotes."""
    try:
        # Within quotes a name may hold line ends too.
        readers = (csv.reader(io.StringIO(names, newline=""), skipinitialspace=True) for names in features)
        return [name for reader in readers for row in reader for name in row]
    except csv.Error as error:
        raise ValueError(f"features cannot be taken apart ({error}); expected names, commas between them") from None


@app.command
def predict(
    model: Path,
    data: Path | None = None,
    /,
    *,
    steps: int | None = None,
    out: Path | None = None,
    missing: str | None = None,
) -> None:
    """Continue a series with a trained forecaster.

    Parameters
    ----------
    model
        Model file that `fastrnn train` wrote.
    data
        CSV or Parquet file to continue; the sunspot numbers that ship with the package where it is left out.
    steps
        Rows to forecast; the model's horizon where it is left out.
    out
        CSV to write; printed where it is left out.
    missing
        What to do with missing cells: refuse, drop (the row), previous (repeat the last known value); as in training
        where it is left out.
    """
    source = data or datasets.path()
    if out is not None:
        check_outputs(source, out, kept=model)
        check_ending("--out", out, CSV)
    from fastrnn.forecast.forecaster import Forecaster

    forecaster = Forecaster.load(model)
    if missing is not None:
        forecaster.missing = missing
    forecast = forecaster.predict(source, steps)
    if forecast.gaps:
        say(f"fastrnn: among the newest rows {forecast.gaps}", sys.stderr)
    if out is None:
        answer(forecast_csv(forecast))
    else:
        atomic_write(out, f"{forecast_csv(forecast)}\n".encode())
        say(f"forecast: {out}, {len(forecast.values)} rows")


@app.command
def info() -> None:
    """Show versions, the processor Numba compiles for, lanes, threads and the cache folder."""
    from fastrnn.engine.compiling import describe
    from fastrnn.engine.team import available_threads

    facts = {"fastrnn": __version__, "python": sys.version.partition(" ")[0]}
    for package in ("numpy", "numba", "llvmlite", "safetensors", "polars", "matplotlib"):
        try:
            facts[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            facts[package] = "not installed"
    facts |= {name: str(fact) for name, fact in describe().items()} | {"threads": str(available_threads())}
    width = max(map(len, facts))
    answer("\n".join(f"{name:<{width}}  {fact}" for name, fact in facts.items()))


@app.command
def warmup(*, dtype: str = "float32") -> None:
    """Compile the kernels now, so that the first training run need not.

    Parameters
    ----------
    dtype
        float32 or float64.
    """
    import fastrnn

    say(f"{dtype} kernels ready after {fastrnn.warmup(dtype):.1f} s")
