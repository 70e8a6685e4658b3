#!/usr/bin/env python3
"""Runs the stories: the ```console blocks of examples/<story>/README.md are commands and what they print.

    stories.py [--bin FOLDER] [--update] examples/<story>...

    ```console
    $ sekimori check site.yaml
    flood-leak  error  ...
    [exit 1]
    ```

  * A line `$ ` is given to bash; a command may go on in lines that start with `> `.
  * What follows is its output, stdout and stderr together, compared letter by letter; a line `...` stands for
    any number of lines. `[exit N]` at the end is its exit code, 0 if there is none.
  * Commands run in a copy of the story's folder, one after the other, with `sekimori` on the PATH.
  * --update writes into the README what the commands print now. Read the difference before you commit it.
"""

import argparse
import difflib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]


def parse(lines):
    """The README as a list: strings are prose, [prompt lines, expected lines] are commands."""
    parts, inside = [], False
    for line in lines:
        if not inside:
            inside = line.strip() == "```console"
            parts.append(line)
        elif line.strip() == "```":
            inside = False
            parts.append(line)
        elif line.startswith("$ "):
            parts.append([[line], []])
        elif not isinstance(parts[-1], list):
            raise SystemExit(f"a console block must begin with '$ ', not with: {line}")
        elif line.startswith("> ") and not parts[-1][1]:
            parts[-1][0].append(line)
        else:
            parts[-1][1].append(line)
    return parts


def matches(expected, actual):
    pattern = "".join("(?:.*\n)*" if line == "..." else re.escape(line) + "\n" for line in expected)
    return re.fullmatch(pattern, "".join(line + "\n" for line in actual)) is not None


def run(prompt, folder, path):
    command = "\n".join(line[2:] for line in prompt)
    environment = dict(os.environ, PATH=f"{path}:{os.environ['PATH']}", LC_ALL="C.UTF-8", NO_COLOR="1", TZ="UTC")
    result = subprocess.run(["bash", "-c", command], cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    lines = result.stdout.decode(errors="replace").splitlines()
    if result.returncode != 0:
        lines.append(f"[exit {result.returncode}]")
    # A trailing blank line before the closing fence is nobody's business.
    return [line.rstrip("\r") for line in lines]


def tell(story, path, update):
    readme = story / "README.md"
    parts = parse(readme.read_text(encoding="utf-8").splitlines())
    commands, failed = 0, 0
    with tempfile.TemporaryDirectory(prefix="sekimori-story-") as temporary:
        folder = pathlib.Path(temporary, story.name)
        shutil.copytree(story, folder, symlinks=True)
        for part in parts:
            if not isinstance(part, list):
                continue
            commands += 1
            actual = run(part[0], folder, path)
            if matches(part[1], actual):
                continue
            failed += 1
            if update:
                part[1] = actual
                continue
            print(f"{readme}: " + "\n".join(part[0]))
            print("\n".join(difflib.unified_diff(part[1], actual, "told", "happened", lineterm="", n=3)))
    if update and failed:
        lines = [line for part in parts for line in ([part] if isinstance(part, str) else part[0] + part[1])]
        readme.write_text("\n".join(lines) + "\n", encoding="utf-8")
        print(f"{readme}: {failed} of {commands} commands rewritten")
        return commands, 0
    return commands, failed


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the copies are removed
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", default=str(ROOT / "build" / "release" / "bin"))
    parser.add_argument("--update", action="store_true")
    parser.add_argument("stories", nargs="+")
    options = parser.parse_args()
    commands = failed = 0
    for story in options.stories:
        ran, wrong = tell(pathlib.Path(story).resolve(), str(pathlib.Path(options.bin).resolve()), options.update)
        commands += ran
        failed += wrong
    print(f"{commands} commands, {failed} differ")
    return 1 if failed or commands == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
