import contextlib
import json
import tempfile
from dataclasses import fields
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.interface_state import interface_from_json
from app.domain.setting_kinds import Choice, Number, Toggle, kinds_of
from app.domain.settings import GROUPS, Settings, settings_from_json, settings_to_json
from app.pipeline.bounded_json import UnusableJson, parse_json
from app.pipeline.settings_store import load_settings, save_settings

junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def value_of(kind):
    if isinstance(kind, Number):
        return st.floats(kind.low, kind.high)
    if isinstance(kind, Choice):
        return st.sampled_from(list(kind.options))
    return st.booleans() if isinstance(kind, Toggle) else st.text(st.characters(exclude_characters="\0"), max_size=30)


def group_of(group):
    return st.builds(group, **{name: value_of(kind) for name, kind in kinds_of(group).items()})


any_settings = st.builds(
    Settings,
    plate=st.text(st.characters(exclude_characters="\0"), max_size=30),
    **{name: group_of(group) for name, group in GROUPS.items()},
)


def is_valid(value):
    return all(
        kind.accepts(getattr(getattr(value, name), key))
        for name, group in GROUPS.items()
        for key, kind in kinds_of(group).items()
    )


@given(any_settings)
@settings(max_examples=40)
def test_settings_survive_json_exactly(value):
    assert settings_from_json(json.loads(json.dumps(settings_to_json(value)))) == (value, ())


@given(any_settings)
@settings(max_examples=15, deadline=None)
def test_settings_survive_the_disk_exactly(value):
    with tempfile.TemporaryDirectory() as folder:
        save_settings(Path(folder) / "settings.json", value)
        assert load_settings(Path(folder) / "settings.json") == (value, ())


@given(junk)
def test_junk_gives_valid_settings(data):
    assert is_valid(settings_from_json(data)[0])
    interface_from_json(data)


@given(
    any_settings,
    st.sampled_from([(name, setting.name) for name, group in GROUPS.items() for setting in fields(group)]),
    junk,
)
@settings(max_examples=60)
def test_one_value_of_junk_leaves_all_others(value, where, bad):
    group, name = where
    data = settings_to_json(value)
    data[group][name] = bad
    read, notes = settings_from_json(data)
    assert is_valid(read)
    kept = getattr(getattr(read, group), name)
    assert read.with_value(group, name, getattr(getattr(value, group), name)) == value
    assert notes or kept == bad


@given(st.binary(max_size=200))
def test_any_bytes_are_json_or_a_reason(data):
    with contextlib.suppress(UnusableJson):
        parse_json(data)


@given(st.integers(0, 99), st.binary(max_size=20))
@settings(max_examples=30, deadline=None)
def test_a_file_cut_anywhere_never_costs_the_copy_before_it(percent, tail):
    before, after = Settings(plate="loft"), Settings(plate="forest")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "settings.json"
        save_settings(path, before)
        save_settings(path, after)
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) * percent // 100] + tail)
        assert load_settings(path)[0] in (before, after)
