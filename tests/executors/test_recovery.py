"""Who is to blame for the end of a process, and what is trained again."""

from hypothesis import given
from hypothesis import strategies as st
from synthetic import make_study

from augbench.executors.recovery import Loss, Recovery
from augbench.plugins.guard import Place

CELLS = tuple(make_study(["mixup", "collage"], seeds=2).cells())


def train(recovery, packs, ends):
    """Train packs until each cell is done or failed, each pack that holds one that `ends` lost."""
    packs, done, failed, lost = list(packs), [], {}, 0
    while packs:
        pack, doomed = recovery.without_doomed(packs.pop(0))
        failed |= {one.cell.key: one.result for one in doomed}
        loss = ends(pack)
        if loss is None:
            done += pack
            continue
        lost += 1
        failures, again = recovery.after(pack, loss)
        failed |= {one.cell.key: one.result for one in failures}
        packs = again + packs
    return done, failed, lost


@given(guilty=st.sets(st.sampled_from(CELLS), max_size=4))
def test_where_nothing_tells_the_guilty_alone_fail(guilty):
    def ends(pack):
        return Loss("was killed", "crashed") if guilty & set(pack) else None

    done, failed, lost = train(Recovery(), [CELLS], ends)
    assert set(failed) == {cell.key for cell in guilty}
    assert sorted(cell.key for cell in done) == sorted({c.key for c in CELLS} - set(failed))
    assert len({cell.key for cell in done}) == len(done)
    # Once for nothing, then down to each of them.
    assert lost <= 1 + len(guilty) * (1 + len(CELLS).bit_length())


def test_a_pack_that_something_outside_ended_is_trained_again_as_it_was():
    recovery = Recovery()
    failures, again = recovery.after(CELLS, Loss("was killed", "crashed"))
    assert not failures
    assert again == [list(CELLS)]


def test_a_pack_that_took_too_long_is_halved_at_once():
    failures, again = Recovery().after(CELLS, Loss("was stopped", "timed out"))
    assert not failures
    assert sorted(len(part) for part in again) == [len(CELLS) // 2, len(CELLS) - len(CELLS) // 2]
    (failure,), again = Recovery().after(CELLS[:1], Loss("was stopped", "timed out"))
    assert failure.result.failure == "timed out"
    assert again == []


@given(guilty=st.sets(st.sampled_from(CELLS), max_size=6))
def test_a_place_names_the_cell(guilty):
    def ends(pack):
        one = next((cell for cell in pack if cell in guilty), None)
        if one is None:
            return None
        place = Place("augmentation 'x'", one.pipeline.label, one.path_key)
        return Loss("ended with code 1", "crashed", place)

    _, failed, lost = train(Recovery(), [CELLS], ends)
    assert set(failed) == {cell.key for cell in guilty}
    assert lost == len(guilty)
    assert all("in augmentation 'x'" in result.error for result in failed.values())


def test_an_arm_that_ends_its_process_at_first_sight_is_not_tried_in_other_packs():
    def ends(pack):
        if not any(cell.pipeline.label == "mixup" for cell in pack):
            return None
        return Loss("ended", "crashed", Place("augmentation 'mixup'", "mixup", first=True))

    packs = [CELLS[:9], CELLS[9:15], CELLS[15:]]
    done, failed, lost = train(Recovery(), packs, ends)
    assert lost == 1
    assert set(failed) == {cell.key for cell in CELLS if cell.pipeline.label == "mixup"}
    assert len(done) + len(failed) == len(CELLS)


def test_a_data_set_costs_the_cells_that_need_it():
    content = CELLS[0].pretrain.content_hash
    loss = Loss("ended", "crashed", Place("data set 'digits'", dataset=content))
    failures, again = Recovery().after(CELLS, loss)
    assert len(failures) == len(CELLS)
    assert again == []
