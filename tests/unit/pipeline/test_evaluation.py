import csv
import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from app.domain.errors import ExitCode, UserError
from app.pipeline.evaluation import Row, evaluate, find
from app.pipeline.evaluation_methods import Method, default_methods, open_methods
from app.pipeline.evaluation_report import HEADERS, as_csv, columns_that_fit, summarize, table_rows
from app.pipeline.evaluation_samples import Sample, at_size, read_sample
from harmonizer import SemanticClass
from harmonizer.metrics import fmse, mse
from harmonizer.training.composites import find_triples
from tests.support.datasets import add_triple, darkened, region, save, scene, write_iharmony, write_plain
from tests.support.published import published_state

ROW = Row(
    subset="a",
    name="1.jpg",
    size="256",
    method="identity",
    foreground_share=0.1,
    mse=2.0,
    fmse=20.0,
    psnr=30.0,
    ssim=0.9,
    fssim=0.8,
    delta_e=3.0,
    hue_deg=4.0,
    chroma=5.0,
    chroma_gain=-5.0,
    identity_shift=0.5,
    worse=False,
    time_ms=1.0,
)


@pytest.fixture
def root(tmp_path):
    return write_iharmony(tmp_path / "iHarmony4")


def undo(composite, inside):
    """What a perfect method does to `darkened` pictures, but for rounding."""
    lit = np.clip(composite / 0.6 + 0.8, 0, 255).astype(np.uint8)
    return np.where(inside[..., None], lit, composite)


def brighten(composite, inside):
    return np.where(inside[..., None], np.minimum(composite, 235) + 20, composite).astype(np.uint8)


METHODS = [Method("identity", lambda c, _: c), Method("undo", undo)]


def test_every_method_is_scored_on_every_picture_at_every_size(root):
    found, notices = find([root])
    ticks = []
    evaluation = evaluate(found, METHODS, sizes=("256", "full"), tick=lambda: ticks.append(1))
    assert notices == ()
    assert len(ticks) == 5
    assert len(evaluation.rows) == 5 * 2 * 2
    for row in evaluation.rows:
        assert row.worse is False
        assert row.time_ms >= 0
        assert (row.identity_shift == 0) is (row.method == "identity")
    full = {(r.name, r.method): r for r in evaluation.rows if r.size == "full"}
    sample = read_sample(found.triples[2], seed=7)
    row = full[found.triples[2].name, "identity"]
    assert row.mse == pytest.approx(mse(sample.composite, sample.truth))
    assert row.fmse == pytest.approx(fmse(sample.composite, sample.truth, sample.inside))
    assert row.foreground_share == pytest.approx(sample.inside.mean())
    assert all(full[t.name, "undo"].fmse < 0.2 * full[t.name, "identity"].fmse for t in found.triples)


