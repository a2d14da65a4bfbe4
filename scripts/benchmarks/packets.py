"""What the live kernel program costs a packet, with its lists, by BPF_PROG_TEST_RUN; Debian's xdp-filter beside it.

Two namespaces with a cable of our own; the machine's interfaces are not touched. Needs root, ip, nsenter and bpftool.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import time

from . import common

# Ethernet, IPv4 from 203.0.113.7, TCP to port 80 with data flags: a packet of an ordinary connection.
HEADER = bytes([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0])


def frame(source, flags):
    network = bytes([0x45, 0, 0, 40, 0, 1, 0, 0, 64, 6, 0, 0]) + bytes(source) + bytes([192, 0, 2, 1])
    return HEADER + network + bytes([0x9C, 0x40, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, flags, 4, 0, 0, 0, 0, 0])


def call(*command, check=True):
    done = subprocess.run(command, capture_output=True, text=True)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


class Cable:
    def __init__(self):
        number = os.getpid()
        self.inside, self.outside, self.device = f"ipb-v-{number}", f"ipb-a-{number}", f"ipb{number % 100000}"

    def __enter__(self):
        for name in (self.inside, self.outside):
            call("ip", "netns", "add", name)
        call("ip", "link", "add", self.device, "netns", self.inside, "type", "veth", "peer", "name", self.device + "p",
             "netns", self.outside)
        call("ip", "-n", self.inside, "addr", "add", "192.0.2.1/24", "dev", self.device)
        call("ip", "-n", self.inside, "link", "set", self.device, "up")
        call("ip", "-n", self.outside, "link", "set", self.device + "p", "up")
        return self

    def __exit__(self, *_):
        for name in (self.inside, self.outside):
            call("ip", "netns", "del", name, check=False)

    def program(self, namespace, device):
        found = json.loads(call("ip", "-n", namespace, "-d", "-j", "link", "show", "dev", device) or "[]")
        return found[0].get("xdp", {}).get("prog", {}).get("id") if found else None


def nanoseconds(program, path, rounds, repeats):
    """The least of several rounds: what the machine can do when nobody disturbs it."""
    best = None
    for _ in range(rounds):
        text = call("bpftool", "prog", "run", "id", str(program), "data_in", path, "repeat", str(repeats))
        value = int(re.search(r"(\d+)\s*ns", text).group(1))
        best = value if best is None else min(best, value)
    return best


def measure(setting, cable, rules, rounds, repeats):
    folder = setting.fresh("packets")
    lists = os.path.join(folder, "rules")
    os.makedirs(lists, mode=0o755)
    with open(os.path.join(lists, "many.list"), "w") as out:
        for index in range(rules):
            out.write(f"10.{index >> 15 & 255}.{index >> 7 & 255}.{index & 127}\n")
        out.write("203.0.113.66\n")
    frames = {}
    for name, source, flags in (("data", (203, 0, 113, 7), 24), ("syn", (203, 0, 113, 7), 2),
                                ("dropped", (203, 0, 113, 66), 24)):
        frames[name] = os.path.join(folder, name)
        with open(frames[name], "wb") as out:
            out.write(frame(source, flags))
    data = os.path.join(folder, "data.d")
    command = ["nsenter", f"--net=/run/netns/{cable.inside}", setting.program("ironpost-daemon"), "--data-dir", data]
    for value in ("ebpf.enabled=true", f"ebpf.interfaces={cable.device}", "ebpf.mode=enforce",
                  f"ebpf.rules_path={lists}", "http.enabled=false", "log_pipeline.sources=file",
                  f"log_pipeline.file.include={folder}/none.log"):
        command += ["--set", value]
    with open(os.path.join(folder, "log"), "w") as log:
        daemon = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 60
        while not (program := cable.program(cable.inside, cable.device)):
            if time.monotonic() > deadline or daemon.poll() is not None:
                raise RuntimeError("the program was not attached")
            time.sleep(0.05)
        time.sleep(3)
        cpu, began = common.cpu_seconds(daemon.pid), time.monotonic()
        time.sleep(10 if not setting.quick else 1)
        idle = 100 * (common.cpu_seconds(daemon.pid) - cpu) / (time.monotonic() - began)
        figures = {name: nanoseconds(program, path, rounds, repeats) for name, path in frames.items()}
        return {"rules": rules, "idle_cpu_percent": idle, **figures}
    finally:
        daemon.terminate()
        daemon.wait()


def peer(setting, cable, rounds, repeats):
    if not shutil.which("xdp-filter"):
        return None
    call("nsenter", f"--net=/run/netns/{cable.outside}", "xdp-filter", "load", "-m", "skb", "-p", "deny",
         cable.device + "p", check=False)
    program = cable.program(cable.outside, cable.device + "p")
    if not program:
        return None
    path = os.path.join(setting.fresh("packets-peer"), "frame")
    with open(path, "wb") as out:
        out.write(frame((203, 0, 113, 7), 24))
    return nanoseconds(program, path, rounds, repeats)


def run(setting):
    missing = [name for name in ("ip", "nsenter", "bpftool") if not shutil.which(name)]
    if os.geteuid() != 0 or missing:
        print(f"   passed over: it takes root{' and ' + ', '.join(missing) if missing else ''}", file=sys.stderr)
        return {"runs": []}
    rounds, repeats = (1, 10_000) if setting.quick else (11, 1_000_000)
    runs = []
    for rules in (0, 1_000 if setting.quick else 900_000):
        with Cable() as cable:
            surroundings = common.Surroundings()
            figures = measure(setting, cable, rules, rounds, repeats)
            figures["xdp_filter"] = peer(setting, cable, rounds, repeats)
            runs.append({**figures, **surroundings.figures()})
            print(f"   {figures}", flush=True)
    return {"runs": runs}
