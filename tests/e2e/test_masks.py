import numpy as np
import pytest

from tests.support.datasets import save


@pytest.fixture
def people(tmp_path, person_pictures):
    folder = tmp_path / "people"
    for i in (0, 5, 10):
        save(folder / f"{i:02}.jpg", person_pictures[i])
    return folder


def test_masks_can_be_evaluated_on_at_once(run, run_json, people, tmp_path):
    for i in range(12):
        save(people / f"wall{i:02}.png", np.full((90, 90, 3), 100 + i, np.uint8))
    out = tmp_path / "masked"
    code, stdout, err = run("masks", people, "-o", out)
    assert (code, stdout) == (0, "")
    assert "left out: 12" in err
    assert "wall00.png: nobody was found" in err
    assert "and 2 more; --json names them all" in err
    code, result = run_json("masks", people, "-o", out)
    assert code == 0
    assert (result["pictures"], result["written"], result["kept"]) == (15, 0, 3)
    assert len(result["left_out"]) == 12
    code, scores = run_json("eval", out, "--method", "identity")
    assert code == 0
    assert scores["left_out"] == []
    assert scores["sizes"]["256"][0]["pictures"] == 3


def test_masks_refuses_what_cannot_be_done(run, people, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("mine")
    assert run("masks", tmp_path / "gone", "-o", tmp_path / "out")[0] == 3
    assert run("masks", tmp_path / "empty", "-o", tmp_path / "out")[0] == 3
    for target in (people, people / "masked", tmp_path / "file"):
        code, out, err = run("masks", people, "-o", target)
        assert (code, out) == (4, "")
        assert target.name in err
    assert not (tmp_path / "out").exists()
    assert (tmp_path / "file").read_text() == "mine"
    assert sorted(p.name for p in people.iterdir()) == ["00.jpg", "05.jpg", "10.jpg"]


def test_ctrl_c_keeps_what_is_done_and_the_same_command_goes_on(run, run_json, people, tmp_path, monkeypatch):
    out = tmp_path / "masked"
    silent = "app.cli.console._Silent.tick"
    with monkeypatch.context() as patched:
        patched.setattr(silent, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        code, _, err = run("masks", people, "-o", out)
    assert code == 130
    assert "the same command goes on" in err
    assert [p.name for p in (out / "masks").iterdir()] == ["00.png"]
    assert run_json("masks", people, "-o", out)[1]["written"] == 2
    assert len(list((out / "masks").iterdir())) == 3
