"""The frame of a new plugin, which is the same for each kind of component."""

from __future__ import annotations

from dataclasses import dataclass

from augbench.plugins.components import Kind

__all__ = ["Template"]

_REGISTER = "@REGISTER@\n"  # in a module's imports: the place of those that registering needs


@dataclass(frozen=True)
class Template:
    """A component that works, with its test and its README, to be put into a plugin's files.

    In all texts, `@NAME@`, `@MODULE@` and `@CLASS@` are filled in by whoever writes the files.
    """

    kind: Kind
    noun: str
    """The kind with its article, as in a sentence."""
    component: str
    """The class or function that is registered."""
    imports: str
    """All that stands before `code`, with `@REGISTER@` where an import of `hookimpl` belongs."""
    code: str
    test: str
    about: str
    """The end of the README's first sentence."""
    examples: tuple[str, ...]
    """Commands that use the component, after `augbench `."""
    parameters: str
    """The rows of the README's table of parameters."""
    dependencies: tuple[str, ...]

    def distribution(self) -> dict[str, str]:
        """The files of an installable distribution: path → text."""
        return {
            "pyproject.toml": self._pyproject(),
            "README.md": self._readme(),
            "@MODULE@/__init__.py": f'"""@NAME@: {self.noun} for AugBench."""\n',
            "@MODULE@/py.typed": "",
            f"@MODULE@/{self.kind}.py": (
                f'"""@NAME@: {self.noun} for AugBench."""\n\n'
                f"{self.imports.replace(_REGISTER, '')}"
                f'\n__all__ = ["{self.component}"]\n\n\n'
                f"{self.code}"
            ),
            "@MODULE@/hooks.py": self._hooks(),
            "tests/test_@MODULE@.py": self.test,
        }

    def single_file(self) -> dict[str, str]:
        """The one file of a plugin for `--plugin`: path → text."""
        hookimpl = "from augbench.plugins import Register, hookimpl\n"
        return {
            "@MODULE@.py": (
                f'"""@NAME@: {self.noun} for AugBench, in one file."""\n\n'
                f"{self.imports.replace(_REGISTER, hookimpl)}"
                f'\n__all__ = ["{self.component}", "register_{self.kind}s"]\n\n\n'
                f"{self.code}\n\n"
                "@hookimpl\n"
                f"def register_{self.kind}s(register: Register) -> None:\n"
                '    """Register @NAME@."""\n'
                f'    register("@NAME@", {self.component})\n'
            )
        }

    def _hooks(self) -> str:
        return f'''\
"""Tells AugBench what is here: the entry point in pyproject.toml names this module."""

from augbench.plugins import Register, hookimpl


@hookimpl
def register_{self.kind}s(register: Register) -> None:
    """Register it by name; the string keeps this module quick to import."""
    register(
        "@NAME@",
        "@MODULE@.{self.kind}:{self.component}",
    )
'''

    def _pyproject(self) -> str:
        dependencies = ", ".join(f'"{name}"' for name in self.dependencies)
        return f"""\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "@NAME@"
version = "0.1.0"
description = "@NAME@: {self.noun} for AugBench."
readme = "README.md"
requires-python = ">=3.11"
dependencies = [{dependencies}]

[project.optional-dependencies]
test = ["pytest>=8.2"]

# This is how AugBench finds the plugin once it is installed.
[project.entry-points.augbench]
@NAME@ = "@MODULE@.hooks"

[tool.hatch.build]
dev-mode-dirs = ["."]

[tool.hatch.build.targets.wheel]
packages = ["@MODULE@"]

[tool.pytest.ini_options]
testpaths = ["tests"]
filterwarnings = ["error"]
"""

    def _readme(self) -> str:
        examples = "".join(f"$ augbench {example}\n" for example in self.examples)
        noun = self.noun[0].upper() + self.noun[1:]
        return f"""\
# @NAME@

{noun} for [AugBench](https://pypi.org/project/augbench/): {self.about}

```console
$ pip install --editable ".[test]"
$ augbench check @NAME@
{examples}$ pytest
```

| parameter | default | meaning |
| --- | --- | --- |
{self.parameters}"""
