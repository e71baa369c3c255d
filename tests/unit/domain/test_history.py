import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.history import History

values = st.integers(0, 3)
keys = st.sampled_from([None, "strength", "feather"])


def test_undo_and_redo_walk_through_the_values():
    history = History("a")
    history.push("b")
    history.push("c")
    assert (history.undo(), history.undo(), history.undo()) == ("b", "a", None)
    assert history.current == "a"
    assert (history.redo(), history.redo(), history.redo()) == ("b", "c", None)


def test_a_drag_is_one_step():
    history = History(0.0)
    for value in (0.1, 0.2, 0.3):
        history.push(value, merge_key="strength")
    history.push(9.0, merge_key="feather")
    assert history.undo() == 0.3
    assert history.undo() == 0.0


def test_two_drags_of_the_same_slider_are_two_steps_when_settled_between():
    history = History(0.0)
    history.push(0.1, merge_key="strength")
    history.settle()
    history.push(0.2, merge_key="strength")
    assert history.undo() == 0.1


def test_push_after_undo_forgets_what_was_undone_and_does_not_merge():
    history = History(0)
    history.push(1, merge_key="k")
    history.push(2)
    history.undo()
    history.push(3, merge_key="k")
    assert history.redo() is None
    assert history.undo() == 1


def test_equal_value_is_no_step():
    history = History(0)
    history.push(0)
    assert not history.can_undo


def test_depth_is_bounded_and_keeps_the_newest():
    history = History(0, depth=3)
    for value in range(1, 10):
        history.push(value)
    assert [history.undo() for _ in range(4)] == [8, 7, 6, None]
    with pytest.raises(ValueError, match="0 steps"):
        History(0, depth=0)


@given(start=values, pushes=st.lists(values))
def test_undoing_everything_gives_back_every_value_and_redo_returns(start, pushes):
    history, seen = History(start, depth=1000), [start]
    for value in pushes:
        history.push(value)
        if value != seen[-1]:
            seen.append(value)
    assert [history.undo() for _ in seen[1:]] == seen[-2::-1]
    assert not history.can_undo
    assert [history.redo() for _ in seen[1:]] == seen[1:]
    assert not history.can_redo


@given(
    steps=st.lists(st.one_of(st.tuples(st.just("push"), values, keys), st.tuples(st.sampled_from(["undo", "redo"])))),
    last=values,
    key=keys,
)
def test_undo_of_any_new_step_is_exact(steps, last, key):
    history = History(0, depth=5)
    for name, *given_values in steps:
        if name == "push":
            history.push(given_values[0], merge_key=given_values[1])
        else:
            getattr(history, name)()
    history.settle()
    before = history.current
    history.push(last, merge_key=key)
    if last != before:
        assert history.undo() == before
        assert history.redo() == last
    assert history.current == last
