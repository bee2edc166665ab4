"""Grids of one parameter among the arms of a study."""

from augbench.plugins import Registry
from augbench.plugins.grids import grids

REGISTRY = Registry.load()


def found(*specs):
    pipelines = [one for spec in specs for one in REGISTRY.pipelines(spec)]
    arms = [(pipeline.label, pipeline) for pipeline in pipelines]
    return [(grid.name, [value for value, _ in grid.points]) for grid in grids(arms)]


def test_arms_that_differ_in_one_number_are_a_grid_in_its_order() -> None:
    assert found("none", "mixup:alpha=1/0.1/0.3") == [("mixup:alpha", [0.1, 0.3, 1.0])]


def test_a_default_is_a_point_of_the_grid() -> None:
    assert found("mixup", "mixup:alpha=0.1/1") == [("mixup:alpha", [0.1, 0.3, 1.0])]


def test_two_values_are_no_curve() -> None:
    assert found("mixup:alpha=0.1/1", "collage") == []


def test_pipelines_are_alike_on_their_base_and_with_their_probabilities() -> None:
    assert found("crop-flip+mixup:alpha=0.1/0.3/1") == [("mixup:alpha", [0.1, 0.3, 1.0])]
    assert found("mixup:alpha=0.1/0.3", "mixup:alpha=1@0.5") == []


def test_a_table_of_two_parameters_is_its_rows_and_columns() -> None:
    names = found("crop-flip:padding=1/2/3+mixup:alpha=0.1/0.3/1")
    assert sorted(names) == [
        *[("crop-flip:padding", [1.0, 2.0, 3.0])] * 3,
        *[("mixup:alpha", [0.1, 0.3, 1.0])] * 3,
    ]


def test_yes_and_no_are_no_numbers() -> None:
    assert found("crop-flip:flip=true/false", "crop-flip:flip=true,padding=1") == []


def test_each_value_is_told_by_the_arm_that_has_it() -> None:
    pipelines = REGISTRY.pipelines("mixup:alpha=0.1/0.5/1")
    (grid,) = grids([(f"arm {i}", one) for i, one in enumerate(pipelines)])
    assert grid.points == ((0.1, "arm 0"), (0.5, "arm 1"), (1.0, "arm 2"))
