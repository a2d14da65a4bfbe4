"""From what a container does to its standing still: by the alert, by its log line, and without the engine's help.

A Docker engine of the benchmark's own (engine.py); no other container is touched.
"""
import calendar
import os
import random
import re
import sqlite3
import subprocess
import sys
import time

from . import common
from .daemon import Daemon
from .engine import Engine, Freezer, missing

# Of one daemon no more than the responder carries out within a minute (120).
LINES = 100
LINES_QUICK = 5
PAUSES = 20
PAUSES_QUICK = 3
HANGING = 40
HANGING_QUICK = 3
RULE = """title: Container probe
id: 5d0f1a52-6d5b-4f7e-9d26-2f1f6a3f2c12
logsource:
    product: linux
detection:
    keywords:
        - container-probe
    condition: keywords
level: high
"""
POLICY = """id = "freeze"
name = "freeze"
severity_threshold = "high"
[target_filter]
container_names = ["bench-actor"]
[action]
type = "freeze"
ttl = "10m"
"""
# Does what is written into the fifo; a message's process lives until the daemon has looked at it.
ACTOR = """
ln -s /go/syslog.sock /dev/log
exec 3<>/go/orders
while :; do
    # An ended child interrupts it.
    read what <&3 || continue
    case $what in
        line) echo container-probe ;;
        message) (echo container-probe; sleep 1) | logger -t app & ;;
    esac
done
"""


def run(setting):
    obstacle = missing()
    if obstacle:
        print(f"   passed over: {obstacle}", file=sys.stderr)
        return {"runs": []}
    runs, samples = [], {}
    with Engine() as engine:
        version = engine.version
        orders = engine.place + "/go"
        os.makedirs(orders)
        os.mkfifo(orders + "/orders")
        actor = engine.start("bench-actor", ACTOR, [f"{orders}:/go:rw"])
        for number in range(8):
            engine.start(f"bench-bystander{number}", "while :; do sleep 1000; done", [])
        for number in range(setting.rounds):
            one = measure(setting, engine, actor, orders, samples)
            runs.append(one)
            print(f"   {number + 1}: " + ", ".join(f"{key} {value}" for key, value in one.items()), flush=True)
    # Of one round the p99 is as good as its largest; over all rounds it is one.
    together = {}
    for name, all_ in samples.items():
        describe(name, all_, together)
    print("   all: " + ", ".join(f"{key} {value:.1f}" for key, value in together.items()), flush=True)
    return {
        "engine": version, "lines": LINES_QUICK if setting.quick else LINES,
        "pauses": PAUSES_QUICK if setting.quick else PAUSES, "hanging": HANGING_QUICK if setting.quick else HANGING,
        "runs": runs, "summary": together,
    }


def measure(setting, engine, actor, orders, samples):
    surroundings = common.Surroundings()
    figures = {"samples": {}}
    with Watched(setting, engine, actor, orders) as watched:
        watched.lines(LINES_QUICK if setting.quick else LINES, figures)
        around = surroundings.figures()
    with Watched(setting, engine, actor, orders) as watched:
        watched.pauses(PAUSES_QUICK if setting.quick else PAUSES, figures)
        watched.hanging(HANGING_QUICK if setting.quick else HANGING, figures)
    for name, values in figures.pop("samples").items():
        samples.setdefault(name, []).extend(values)
    return {**{key: round(value, 3) for key, value in figures.items()}, **around}


def describe(name, nanoseconds, figures):
    milliseconds = [value / 1e6 for value in nanoseconds]
    figures[f"{name}_median_ms"] = common.percentile(milliseconds, 0.5)
    figures[f"{name}_p99_ms"] = common.percentile(milliseconds, 0.99)
    figures[f"{name}_max_ms"] = max(milliseconds)
    if "samples" in figures:
        figures["samples"][name] = nanoseconds


