"""A process that has imported what is slow to import, and forks for each command: `mmpipe`, `pytest`, a script.

A page's commands then cost what they do, not what imports cost. POSIX only. The command that a shell finds is a
small script, which hands its arguments, folder, environment and standard streams to that process over a socket.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

_CLIENT = """#!{python} -IS
import json, os, socket, sys
place = socket.socket(socket.AF_UNIX)
place.connect({address!r})
socket.send_fds(place, [b"."], [0, 1, 2])
asked = {{"command": {command!r}, "arguments": sys.argv[1:], "folder": os.getcwd(), "environ": dict(os.environ),
    "environment": {environment!r}}}
place.sendall(json.dumps(asked).encode())
place.shutdown(socket.SHUT_WR)
sys.exit(int(place.recv(16) or b"70"))
"""


class Warm:
    """The process, for as long as the `with` block lasts. address: a path for its socket, of under 100 characters."""

    def __init__(self, address: Path) -> None:
        self.address = address

    def __enter__(self) -> Warm:
        environ = {**os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen([sys.executable, __file__, str(self.address)], env=environ)
        while not self.address.exists():
            if self.process.poll() is not None:
                raise RuntimeError("the process that runs listings has died at its start")
            time.sleep(0.1)
        return self

    def __exit__(self, *error: object) -> None:
        self.process.terminate()
        self.process.wait()

    def install(self, command: str, environment: Path) -> None:
        """Put the command into the folder `bin` of a virtual environment, whose packages it is to see."""
        script = environment / "bin" / command
        values = {"address": str(self.address), "command": command, "environment": str(environment)}
        script.write_text(_CLIENT.format(python=sys.executable, **values), "utf-8")
        script.chmod(0o755)


def serve(address: str) -> None:
    """Import, listen, and fork for each connection until SIGTERM."""
    for name in ("mmpipe.cli.main", "mmpipe.loading", "mmpipe.models.classifier", "transformers.models.auto"):
        importlib.import_module(name)
    place = socket.socket(socket.AF_UNIX)
    place.bind(f"{address}.new")
    place.listen(16)
    os.rename(f"{address}.new", address)  # It is there only once it listens.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        connection, _ = place.accept()
        if os.fork() == 0:
            place.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _answer(connection)
        connection.close()


def _answer(connection: socket.socket) -> None:
    """In a child: run the command in a child of its own, and send its exit code."""
    _, streams, _, _ = socket.recv_fds(connection, 1, 3)
    asked = json.loads(b"".join(iter(lambda: connection.recv(1 << 16), b"")))
    child = os.fork()
    if child == 0:
        connection.close()
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        # The streams of before may have been files, and would seek in these.
        sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w", buffering=1)  # noqa: SIM115
        _run(**asked)
    _, status = os.waitpid(child, 0)
    connection.sendall(str(os.waitstatus_to_exitcode(status) & 0xFF).encode())
    os._exit(0)


def _run(command: str, arguments: list[str], folder: str, environ: dict[str, str], environment: str) -> None:
    """Be that command, and end."""
    import atexit
    import multiprocessing
    import runpy
    import site

    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environ)
    sys.path[:] = [path for path in sys.path if path != str(Path(__file__).parent)]
    # Where processes that it spawns come from; they are to see the same packages.
    sys.executable = f"{environment}/bin/python3"
    multiprocessing.set_executable(sys.executable)
    for packages in Path(environment).glob("lib/python*/site-packages"):
        site.addsitedir(str(packages))
    importlib.invalidate_caches()
    code: object = 0
    try:
        sys.argv = [command, *arguments]
        if command == "mmpipe":
            from mmpipe.cli.main import main

            main()
        elif command == "pytest":
            import pytest

            code = pytest.main(arguments)
        else:
            sys.argv, sys.path[:0] = arguments, [str(Path(arguments[0]).parent)]
            runpy.run_path(arguments[0], run_name="__main__")
    except SystemExit as end:
        code = 0 if end.code is None else end.code
        if isinstance(code, str):
            print(code, file=sys.stderr)
            code = 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(int(code))  # type: ignore[call-overload]


if __name__ == "__main__":
    serve(sys.argv[1])