def test_a_picture_made_worse_is_told(root):
    found, _ = find([root / "HFlickr"])
    darker = Method("darker", lambda c, inside: np.where(inside[..., None], c // 2, c))
    assert all(row.worse for row in evaluate(found, [darker]).rows)


def test_at_256_both_pictures_are_resized_and_the_mask_cut_at_half():
    truth, mask = scene(3), region(0.3)
    small = at_size(Sample(darkened(truth, mask), truth, mask > 0), "256")
    assert small.composite.shape == small.truth.shape == (256, 256, 3)
    assert small.inside.dtype == bool
    assert small.inside.mean() == pytest.approx((mask > 0).mean(), abs=0.01)


def test_a_mask_that_vanishes_at_256_leaves_its_picture_out_at_every_size(tmp_path):
    size = (3000, 40)
    truth, mask = scene(3, size), np.zeros((40, 3000), np.uint8)
    mask[20, 1500] = 255
    add_triple(tmp_path / "mine", "a", seed=1)
    for part, pixels in (("composite_images", truth), ("real_images", truth), ("masks", mask)):
        save(tmp_path / "mine" / part / "b.png", pixels)
    evaluation = evaluate(find([tmp_path / "mine"])[0], METHODS, sizes=("full", "256"))
    assert {row.name for row in evaluation.rows} == {"a_1_2.jpg"}
    assert evaluation.left_out == ("mine/b.png: its mask is empty at 256 x 256.",)


def test_broken_and_mismatched_files_are_named_and_the_rest_is_scored(root):
    coco = root / "HCOCO"
    (coco / "real_images" / "c0.jpg").write_bytes(b"junk")
    save(coco / "masks" / "c1_1.png", region(0.3, (50, 50)))
    whole = (coco / "composite_images" / "c2_1_2.jpg").read_bytes()
    (coco / "composite_images" / "c2_1_2.jpg").write_bytes(whole[: len(whole) // 2])
    save(root / "HFlickr" / "composite_images" / "f0_1_2.jpg", scene(1, (30, 30)))
    evaluation = evaluate(find([root])[0], METHODS)
    assert {row.name for row in evaluation.rows} == {"f1_1_2.jpg"}
    reasons = "\n".join(evaluation.left_out)
    assert len(evaluation.left_out) == 4
    assert "c0.jpg" in reasons
    assert "HCOCO/c1_1_2.jpg: its mask is 50 x 50, the picture 72 x 60." in reasons
    assert "c2_1_2.jpg” is damaged" in reasons
    assert "the composite is 30 x 30, the real picture 72 x 60" in reasons


def test_nothing_usable_is_a_sentence_with_the_first_reasons(root):
    for mask in (root / "HCOCO" / "masks").iterdir():
        save(mask, region(0.3, (50, 50)))
    with pytest.raises(UserError, match=r"nothing to evaluate: HCOCO/c0_1_2.jpg: its mask is 50 x 50") as raised:
        evaluate(find([root / "HCOCO"])[0], METHODS)
    assert raised.value.code == ExitCode.BAD_INPUT
    with pytest.raises(UserError, match=r"no data set"):
        find([root / "HCOCO" / "masks"])


def test_empty_masks_are_no_foreground(root):
    save(root / "HFlickr" / "masks" / "f0_1.png", region(0.3) * 0)
    evaluation = evaluate(find([root / "HFlickr"])[0], METHODS)
    assert evaluation.left_out == ("HFlickr/f0_1_2.jpg: its mask is empty.",)


@pytest.mark.parametrize("kind", ["zero_one", "rgb", "alpha", "sixteen"])
def test_masks_of_other_kinds_mean_the_same(tmp_path, kind):
    add_triple(tmp_path / "mine", "a", seed=1)
    mask = region(0.3)
    expected = mask > 0
    forms = {
        "zero_one": mask // 255,
        "rgb": np.repeat(mask[..., None], 3, axis=2),
        "alpha": np.dstack([np.full_like(mask, 255), mask]),
        "sixteen": mask.astype(np.uint16) * 257,
    }
    Image.fromarray(forms[kind]).save(tmp_path / "mine" / "masks" / "a_1.png")
    (triple,) = find_triples([tmp_path / "mine"]).triples
    assert np.array_equal(read_sample(triple, seed=1).inside, expected)


def test_plain_pictures_are_recoloured_the_same_whatever_else_is_scored(tmp_path):
    folder = write_plain(tmp_path / "people", 5)
    found, _ = find([folder])
    alone, _ = find([folder], limit=1)
    assert np.array_equal(
        read_sample(found.triples[0], seed=7).composite, read_sample(alone.triples[0], seed=7).composite
    )
    other = read_sample(found.triples[0], seed=8)
    assert not np.array_equal(other.composite, read_sample(found.triples[0], seed=7).composite)
    assert np.array_equal(other.composite[~other.inside], other.truth[~other.inside])


def test_a_broken_partner_is_only_its_own_loss(tmp_path):
    folder = write_plain(tmp_path / "people", 3)
    (folder / "images" / "001.png").write_bytes(b"junk")
    evaluation = evaluate(find([folder])[0], METHODS)
    assert {row.name for row in evaluation.rows} == {"000.png", "002.png"}
    assert len(evaluation.left_out) == 1


def test_limit_spreads_and_lists_restrict(tmp_path, root):
    assert [t.name for t in find([root], part="all", limit=3)[0].triples] == ["c0_1_2.jpg", "c2_1_2.jpg", "f0_1_2.jpg"]
    assert len(find([root], limit=99)[0].triples) == 5
    listed = tmp_path / "list.txt"
    listed.write_text("c1_1_2.jpg\nnobody.jpg\n")
    found, notices = find([root], only=listed)
    assert [t.name for t in found.triples] == ["c1_1_2.jpg"]
    assert "nobody.jpg" in notices[0]
    listed.write_text("nobody.jpg\n")
    with pytest.raises(UserError, match="names no picture"):
        find([root], only=listed)
    with pytest.raises(UserError, match="can't be read"):
        find([root], only=tmp_path / "gone.txt")


def test_methods_open_by_name_and_file_and_change_only_the_foreground(tmp_path):
    torch.save(published_state(), tmp_path / "paper.pth")
    names = ("identity", "reinhard", "histogram", default_methods()[-1], str(tmp_path / "paper.pth"))
    methods = open_methods(names, label=SemanticClass.OTHER)
    assert [m.name for m in methods] == [*names[:-1], "paper"]
    truth, mask = scene(3), region(0.3)
    composite = darkened(truth, mask, 0.2)  # mild mismatches of mere noise are left alone
    for method in methods:
        output = method.apply(composite, mask > 0)
        assert output.dtype == np.uint8
        assert np.array_equal(output[mask == 0], truth[mask == 0])
        assert np.array_equal(output, composite) is (method.name == "identity")


def test_files_of_one_stem_keep_apart(tmp_path):
    paths = [tmp_path / part / "paper.pth" for part in "ab"]
    for seed, path in enumerate(paths):
        path.parent.mkdir()
        torch.save(published_state(seed=seed), path)
    methods = open_methods([str(p) for p in paths], label=None)
    assert [m.name for m in methods] == ["paper", str(paths[1])]


@pytest.mark.parametrize(
    ("name", "code"), [("nonsense", ExitCode.USAGE), ("gone.pth", ExitCode.MODEL), ("gone.safetensors", ExitCode.MODEL)]
)
def test_methods_that_cannot_be_had_say_so(name, code):
    with pytest.raises(UserError, match=name.split(".")[0]) as raised:
        open_methods([name], label=None)
    assert raised.value.code == code


def rows_of(*changes):
    return [replace(ROW, **change) for change in changes]


def test_groups_are_all_then_foreground_ratios_then_subsets():
    rows = rows_of(
        {"foreground_share": 0.049}, {"foreground_share": 0.05}, {"foreground_share": 0.15, "subset": "b"},
        {"foreground_share": 1.0, "subset": "b"},
    )  # fmt: skip
    groups = {s.group: s.pictures for s in summarize(rows)}
    assert groups == {"all": 4, "0-5 % fg": 1, "5-15 % fg": 1, "15-100 % fg": 2, "a": 2, "b": 2}
    assert [s.group for s in summarize(rows[:1])] == ["all", "0-5 % fg"]


def test_summaries_are_means_medians_and_shares():
    rows = rows_of({"mse": 1.0, "fmse": 1.0, "time_ms": 9.0, "worse": True}, {"mse": 3.0, "fmse": 2.0}, {"fmse": 30.0})
    summary = summarize(rows)[0]
    assert summary.mse == pytest.approx(2.0)
    assert summary.fmse == pytest.approx(11.0)
    assert summary.fmse_median == 2.0
    assert summary.worse == pytest.approx(1 / 3)
    assert summary.time_ms == 1.0


def test_infinite_and_missing_figures_are_left_out_of_means_and_null_in_json():
    mixed = summarize(rows_of({"psnr": math.inf, "hue_deg": math.nan}, {"psnr": 40.0}))[0]
    assert (mixed.psnr, mixed.hue_deg) == (40.0, 4.0)
    none = summarize(rows_of({"psnr": math.inf, "hue_deg": math.nan}))[0]
    assert none.psnr == math.inf
    assert "-" in none.cells()
    values = json.loads(json.dumps(none.as_dict(), allow_nan=False))
    assert values["psnr"] is None
    assert values["hue_deg"] is None
    assert values["mse"] == 2.0


def test_table_names_each_group_once_above_its_methods():
    rows = rows_of({}, {"method": "undo"})
    lines = table_rows(summarize(rows))
    assert [line[0] for line in lines] == [
        "all (1)",
        "  identity",
        "  undo",
        "",
        "5-15 % fg (1)",
        "  identity",
        "  undo",
    ]
    assert {len(line) for line in lines} == {len(HEADERS)}


def test_narrow_terminals_get_several_tables_that_together_show_every_column():
    lines = table_rows(summarize(rows_of({})))
    assert columns_that_fit(lines, 200) == [list(range(len(HEADERS)))]
    narrow = columns_that_fit(lines, 60)
    assert len(narrow) > 1
    assert all(table[0] == 0 for table in narrow)
    assert [i for table in narrow for i in table[1:]] == list(range(1, len(HEADERS)))
    assert len(columns_that_fit(lines, 1)) == len(HEADERS) - 1


def test_csv_reads_back_as_it_was_measured():
    (read,) = csv.DictReader(as_csv([replace(ROW, name="a,b.jpg", psnr=math.inf)]).splitlines())
    assert read["name"] == "a,b.jpg"
    assert float(read["psnr"]) == math.inf
    assert float(read["fmse"]) == ROW.fmse
    assert read["worse"] == "False"
