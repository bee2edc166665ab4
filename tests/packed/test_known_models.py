"""Models that everybody knows, packed: the numbers of one by one, whatever their layers are."""

from importlib.util import find_spec

import pytest
import torch
from fuzzing import judge_modules, speed_does_not_decide
from fuzzing.known import IMAGE, MODELS, made

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.mark.parametrize("name", MODELS)
def test_a_known_model_gets_the_numbers_of_one_by_one(name):
    if find_spec(name.partition("/")[0]) is None:
        pytest.skip("its library is not installed")
    modules = [made(name, k) for k in range(2)]
    with speed_does_not_decide():
        judged = judge_modules(name, modules, IMAGE, batch=4, steps=6, dtypes=[torch.float64])
    assert not judged.faults, judged
