"""Build hook: compiles the modules of the hot path with mypyc, where a C compiler is at hand. Elsewhere the same modules run as they are.

The modules are plain Python, listed in pyproject.toml; compiled they read a mail in two thirds of the time. BOUNCEPARSE_COMPILE=0 leaves it out;
BOUNCEPARSE_COMPILE=1 makes a failure an error, for wheels that are to be published.
"""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from contextlib import chdir
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

WISH = os.environ.get("BOUNCEPARSE_COMPILE", "")
GROUP = "bounceparse.native"  # the extension that holds the code of all; beside it each module has a small one of its own


def can_compile() -> bool:
    """Say whether there is a C compiler, and the headers of this Python."""
    compiler = (sysconfig.get_config_var("CC") or "cc").split()[0]
    return sys.platform != "win32" and shutil.which(compiler) is not None and Path(sysconfig.get_path("include"), "Python.h").is_file()


class CompileHook(BuildHookInterface):
    """Adds the extensions to a wheel, or lays them beside their sources in a checkout that is installed in place."""

    def dependencies(self) -> list[str]:
        """What compiling needs beside hatchling: nothing where there will be none. The types of what the modules import come from its packages."""
        return [*self.config["needs"], *self.metadata.core.dependencies] if self._wanted() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile; see the base class."""
        root, place = Path(self.root), Path(self.root, "build", f"native-{sys.implementation.cache_tag}")
        if version == "editable":
            for old in root.joinpath("bounceparse").rglob("*.so"):
                old.unlink()
        if not self._wanted():
            return
        try:
            made = self._compile(place)
        except (Exception, SystemExit) as error:  # mypyc leaves by way of SystemExit
            if WISH == "1":
                raise
            self.app.display_warning(f"not compiled, which costs speed and nothing else: {error}")
            return
        for extension in made:
            name = str(extension.relative_to(place))
            if version == "editable":
                shutil.copy(extension, root / name)
            else:
                build_data["force_include"][str(extension)] = name
        if version != "editable":
            build_data["pure_python"] = False
            build_data["infer_tag"] = True

    def _wanted(self) -> bool:
        return self.target_name == "wheel" and (WISH == "1" or (WISH != "0" and can_compile()))

    def _compile(self, place: Path) -> list[Path]:
        """Return the extensions in a folder, made anew when a source is newer: pip asks for a wheel twice."""
        sources = [Path(self.root, name) for name in ("pyproject.toml", *self.config["modules"])]
        made = sorted(place.rglob("bounceparse/**/*.so"))
        if made and min(path.stat().st_mtime for path in made) > max(path.stat().st_mtime for path in sources):
            return made
        shutil.rmtree(place, ignore_errors=True)
        from mypyc.build import mypycify
        from setuptools import Distribution

        flags = ["--config-file=", f"--cache-dir={place / 'types'}", "--follow-imports=silent", "--ignore-missing-imports"]
        with chdir(self.root):
            extensions = mypycify([*flags, *self.config["modules"]], group_name=GROUP, opt_level="2", debug_level="0", target_dir=str(place / "c"))
            command = Distribution({"name": "bounceparse", "ext_modules": extensions}).get_command_obj("build_ext")
            command.build_lib, command.build_temp = str(place), str(place / "objects")
            command.ensure_finalized()
            command.run()
        return sorted(place.rglob("bounceparse/**/*.so"))
