import csv

import numpy as np
import pytest
from PIL import Image

from tests.support.datasets import region, save, scene, write_iharmony, write_plain


@pytest.fixture
def root(tmp_path):
    return write_iharmony(tmp_path / "iHarmony4")


def by_method(result, size="256", group="all"):
    return {line["method"]: line for line in result["sizes"][size] if line["group"] == group}


def test_eval_compares_the_default_methods_on_the_test_list(run_json, root, tmp_path):
    out = tmp_path / "scores.csv"
    code, result = run_json("eval", root, "--size", "both", "--csv", out)
    assert code == 0
    assert result["peak"] == 255
    assert result["left_out"] == []
    for size in ("256", "full"):
        lines = by_method(result, size)
        assert list(lines)[:3] == ["identity", "reinhard", "histogram"]
        assert len(lines) == 4
        assert lines["identity"]["pictures"] == 5
        assert lines["identity"]["worse"] == lines["identity"]["identity_shift"] == 0
        assert lines["reinhard"]["identity_shift"] > 0
    groups = {line["group"] for line in result["sizes"]["256"]}
    assert groups == {"all", "0-5 % fg", "5-15 % fg", "15-100 % fg", "HCOCO", "HFlickr"}
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert len(rows) == 5 * 4 * 2
    fmse = [float(r["fmse"]) for r in rows if r["method"] == "identity" and r["size"] == "256"]
    assert sum(fmse) / 5 == pytest.approx(by_method(result)["identity"]["fmse"])
    assert not list(tmp_path.glob("*.part*"))


def test_eval_prints_one_table_with_peak_and_counts(run, root):
    code, out, _ = run("eval", root, "--method", "identity,reinhard")
    assert code == 0
    assert "256 x 256, 5 pictures, 0 left out, peak 255" in out
    assert out.count("fSSIM") == 1
    assert "HFlickr (2)" in out
    assert "…" not in out


def test_eval_names_what_is_broken_and_goes_on(run, run_json, root):
    (root / "HCOCO" / "real_images" / "c0.jpg").write_bytes(b"junk")
    (root / "HCOCO" / "masks" / "c1_1.png").unlink()
    code, out, err = run("eval", root, "--method", "identity")
    assert code == 0
    assert "left out: 2" in err
    assert "c0.jpg" in err
    assert "HCOCO/c1_1_2.jpg: its mask is missing" in err
    assert "3 pictures, 2 left out" in out
    assert len(run_json("eval", root, "--method", "identity")[1]["left_out"]) == 2


def test_eval_of_masks_of_another_size_or_no_data_set_ends_with_a_sentence(run, root, tmp_path):
    for mask in (root / "HFlickr" / "masks").iterdir():
        save(mask, region(0.3, (50, 50)))
    code, out, err = run("eval", root / "HFlickr", "--method", "identity")
    assert (code, out) == (3, "")
    assert "its mask is 50 x 50, the picture 72 x 60" in err
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "empty", tmp_path / "gone"):
        code, _, err = run("eval", folder, "--method", "identity")
        assert code == 3
        assert folder.name in err


def test_eval_refuses_unknown_methods_and_outputs_that_would_lose_something(run, root, tmp_path):
    assert run("eval", root, "--method", "nonsense")[0] == 2
    assert run("eval", root, "--method", "identity", "--csv", tmp_path / "none" / "a.csv")[0] == 4
    listed = tmp_path / "list.txt"
    listed.write_text("c1_1_2.jpg\n")
    owned = root / "IHD_test.txt"
    for target in (listed, owned, root):
        before = target.read_bytes() if target.is_file() else None
        code, _, err = run(
            "eval", root, "--method", "identity", "--list", listed, "--csv", target, "--overwrite"
        )  # fmt: skip
        assert code == 4, err
        assert before is None or target.read_bytes() == before
    out = tmp_path / "scores.csv"
    out.write_text("earlier work")
    assert run("eval", root, "--method", "identity", "--csv", out)[0] == 4
    assert out.read_text() == "earlier work"
    assert run("eval", root, "--method", "identity", "--csv", out, "--overwrite", "--list", listed)[0] == 0
    assert len(out.read_text().splitlines()) == 2


