"""What every benchmark needs: where things are, what the machine is, what a process has used."""
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TICKS = os.sysconf("SC_CLK_TCK")


class Setting:
    """Where the programs are and how much is measured."""

    def __init__(self, programs, quick, rounds):
        self.programs = os.path.abspath(programs)
        self.quick = quick
        self.rounds = rounds
        self.folder = os.path.join(ROOT, ".build/bench")
        self.results = os.path.join(self.folder, "quick") if quick else self.folder
        self.rules = os.path.join(ROOT, "rules")
        os.makedirs(self.results, exist_ok=True)

    def check(self):
        for name in ("ironpost", "ironpost-daemon"):
            if not os.access(self.program(name), os.X_OK):
                sys.exit(f"{self.program(name)} is missing: make build")

    def program(self, name):
        return os.path.join(self.programs, name)

    def fresh(self, name):
        """An empty directory."""
        path = os.path.join(self.folder, "work", name)
        shutil.rmtree(path, ignore_errors=True)
        os.makedirs(path, mode=0o700)
        return path

    def write(self, name, result):
        result = {"benchmark": name, "quick": self.quick, "taken": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                  "machine": machine(self), **result}
        path = os.path.join(self.results, name + ".json")
        with open(path + ".new", "w") as file:
            json.dump(result, file, indent=2)
            file.write("\n")
        os.replace(path + ".new", path)
        print(f"   {path}", flush=True)


def machine(setting):
    def first(path, prefix, default="unknown"):
        try:
            with open(path) as file:
                for line in file:
                    if line.startswith(prefix):
                        return line.split(":" if ":" in line else "=", 1)[1].strip().strip('"')
        except OSError:
            pass
        return default

    return {
        "processor": first("/proc/cpuinfo", "model name"), "cores": os.cpu_count(),
        "memory_bytes": int(first("/proc/meminfo", "MemTotal", "0 kB").split()[0]) * 1024,
        "kernel": platform.release(), "system": first("/etc/os-release", "PRETTY_NAME"),
        "version": output([setting.program("ironpost"), "--version"]),
        "commit": output(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"]),
    }


def output(command):
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=20).stdout.strip() or "unknown"
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"


def cpu_seconds(pid):
    """User and system time of all threads."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory(pid):
    """Resident bytes now, and the most there ever were."""
    found = {}
    with open(f"/proc/{pid}/status") as file:
        for line in file:
            if line.startswith(("VmRSS:", "VmHWM:")):
                found[line[:5]] = int(line.split()[1]) * 1024
    return found.get("VmRSS", 0), found.get("VmHWM", 0)


class Surroundings:
    """How busy the machine was with other things between two moments."""

    def __init__(self, pid=None):
        self.load = [round(value, 2) for value in os.getloadavg()]
        self.began = time.monotonic()
        self.pid = pid
        self.busy = self._busy()
        self.own = self._own()

    @staticmethod
    def _busy():
        with open("/proc/stat") as file:
            ticks = [int(text) for text in file.readline().split()[1:9]]
        return (sum(ticks) - ticks[3] - ticks[4]) / TICKS

    def _own(self):
        times = os.times()
        own = times.user + times.system + times.children_user + times.children_system
        return own + (cpu_seconds(self.pid) if self.pid else 0)

    def figures(self):
        """To be asked while the measured process is still there."""
        seconds = max(time.monotonic() - self.began, 0.01)
        others = (self._busy() - self.busy - (self._own() - self.own)) / seconds
        return {"load": self.load, "others_cores": round(max(0.0, others), 2)}


def spread(values):
    """Smallest, middle and largest."""
    return {"min": min(values), "median": statistics.median(values), "max": max(values)}


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def count(value):
    return f"{value:,.0f}"
