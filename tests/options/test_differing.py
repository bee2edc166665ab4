"""Two nested descriptions: the parts in which they differ, each by its path."""

from hypothesis import given
from hypothesis import strategies as st

from augbench.options import differing

# A name is that of a part with parts, or of a leaf, in both descriptions.
DESCRIPTIONS = st.recursive(
    st.dictionaries(st.sampled_from("abc"), st.integers(0, 2)),
    lambda parts: st.builds(
        lambda leaves, inner: {**leaves, **inner},
        st.dictionaries(st.sampled_from("abc"), st.integers(0, 2)),
        st.dictionaries(st.sampled_from("XYZ"), parts),
    ),
)


def leaves(node, path=()):
    if not isinstance(node, dict):
        return {path: node}
    return {k: v for name, one in node.items() for k, v in leaves(one, (*path, name)).items()}


@given(first=DESCRIPTIONS, second=DESCRIPTIONS)
def test_with_nothing_in_the_place_of_a_lacking_part_every_leaf_is_told(first, second):
    ours, theirs = leaves(first), leaves(second)
    wanted = {
        (path, ours.get(path), theirs.get(path))
        for path in ours.keys() | theirs.keys()
        if ours.get(path) != theirs.get(path)
    }
    found = [
        (path, None if one == {} else one, None if other == {} else other)
        for path, one, other in differing(first, second, lacking={})
    ]
    assert set(found) == wanted
    assert len(found) == len(wanted)


def test_a_part_that_one_lacks_is_told_whole():
    first, second = {"seeds": 2, "tuning": {"trials": 4}}, {"seeds": 2, "shift": ["noise"]}
    assert list(differing(first, second)) == [
        (("tuning",), {"trials": 4}, None),
        (("shift",), None, ["noise"]),
    ]
