"""The project alone, watched over time.

``pytest bench --benchmark-autosave`` keeps a run; ``pytest bench --benchmark-compare --benchmark-compare-fail=min:10%``
fails where a later one is slower.
"""

import pytest

from bench.check import reference_outcome, require_agreement
from bench.project import make_model, make_trainer, prepare
from tests.helpers.cases import GRID, LONG, make_data


@pytest.fixture(params=[*GRID, *LONG], ids=lambda case: case.name, scope="module")
def case(request):
    return request.param


def require_first_step(case, kind):
    require_agreement("fastrnn", case, prepare(case, kind, "", "").first(), reference_outcome(case, kind))


@pytest.mark.benchmark(group="fit", warmup=True)
def test_fit_one_epoch(benchmark, case):
    require_first_step(case, "train")
    # At least 2 steps, so that a batch follows a batch; many where a step is short.
    data = make_data(case, max(2, round(2**26 / case.training_flops)))
    benchmark(make_trainer(case).fit, *data, epochs=1, batch_size=case.B, verbose=0)


@pytest.mark.benchmark(group="predict", warmup=True)
def test_predict_one_minibatch(benchmark, case):
    require_first_step(case, "predict")
    benchmark(make_model(case).predict, make_data(case)[0], batch_size=case.B)
