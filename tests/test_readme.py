import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def test_ci_calls_the_readmes_test_command():
    (command,) = re.findall(r"^python3 -m venv .*pytest$", README, flags=re.MULTILINE)
    assert command in (ROOT / ".ci" / "run").read_text()


def test_the_readmes_plugin_is_the_example():
    (block,) = re.findall(r"```python\n# half_and_half.py\n(.*?)```", README, flags=re.DOTALL)
    assert block.strip() == (ROOT / "examples" / "half_and_half.py").read_text().strip()


def test_the_page_on_reports_shows_the_answer_that_the_readme_shows():
    page = (ROOT / "docs" / "report.md").read_text()
    answer = r"```text\n(glyph-digits → glyph-letters · .*?)```"
    (shown,) = re.findall(answer, page, flags=re.DOTALL)
    assert re.findall(answer, README, flags=re.DOTALL) == [shown]
