"""Installs servers from PyPI and npm, once for each set of pinned versions, into folders of their own."""

import os
import shutil
import subprocess
import sys

from machinery import HERE, WORK, say


def python_packages(name, packages):
    """A virtual environment with these packages; its interpreter."""
    folder = os.path.join(WORK, name)
    stamp, wanted = os.path.join(folder, "installed"), "\n".join(packages)
    if not os.path.exists(stamp) or open(stamp, encoding="utf-8").read() != wanted:
        say(f"installing {' '.join(packages)}")
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        subprocess.run([os.path.join(folder, "bin", "pip"), "install", "--quiet", "--disable-pip-version-check", *packages],
                       check=True)
        with open(stamp, "w", encoding="utf-8") as file:
            file.write(wanted)
    return os.path.join(folder, "bin", "python")


def node_packages(name, source):
    """A folder with what `package.json` in the folder `source` asks for, and its `server.mjs`."""
    folder = os.path.join(WORK, name)
    manifest, stamp = os.path.join(HERE, source, "package.json"), os.path.join(folder, "installed.json")
    wanted = open(manifest, encoding="utf-8").read()
    if not os.path.exists(stamp) or open(stamp, encoding="utf-8").read() != wanted:
        say(f"installing what {source}/package.json names")
        os.makedirs(folder, exist_ok=True)
        shutil.copy(manifest, folder)
        subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--loglevel=error"], cwd=folder, check=True)
        shutil.copy(manifest, stamp)
    # Beside its node_modules, because that is where node looks for the imports.
    shutil.copy(os.path.join(HERE, source, "server.mjs"), folder)
    return folder
