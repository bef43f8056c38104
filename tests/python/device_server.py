"""`openrknn serve` on a free port of this machine."""

import queue
import signal
import subprocess
import threading

from tools_of_the_build import command_line


class DeviceServer:
    """Runs from its construction until stop(), or the end of a `with`."""

    def __init__(self, folder, *arguments):
        self.folder = folder
        self.process = subprocess.Popen(
            [*command_line(), "serve", "--port", "0", "--models", str(folder), *map(str, arguments)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        lines = queue.Queue()
        threading.Thread(target=lambda: lines.put(self.process.stdout.readline()), daemon=True).start()
        line = lines.get(timeout=60)
        assert line.startswith("listening on http://127.0.0.1:"), self.process.stderr.read()
        self.url = line.rsplit(" ", 1)[1].strip()
        self.address = self.url.removeprefix("http://")

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(timeout=60) == 0, self.process.stderr.read()

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.stop()
