"""Programs in a child process, which end by printing one value."""

import json
import os
import subprocess
import sys
import textwrap


def run(command, environment):
    """The JSON value that the command prints."""
    done = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def program(text):
    """A program that ends by printing `answer` as JSON."""
    return [sys.executable, "-c", textwrap.dedent(text) + "\nimport json; print(json.dumps(answer))"]
