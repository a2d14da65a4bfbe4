"""The built daemon as a process with its own data directory and port."""
import http.client
import json
import os
import signal
import socket
import subprocess
import time


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Daemon:
    def __init__(self, setting, folder, settings=()):
        self.data = os.path.join(folder, "data")
        self.log = os.path.join(folder, "daemon.log")
        self.port = free_port()
        chosen = [f"http.listen=127.0.0.1:{self.port}", "log_pipeline.sources=file", "ebpf.enabled=false",
                  f"detection.rules={setting.rules}"]
        self.command = [setting.program("ironpost-daemon"), "--data-dir", self.data]
        for value in [*chosen, *settings]:
            self.command += ["--set", value]
        self.process = None

    @property
    def pid(self):
        return self.process.pid

    @property
    def database(self):
        return os.path.join(self.data, "ironpost.db")

    def start(self, limit=60):
        """Starts it; returns the seconds until it says that it is ready."""
        began = time.monotonic()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("IRONPOST_")}
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment
            )
        while not self._is_ready():
            if self.process.poll() is not None:
                with open(self.log, errors="replace") as log:
                    raise RuntimeError("the daemon ended:\n" + log.read()[-2000:])
            if time.monotonic() - began > limit:
                raise RuntimeError(f"the daemon is not ready after {limit} s")
            time.sleep(0.001)
        return time.monotonic() - began

    def _get(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def _is_ready(self):
        try:
            return self._get("/ready")[0] == 200
        except OSError:
            return False

    def ledger(self):
        return json.loads(self._get("/health")[1])["ledger"]

    def wait_for_events(self, events, limit=1200):
        """Until so many events were evaluated."""
        began = time.monotonic()
        while True:
            stored = self.ledger()["detect"]["stored"]
            if stored >= events:
                return
            if self.process.poll() is not None or time.monotonic() - began > limit:
                raise RuntimeError(f"{stored} of {events} events were evaluated")
            time.sleep(0.05)

    def rest(self, limit=60):
        """Until nothing is under way; returns the ledger."""
        began = time.monotonic()
        while True:
            ledger = self.ledger()
            under_way = {
                hop: entry for hop, entry in ledger.items()
                if entry["accepted"] != entry["stored"] + sum(entry["dropped"].values())
            }
            if not under_way:
                return ledger
            if time.monotonic() - began > limit:
                raise RuntimeError(f"the ledger does not add up: {under_way}")
            time.sleep(0.05)

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    def stop(self, limit=60):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(limit)
            except subprocess.TimeoutExpired:
                self.kill()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
