"""Runs the blocks of README.md, one after the other, and compares the output with the comment at the end of each."""

from __future__ import annotations

import contextlib
import io
import os
import re
import tempfile
import unittest
from pathlib import Path
from typing import Any, Dict

README = Path(__file__).resolve().parents[1] / "README.md"


class ReadmeTest(unittest.TestCase):
    def test_every_block(self) -> None:
        blocks = re.findall(
            r"^(<!-- not run: .*-->\n)?```python\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL
        )
        names: Dict[str, Any] = {}
        folder = os.getcwd()
        ran = 0
        with tempfile.TemporaryDirectory() as work:
            os.chdir(work)
            try:
                for skipped, block in blocks:
                    code = compile(block, "README.md", "exec")
                    if skipped:
                        continue
                    promised = re.search(r"((?:^# .*\n)+)\Z", block, re.MULTILINE)
                    self.assertIsNotNone(promised, f"a block does not say what it prints:\n{block}")
                    with contextlib.redirect_stdout(io.StringIO()) as printed:
                        exec(code, names)
                    self.assertEqual(
                        re.sub("^", "# ", printed.getvalue().rstrip(), flags=re.MULTILINE) + "\n", promised[1]
                    )
                    ran += 1
            finally:
                os.chdir(folder)
        self.assertEqual((ran, len(blocks)), (5, 6))


if __name__ == "__main__":
    unittest.main()