def test_eval_recolours_plain_folders_the_same_for_the_same_seed(run_json, tmp_path):
    folder = write_plain(tmp_path / "people", 4)
    figures = []
    for seed in (7, 7, 8):
        code, result = run_json("eval", folder, "--method", "identity", "--seed", seed)
        assert code == 0
        figures.append(by_method(result)["identity"]["fmse"])
    assert figures[0] == figures[1] > 0
    assert figures[0] != figures[2]


def test_eval_draws_a_sheet_of_evenly_spread_pictures(run, run_json, root, tmp_path):
    sheets = {}
    for count in (2, 5):
        sheets[count] = tmp_path / f"{count}.png"
        code, result = run_json(
            "eval", root, "--method", "identity,reinhard,histogram", "--sheet", sheets[count], "--sheet-count", count
        )  # fmt: skip
        assert code == 0
        assert result["sheet"] == str(sheets[count])
    small, large = (np.asarray(Image.open(path)) for path in sheets.values())
    assert small.shape[1] == large.shape[1]
    assert large.shape[0] > 2 * small.shape[0] > 300
    width = small.shape[1]
    assert 4 * 160 < width < 4 * 200  # composite, Reinhard, histogram, truth: what changes nothing has no column
    assert not list(tmp_path.glob("*.part*"))
    code, _, err = run("eval", root, "--method", "identity", "--sheet", sheets[2])
    assert code == 4
    assert "--overwrite" in err
    assert np.array_equal(np.asarray(Image.open(sheets[2])), small)


def test_eval_refuses_sheets_that_cannot_be_before_any_work(run, root, tmp_path):
    truth = root / "HCOCO" / "real_images" / "c0.jpg"
    before = truth.read_bytes()
    for target in (tmp_path / "sheet.txt", tmp_path / "none" / "sheet.png", truth):
        code, out, err = run("eval", root, "--method", "identity", "--sheet", target, "--overwrite")
        assert (code, out) == (4, "")
        assert target.name in err or "none" in err
    assert truth.read_bytes() == before
    same = tmp_path / "same.png"
    assert run("eval", root, "--method", "identity", "--sheet", same, "--csv", same)[0] == 4
    assert run("eval", root, "--method", "identity", "--sheet", same, "--sheet-count", 100000)[0] == 2
    assert not same.exists()


def test_a_broken_picture_is_only_missing_on_the_sheet(run, root, tmp_path):
    (root / "HCOCO" / "real_images" / "c0.jpg").write_bytes(b"junk")
    code, _, err = run("eval", root, "--method", "reinhard", "--sheet", tmp_path / "sheet.png")
    assert code == 0
    assert "c0.jpg" in err
    code, _, err = run(
        "eval", root, "--method", "reinhard", "--sheet", tmp_path / "none.png", "--sheet-count", 1, "--size", "both"
    )  # fmt: skip
    assert code == 0
    assert "no sheet was written: none of the pictures chosen" in err
    assert not (tmp_path / "none.png").exists()


def test_eval_draws_regions_on_photographs_without_masks(run_json, tmp_path):
    folder = tmp_path / "photographs"
    for i in range(4):
        save(folder / f"{i}.png", scene(i, (300, 200)))
    first, again, other = (
        run_json("eval", folder, "--method", "identity", "--seed", seed)[1] for seed in (7, 7, 8)
    )  # fmt: skip
    lines = [by_method(result)["identity"] for result in (first, again, other)]
    assert lines[0]["pictures"] == 4
    assert lines[0]["fmse"] == lines[1]["fmse"] > 0
    assert lines[0]["fmse"] != lines[2]["fmse"]


def test_the_default_weights_undo_recolourings_of_real_pictures(run_json, shared_data):
    code, result = run_json("eval", shared_data / "train" / "people", "--limit", 10)
    assert code == 0
    lines = by_method(result)
    network = list(lines)[-1]
    assert lines[network]["fmse"] < 0.8 * lines["identity"]["fmse"]
    assert lines[network]["fmse"] < lines["reinhard"]["fmse"]
