from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.setting_kinds import Choice, Number, kinds_of
from app.domain.settings import MatchOptions, PersonOptions, PlacementOptions, Settings
from app.pipeline.look_settings import look_of, segmenter_choice_of
from harmonizer import SemanticClass


def any_of(group):
    """Any value of a group that its own limits allow."""
    values = {}
    for name, kind in kinds_of(group).items():
        if isinstance(kind, Number):
            values[name] = st.one_of(st.sampled_from([kind.low, kind.high]), st.floats(kind.low, kind.high))
        elif isinstance(kind, Choice):
            values[name] = st.sampled_from(list(kind.options))
        else:
            values[name] = st.booleans()
    return st.builds(group, **values)


@given(any_of(PersonOptions), any_of(MatchOptions), any_of(PlacementOptions))
def test_all_that_can_be_set_makes_a_look(person, match, placement):
    look = look_of(Settings(person=person, match=match, placement=placement))
    assert 0 <= look.matte.low < look.matte.high <= 1
    assert look.matte.low <= person.threshold <= look.matte.high
    assert look.match.strength == match.strength
    assert look.placement.scale == placement.scale
    segmenter_choice_of(person)


def test_defaults_are_the_measured_best_matte():
    from app.pipeline.matte import MatteSettings

    assert look_of(Settings()).matte == MatteSettings()


def test_each_setting_arrives_where_it_belongs():
    settings = Settings(
        person=PersonOptions(
            feather_px=3, grow_px=-2, fine_edges=False, decontaminate=False, light_wrap=0.4, steadiness_s=0.3
        ),
        match=MatchOptions(strength=0.7, smoothing_s=1.5, protect_skin=0.6, subject="animal"),
        placement=PlacementOptions(scale=1.5, offset_x=0.1, offset_y=-0.2, mirror=True),
    )
    look = look_of(settings)
    assert (look.matte.feather_px, look.matte.grow_px, look.matte.tau_s) == (3, -2, 0.3)
    assert not look.matte.refine_edges
    assert not look.decontaminate
    assert look.light_wrap == 0.4
    assert (look.match.strength, look.match.smoothing.tau_s, look.match.protect_skin) == (0.7, 1.5, 0.6)
    assert look.match.label is SemanticClass.ANIMAL
    assert (look.placement.scale, look.placement.offset_x, look.placement.offset_y) == (1.5, 0.1, -0.2)
    assert look.placement.mirror


@pytest.mark.parametrize(
    ("model", "choice"),
    [
        ("auto", ("auto", None)),
        ("landscape", ("landscape", None)),
        ("square", ("square", None)),
        ("key", (None, "auto")),
    ],
)
def test_model_chooses_the_segmenter(model, choice):
    found = segmenter_choice_of(replace(PersonOptions(), model=model))
    assert found.key_color == choice[1]
    if choice[0]:
        assert found.model == choice[0]
