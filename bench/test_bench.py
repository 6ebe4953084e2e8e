"""The project alone, watched over time.

``pytest bench --benchmark-autosave`` keeps a run; ``pytest bench --benchmark-compare --benchmark-compare-fail=min:10%``
fails where a later one is slower.
"""

import pytest

from bench.check import reference_outcome, require_agreement
from bench.project import make_trainer, prepare
from tests.cases import GRID, make_data


@pytest.fixture(params=GRID, ids=lambda case: case.name, scope="module")
def case(request):
    case = request.param
    require_agreement("fastrnn", case, prepare(case, "").first_step(), reference_outcome(case))
    return case


@pytest.fixture
def data(case):
    # At least 2 steps, so that a batch follows a batch; many where a step is short.
    return make_data(case, max(2, round(2**26 / case.flops)))


@pytest.mark.benchmark(group="fit", warmup=True)
def test_fit_one_epoch(benchmark, case, data):
    trainer = make_trainer(case)
    benchmark(trainer.fit, *data, epochs=1, batch_size=case.B, verbose=0)


@pytest.mark.benchmark(group="predict", warmup=True)
def test_predict(benchmark, case, data):
    model = make_trainer(case).model
    benchmark(model.predict, data[0], batch_size=case.B)
