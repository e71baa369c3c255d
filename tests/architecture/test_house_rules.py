import ast
import re
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("app", "harmonizer", "assets")
MAX_MODULE_LINES = 500
MAX_MEDIAN_FUNCTION_LINES = 10
FORBIDDEN_CALLS = {
    r"\bpickle\b": "pickle runs code",
    r"torch\.load\((?!.*weights_only=True)": "torch.load without weights_only=True runs code",
    r"allow_pickle=True": "numpy pickles run code",
    r"(?<!\.)\b(?:eval|exec)\(": "runs code",
    r"yaml\.load\(": "runs code",
    r"\bshelve\b|\bjoblib\b": "pickles underneath",
}


def sources():
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def run(*command):
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def tool(name):
    found = Path(sys.executable).with_name(name)
    return str(found if found.exists() else found.with_suffix(".exe"))


def test_imports_run_one_way():
    run(tool("lint-imports"))


def test_types_are_strict_and_clean():
    run(sys.executable, "-m", "mypy")


def test_lint_is_clean():
    run(sys.executable, "-m", "ruff", "check", ".")


def test_format_is_clean():
    run(sys.executable, "-m", "ruff", "format", "--check", ".")


def test_no_module_is_over_500_lines():
    long = {str(p): n for p in sources() if (n := len(p.read_text("utf-8").splitlines())) > MAX_MODULE_LINES}
    assert long == {}


def test_median_function_is_under_ten_lines():
    lengths = []
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                has_docstring = ast.get_docstring(node) is not None
                first = node.body[1] if has_docstring and len(node.body) > 1 else node.body[0]
                lengths.append((node.end_lineno or 0) - first.lineno + 1)
    assert statistics.median(lengths) < MAX_MEDIAN_FUNCTION_LINES


@pytest.mark.parametrize("pattern", FORBIDDEN_CALLS)
def test_nothing_loads_in_a_way_that_runs_code(pattern):
    hits = []
    for path in sources():
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            code = line.split("#")[0]
            if re.search(pattern, code):
                hits.append(f"{path.relative_to(ROOT)}:{number}")
    assert hits == [], FORBIDDEN_CALLS[pattern]


def test_everything_but_the_window_imports_without_qt():
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in sources()
        if "ui" not in path.parts and path.name != "gui.py"
    ]
    code = (
        f"import importlib, sys\nfor m in {modules!r}: importlib.import_module(m)\n"
        "bad = [m for m in sys.modules if m.split('.')[0] in ('PyQt6', 'mediapipe', 'jax', 'matplotlib')]\n"
        "assert not bad, bad"
    )
    run(sys.executable, "-c", code)


def test_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom app.cli.parser import build_parser\nbuild_parser().format_help()\n"
        "bad = [m for m in ('torch', 'cv2', 'av', 'PyQt6', 'numpy') if m in sys.modules]\nassert not bad, bad"
    )
    run(sys.executable, "-c", code)


def skip_reasons(path):
    """The text of every skip in a test file: `skip("...")`, `skip(reason=...)`, `skipif(..., reason="...")`."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("skip", "skipif"):
            named = [k.value for k in node.keywords if k.arg == "reason"]
            for value in named or node.args[:1]:
                yield value.value if isinstance(value, ast.Constant) else ast.unparse(value)


def test_skips_are_only_for_shared_material_devices_and_platforms():
    """A skip nobody counts rots: each names its reason, and there are few kinds."""
    allowed = ("shared", "mediapipe", "Xvfb", "root", "tmpfs", "symlink", "Pillow", "platform", "Linux", "Windows")
    for path in sorted((ROOT / "tests").rglob("*.py")):
        for reason in skip_reasons(path):
            assert any(word in reason for word in allowed), f"{path.name}: {reason}"


def test_project_names_no_path_of_a_workplace():
    for path in [*sources(), *(ROOT / "tests").rglob("*.py"), *ROOT.glob("*.md"), ROOT / "Makefile"]:
        if path != Path(__file__):
            assert "/work/" not in path.read_text("utf-8"), path
