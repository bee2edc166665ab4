import pytest
from synthetic import fill, invent, make_study

from augbench.options.metric_names import METRIC_NAMES
from augbench.protocol.metrics import COMPARABLE, METRICS, PRIMARY, metric
from augbench.protocol.references import REFERENCES, reference, size_name, with_references
from augbench.results import StudyResult
from augbench.store import Store, disagreements


def test_a_trained_cell_has_exactly_the_metrics_of_the_table(tiny_options):
    from augbench.api import execute, plan

    result = execute(plan(tiny_options, engine="reference", seeds=1))
    names = {one.name for one in METRICS if not (one.from_predictions or one.from_shift)}
    assert [set(cell.result.metrics) for cell in result.cells] == [names] * len(result.cells)
    assert all(result.has_predictions(cell) for cell in result.cells)


def test_each_is_named_once_and_the_first_is_what_verdicts_are_about():
    assert len({one.name for one in METRICS}) == len(METRICS)
    assert len({one.title for one in METRICS}) == len(METRICS)
    assert PRIMARY is metric("accuracy") is METRICS[0]
    assert (PRIMARY.head, PRIMARY.axis) == ("accuracy, %", "test accuracy (%)")
    assert metric("ece").axis == "expected calibration error (%)"
    assert PRIMARY.unit_of_difference == "points"
    assert metric("nll").unit_of_difference == "nats"
    with pytest.raises(KeyError):
        metric("acuracy")


def test_those_that_can_be_compared_are_the_choices_of_the_option():
    assert COMPARABLE == METRIC_NAMES
    assert all(metric(name).better in ("higher", "lower") for name in COMPARABLE)
    assert all(metric(name).of == "finetuning" for name in COMPARABLE)


def test_an_export_has_them_in_their_order(tmp_path):
    fill(tmp_path, make_study(["mixup"], seeds=1, shift=["noise"]))
    with Store.read(tmp_path) as store:
        columns = list(StudyResult(store.study()).cell_rows()[0])
    assert [name for name in columns if name in {one.name for one in METRICS}] == [
        one.name for one in METRICS
    ]


@pytest.mark.parametrize("one", METRICS, ids=lambda one: one.name)
def test_two_computations_may_differ_by_the_tolerance_and_no_more(one):
    study = make_study()
    computed = {one.name: 0.5 for one in METRICS if one.from_predictions or one.from_shift}
    first = {**invent(study.cells()[0], study).metrics, **computed}
    for share, found in ((0.9, ()), (1.1, (one.name,))):
        other = {**first, one.name: first[one.name] + share * (one.tolerance or 1e9)}
        names = tuple(d.metric for d in disagreements(first, other, images=100_000))
        assert names == (found if one.tolerance is not None else ())


def test_a_reference_is_known_by_its_size():
    assert [reference(one.samples_per_class) for one in REFERENCES] == list(REFERENCES)
    assert reference(4) is None
    assert with_references((1, 4)) == (0, 1, 4, None)
    assert [size_name(size) for size in with_references((4,))] == ["floor", "s=4", "ceiling"]


def test_a_study_adds_the_references_to_its_baseline_alone():
    study = make_study(["mixup"], seeds=1, references=True)
    found = [(c.arm.label, c.samples_per_class) for c in study.cells()]
    assert [size for label, size in found if label == "none" and reference(size)] == [0, None]
    assert not [size for label, size in found if label == "mixup" and reference(size)]
    floor, ceiling = (
        cell for cell in study.cells() if reference(cell.samples_per_class) is not None
    )
    assert (floor.pretrain_images, floor.pretrain_steps) == (0, 0)
    assert ceiling.pretrain_images == sum(ceiling.pretrain.train_counts)
