"""Puts the examples into the wheel, beside the command that runs one of them. All else is in pyproject.toml."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

PATTERNS = ("*/*.yaml", "*/README.md", "yeast/*.gz")


class BuildWithExamples(build_py):
    """Copies `examples` to `cluster/examples`. An editable installation finds them in the checkout."""

    def run(self) -> None:
        """Build, then copy."""
        super().run()
        if self.editable_mode:
            return
        root = Path(__file__).parent / "examples"
        for path in sorted(path for pattern in PATTERNS for path in root.glob(pattern)):
            copy = Path(self.build_lib, "cluster", "examples", path.relative_to(root))
            self.mkpath(str(copy.parent))
            self.copy_file(str(path), str(copy))


setup(cmdclass={"build_py": BuildWithExamples})