class Watched:
    """A fresh daemon that follows the engine and freezes what its policy names."""

    def __init__(self, setting, engine, actor, orders):
        self.setting, self.engine, self.actor = setting, engine, actor
        self.orders = orders + "/orders"
        folder = setting.fresh("containers")
        for name, text in (("rules/probe.yml", RULE), ("policies/freeze.toml", POLICY)):
            path = os.path.join(folder, name)
            os.makedirs(os.path.dirname(path), mode=0o755)
            with open(path, "w") as out:
                out.write(text)
        self.daemon = Daemon(setting, folder, [
            f"detection.rules={folder}/rules", f"response.policy_path={folder}/policies", "response.mode=enforce",
            f"container.socket={engine.socket}", "log_pipeline.sources=docker,syslog", "log_pipeline.syslog.udp=",
            "log_pipeline.syslog.tcp=", f"log_pipeline.syslog.unix={orders}/syslog.sock", "detection.dedup_window=0",
            "detection.rate_limit_per_rule=0", "response.budget.minimum=1000",
        ])
        self.random = random.Random(1)
        self.log = None

    def __enter__(self):
        self.freezer = Freezer(self.engine, self.actor)
        self.daemon.start()
        end = time.monotonic() + 30
        while self.ironpost("containers", "list").count("running") < 9:
            if time.monotonic() > end:
                raise RuntimeError("the containers are not followed")
            time.sleep(0.1)
        self.log = self.engine.inspect(self.actor)["LogPath"]
        self.store = sqlite3.connect(f"file:{self.daemon.database}?mode=ro", uri=True, isolation_level=None)
        time.sleep(1)
        return self

    def __exit__(self, *_):
        self.store.close()
        self.freezer.close()
        self.daemon.stop()

    def command(self, *arguments):
        return [self.setting.program("ironpost"), "--socket", os.path.join(self.daemon.data, "control.sock"), *arguments]

    def ironpost(self, *arguments):
        done = subprocess.run(self.command(*arguments), capture_output=True, text=True, timeout=60)
        return done.stdout

    def order(self, what):
        # Never waits: the actor has it open, also when it stands still.
        fifo = os.open(self.orders, os.O_WRONLY | os.O_NONBLOCK)
        os.write(fifo, what.encode() + b"\n")
        os.close(fifo)

    def pause(self):
        time.sleep(self.random.uniform(0.01, 0.05))

    def release(self):
        """After the record says that it is done; until it runs again."""
        end = time.monotonic() + 20
        while True:
            last = self.store.execute("SELECT state FROM actions ORDER BY seq DESC LIMIT 1").fetchone()
            if last and last[0] == "done":
                break
            if time.monotonic() > end:
                raise RuntimeError(f"the last action is {last}")
            time.sleep(0.002)
        subprocess.run(self.command("release", "bench-actor"), check=True, capture_output=True, timeout=60)
        self.freezer.wait(False)

    def alert_time(self):
        """When the last alert was handed over: from here on it is the hub's, which attributes and stores it."""
        return self.store.execute("SELECT time FROM alerts ORDER BY seq DESC LIMIT 1").fetchone()[0]

    def written(self):
        """When the engine had the last line, by its own clock."""
        with open(self.log, "rb") as file:
            file.seek(max(0, os.path.getsize(self.log) - 4096))
            stamp = re.findall(rb'"time":"([^"]+)Z"', file.read())[-1].decode()
        whole, _, fraction = stamp.partition(".")
        seconds = calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S"))
        return seconds * 10**9 + int((fraction + "0" * 9)[:9])

    def lines(self, count, figures):
        by_alert, by_line, by_order = [], [], []
        for _ in range(count):
            self.pause()
            began = time.time_ns()
            self.order("line")
            frozen = self.freezer.wait(True)
            by_order.append(frozen - began)
            by_line.append(frozen - self.written())
            by_alert.append(frozen - self.alert_time())
            self.release()
        describe("alert_to_frozen", by_alert, figures)
        describe("line_to_frozen", by_line, figures)
        describe("told_to_frozen", by_order, figures)

    def pauses(self, count, figures):
        """From the start of a command to the container's standing still: ours and docker's, in turns."""
        commands = {
            "docker_pause": (self.engine.docker("pause", "bench-actor"), self.engine.docker("unpause", "bench-actor")),
            "ironpost_pause": (self.command("isolate", "bench-actor", "--action", "pause"),
                               self.command("release", "bench-actor")),
            "ironpost_freeze": (self.command("isolate", "bench-actor", "--action", "freeze"),
                                self.command("release", "bench-actor")),
        }
        took = {name: [] for name in commands}
        for _ in range(count):
            for name, (there, back) in commands.items():
                self.pause()
                began = time.time_ns()
                process = subprocess.Popen(there, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
                frozen = self.freezer.wait(True)
                complaint = process.communicate(timeout=60)[1]
                if process.returncode:
                    raise RuntimeError(f"{' '.join(there)}: {complaint}")
                took[name].append(frozen - began)
                subprocess.run(back, check=True, capture_output=True, timeout=60)
                self.freezer.wait(False)
        for name, values in took.items():
            describe(name, values, figures)

    def hanging(self, count, figures):
        """The engine stands still (SIGSTOP) all the time; what tells of the attack is a message by syslog."""
        by_order, by_alert = [], []
        self.engine.hang()
        try:
            for _ in range(count):
                self.pause()
                began = time.time_ns()
                self.order("message")
                frozen = self.freezer.wait(True)
                by_order.append(frozen - began)
                by_alert.append(frozen - self.alert_time())
                self.release()
        finally:
            self.engine.go_on()
        describe("hanging_alert_to_frozen", by_alert, figures)
        describe("hanging_told_to_frozen", by_order, figures)
