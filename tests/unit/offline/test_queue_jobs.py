"""From the queue to jobs: the same as the command line's, and only what is ours is thrown away."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from app.cli.parser import build_parser
from app.cli.render_job import job_from
from app.domain.errors import UserError
from app.domain.settings import MatchOptions, PersonOptions, PlacementOptions, Settings
from app.pipeline.offline.planning import work_folder_of
from app.pipeline.offline.presets import PRESETS
from app.pipeline.offline.queue_items import QueueItem
from app.pipeline.offline.queue_jobs import clips_in, discard_work, free_bytes, job_of
from app.pipeline.recording.file_lock import WriterLock

VIDEOS = {".mp4", ".mov"}


def item(suffix=".mp4", **facts):
    return QueueItem(Path("/clips/talk.mp4"), Path(f"/out/talk{suffix}"), **facts)


def job_by_command(one, *words):
    args = build_parser().parse_args(["render", str(one.clip), "-o", str(one.output), "--plate", "#20a040", *words])
    return job_from(args, one.clip)


def test_plain_settings_give_the_job_that_the_plain_command_gives():
    one = item(settings=Settings(plate="#20a040"))
    assert job_of(one) == job_by_command(one)


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.slug)
def test_a_preset_gives_the_job_that_it_gives_on_the_command_line(preset):
    one = item(preset.suffix, settings=Settings(plate="#20a040"), preset=preset.slug)
    assert job_of(one) == job_by_command(one, "--deliver", preset.slug)


def test_settings_give_the_job_that_the_same_options_give():
    settings = Settings(
        plate="#20a040",
        person=PersonOptions(
            model="key", threshold=0.5, softness=0.5, feather_px=2.5, grow_px=-3.0, fine_edges=False,
            decontaminate=False, light_wrap=0.25,
        ),
        match=MatchOptions(strength=0.5, smoothing_s=1.5, subject="animal", model="s2crnet-s"),
        placement=PlacementOptions(scale=1.25, offset_x=0.1, offset_y=-0.05, mirror=True),
    )  # fmt: skip
    one = item(".webm", settings=settings, overwrite=True, tone_map=True, sequence_rate=Fraction(25))
    words = (
        "--key auto --threshold 0.25,0.75 --feather 2.5 --grow -3 --no-refine --no-decontaminate --light-wrap 0.25 "
        "--strength 0.5 --smoothing 1.5 --class animal --weights s2crnet-s --scale 1.25 --offset 0.1,-0.05 --mirror "
        "--overwrite --hdr tone-map --sequence-rate 25"
    )
    assert job_of(one) == job_by_command(one, *words.split())


def test_a_preset_nobody_knows_and_a_name_no_format_has_are_refused():
    with pytest.raises(UserError, match="no delivery"):
        job_of(item(preset="vhs"))
    with pytest.raises(UserError, match="talk"):
        job_of(item(".txt"))


def test_a_file_is_itself_whatever_it_is(tmp_path):
    odd = tmp_path / "odd.txt"
    odd.touch()
    assert clips_in(odd, VIDEOS) == [odd]
    assert clips_in(tmp_path / "gone.mp4", VIDEOS) == [tmp_path / "gone.mp4"]


def test_a_folder_stands_for_its_videos_in_order_or_is_a_clip_of_pictures(tmp_path):
    for name in ("b.MP4", "a.mov", "note.txt", ".hidden.mp4"):
        (tmp_path / name).touch()
    assert [path.name for path in clips_in(tmp_path, VIDEOS)] == ["a.mov", "b.MP4"]
    frames = tmp_path / "frames"
    frames.mkdir()
    with pytest.raises(UserError, match="numbered pictures"):
        clips_in(frames, VIDEOS)
    for number in (1, 2):
        (frames / f"shot_{number:04d}.png").touch()
    assert clips_in(frames, VIDEOS) == [frames]


def test_unfinished_work_is_thrown_away_and_nothing_else(tmp_path):
    one = replace(item(), output=tmp_path / "talk.mp4")
    discard_work(one)
    folder = work_folder_of(one.output)
    folder.mkdir()
    (folder / "segment_00000.mkv").touch()
    one.output.write_bytes(b"earlier")
    discard_work(one)
    assert [path.name for path in tmp_path.iterdir()] == ["talk.mp4"]


def test_work_that_somebody_is_at_stays(tmp_path):
    one = replace(item(), output=tmp_path / "talk.mp4")
    folder = work_folder_of(one.output)
    folder.mkdir()
    (folder / "lock").touch()
    lock = WriterLock(folder / "lock")
    discard_work(one)
    assert folder.is_dir()
    lock.release()
    discard_work(one)
    assert not folder.exists()


def test_room_is_known_where_there_is_a_disk(tmp_path):
    assert free_bytes(tmp_path / "talk.mp4") > 0
    assert free_bytes(tmp_path / "gone" / "talk.mp4") is None
