"""Two namespaces and a cable between them: what benchmarks of packets are run on. The machine's interfaces stay as they are."""
import json
import os
import re
import socket
import subprocess
import sys
import time

from . import common

HERE = os.path.dirname(os.path.abspath(__file__))
VICTIM, CLIENT, FLOODER = "192.0.2.1", "192.0.2.2", "203.0.113.66"
# How long a network card waits for more packets before it interrupts, as its drivers have it from the start.
GROUPED_NANOSECONDS = 50_000
# Where a flood of many addresses comes from: a part of what RFC 2544 sets aside for benchmarks.
FLOOD_NETWORK = "198.18.0.0/16"


def call(*command, check=True, **options):
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def internet_sum(content):
    total = sum(int.from_bytes(content[i:i + 2], "big") for i in range(0, len(content), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def network(source, protocol, payload):
    head = bytearray(bytes([0x45, 0]) + (20 + len(payload)).to_bytes(2, "big") + bytes([0, 1, 0, 0, 64, protocol, 0, 0])
                     + socket.inet_aton(source) + socket.inet_aton(VICTIM))
    head[10:12] = internet_sum(bytes(head)).to_bytes(2, "big")
    return bytes(head) + payload


def segment(source, flags):
    """Ethernet, IPv4, TCP to port 80."""
    return bytes([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0]) + network(
        source, 6, bytes([0x9C, 0x40, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, flags, 4, 0, 0, 0, 0, 0]))


def datagram(source, hardware):
    """The smallest Ethernet frame, to the port that nobody listens on."""
    return hardware + bytes([2, 0, 0, 0, 0, 9, 8, 0]) + network(
        source, 17, bytes([0x9C, 0x40, 0, 9, 0, 26, 0, 0]) + bytes(18))


def opening(port, hardware):
    """A SYN of `FLOOD_NETWORK`, whose addresses and ports `frames.py` varies: of each pair of words one starts at its least
    and one at its most."""
    source, target = socket.inet_aton("198.18.0.0"), socket.inet_aton(VICTIM)
    # Port; sequence and acknowledgement numbers; SYN, window, no checksum yet; a maximum segment size.
    tcp = bytearray(bytes([1, 1]) + port.to_bytes(2, "big") + bytes([0, 1, 0xFF, 0xFF, 0, 0, 0xFF, 0xFF, 0x60, 2, 4, 0, 0, 0, 0, 0,
                                                                  2, 4, 5, 0xB4]))
    tcp[16:18] = internet_sum(source + target + bytes([0, 6, 0, len(tcp)]) + bytes(tcp)).to_bytes(2, "big")
    head = bytearray(bytes([0x45, 0, 0, 20 + len(tcp), 0xFF, 0xFF, 0, 0, 64, 6, 0, 0]) + source + target)
    head[10:12] = internet_sum(bytes(head)).to_bytes(2, "big")
    return hardware + bytes([2, 0, 0, 0, 0, 9, 8, 0]) + bytes(head) + bytes(tcp)


class Cable:
    """The victim's end has one queue, whose packets are taken up on CPU 1, by a thread; a flood is sent on CPU 0.

    isUrgent: the thread goes before whatever else runs there, as a device's interrupts would.
    isGrouped: it is not woken for each packet.
    """

    def __init__(self, isUrgent=False, isGrouped=False):
        self.isUrgent, self.isGrouped = isUrgent, isGrouped
        number = os.getpid()
        self.inside, self.outside, self.device = f"ipb-v-{number}", f"ipb-a-{number}", f"ipb{number % 100000}"
        self.peer = self.device + "p"

    def __enter__(self):
        try:
            return self.lay()
        except Exception:
            self.__exit__()
            raise

    def lay(self):
        for name in (self.inside, self.outside):
            call("ip", "netns", "add", name)
        call("ip", "link", "add", self.device, "netns", self.inside, "numrxqueues", "1", "numtxqueues", "1", "type",
             "veth", "peer", "name", self.peer, "netns", self.outside, "numrxqueues", "1", "numtxqueues", "1")
        call("ip", "-n", self.inside, "addr", "add", VICTIM + "/24", "dev", self.device)
        call("ip", "-n", self.outside, "addr", "add", CLIENT + "/24", "dev", self.peer)
        for name, device in ((self.inside, self.device), (self.outside, self.peer)):
            call(*self.inside_of(name), "ethtool", "-K", device, "gro", "on", check=False)
            call("ip", "-n", name, "link", "set", device, "up")
            call("ip", "-n", name, "link", "set", "lo", "up")
        call("ip", "-n", self.inside, "route", "add", "203.0.113.0/24", "via", "192.0.2.254", check=False)
        # With its own /sys, which nsenter does not bring.
        place = f"/sys/class/net/{self.device}"
        wanted = {"threaded": 1}
        if self.isGrouped:
            wanted |= {"gro_flush_timeout": GROUPED_NANOSECONDS, "napi_defer_hard_irqs": 1}
        for name, value in wanted.items():
            call("ip", "netns", "exec", self.inside, "sh", "-c", f"echo {value} > {place}/{name}")
        self.pin()
        return self

    def __exit__(self, *_):
        for name in (self.inside, self.outside):
            call("ip", "netns", "del", name, check=False)

    def threads(self):
        """Those that take the victim's packets up."""
        return [int(line.split()[0]) for line in call("ps", "-eLo", "pid=,comm=").splitlines()
                if f"napi/{self.device}-"[:15] in line]

    def pin(self):
        """They are made anew when a native program is attached."""
        for pid in self.threads():
            call("taskset", "-cp", "1", str(pid), check=False)
            if self.isUrgent:
                call("chrt", "-f", "-p", "10", str(pid), check=False)

    def busy(self):
        """Seconds of CPU that taking packets up has cost."""
        return sum(common.cpu_seconds(pid) for pid in self.threads())

    @staticmethod
    def inside_of(namespace):
        return ["nsenter", f"--net=/run/netns/{namespace}"]

    def victim(self, *command):
        return [*self.inside_of(self.inside), *command]

    def attacker(self, *command):
        return [*self.inside_of(self.outside), *command]

    def hardware(self):
        found = json.loads(call("ip", "-n", self.inside, "-j", "link", "show", "dev", self.device))
        return bytes.fromhex(found[0]["address"].replace(":", ""))

    def program(self):
        found = json.loads(call("ip", "-n", self.inside, "-d", "-j", "link", "show", "dev", self.device) or "[]")
        return found[0].get("xdp", {}).get("prog", {}).get("id") if found else None

    def dead_end(self):
        """An interface of the attacker's whose packets come to nobody: what sending costs, without what it does."""
        call("ip", "-n", self.outside, "link", "add", "ipbend", "type", "veth", "peer", "name", "ipbend2")
        call("ip", "-n", self.outside, "link", "set", "ipbend", "up")
        return "ipbend"

    def answer_through_gateway(self):
        """What the victim answers to networks far away goes out through the cable, and is dropped at its other end."""
        found = json.loads(call("ip", "-n", self.outside, "-j", "link", "show", "dev", self.peer))
        call("ip", "-n", self.inside, "neigh", "add", "192.0.2.254", "lladdr", found[0]["address"], "dev", self.device)
        call("ip", "-n", self.inside, "route", "add", FLOOD_NETWORK, "via", "192.0.2.254")

    def flood(self, frame, seconds, turns=0, device=None, isVaried=False):
        """A process on CPU 0 that sends `frame` as fast as it can, or slower; prints how many it sent."""
        return subprocess.Popen(
            self.attacker("taskset", "-c", "0", sys.executable, os.path.join(HERE, "frames.py"), device or self.peer, frame,
                          str(seconds), str(turns), *(["varied"] if isVaried else [])), stdout=subprocess.PIPE, text=True)


class Watcher:
    """The built daemon in the victim's namespace."""

    def __init__(self, setting, cable, folder, *settings):
        self.setting, self.cable, self.folder = setting, cable, folder
        self.data = os.path.join(folder, "data")
        values = {"ebpf.enabled": "true", "ebpf.interfaces": cable.device, "ebpf.mode": "enforce",
                  "ebpf.rules_path": os.path.join(folder, "rules"), "http.enabled": "false",
                  "log_pipeline.sources": "file", "log_pipeline.file.include": os.path.join(folder, "none.log"),
                  "container.enabled": "false", "sbom.enabled": "false"}
        values.update(text.split("=", 1) for text in settings)
        self.command = cable.victim(setting.program("ironpost-daemon"), "--data-dir", self.data)
        for name, value in values.items():
            self.command += ["--set", f"{name}={value}"]
        os.makedirs(os.path.join(folder, "rules"), mode=0o755, exist_ok=True)

    def __enter__(self):
        with open(os.path.join(self.folder, "log"), "w") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while not self.cable.program() or "watching" not in self.ask("status", "-v", check=False):
            if time.monotonic() > deadline or self.process.poll() is not None:
                self.__exit__()
                raise RuntimeError("the program was not attached")
            time.sleep(0.05)
        self.cable.pin()
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def ask(self, *command, check=True):
        return call(*self.cable.victim(self.setting.program("ironpost"), "--socket",
                                       os.path.join(self.data, "control.sock"), *command), check=check)

    def put(self, addresses):
        """Writes the list of addresses to block; in force with the next reload."""
        path = os.path.join(self.folder, "rules", "bench.list")
        with open(path, "w") as out:
            out.writelines(line + "\n" for line in addresses)

    def reload(self):
        """Seconds until what was put is in force."""
        began = time.monotonic()
        self.ask("reload")
        return time.monotonic() - began

    def counted(self):
        """Packets seen and dropped so far."""
        text = self.ask("status", "-v")
        found = re.search(r"(\d+) seen, (\d+) dropped", text)
        return tuple(int(value) for value in found.groups())

    def idle(self, seconds):
        """Percent of one CPU that the daemon and the responder use while no packet comes."""
        pids = [self.process.pid, *children(self.process.pid)]
        before, began = sum(common.cpu_seconds(pid) for pid in pids), time.monotonic()
        time.sleep(seconds)
        return 100 * (sum(common.cpu_seconds(pid) for pid in pids) - before) / (time.monotonic() - began)


def children(pid):
    found, waiting = [], [pid]
    while waiting:
        text = call("ps", "--ppid", str(waiting.pop()), "-o", "pid=", check=False)
        more = [int(word) for word in text.split()]
        found += more
        waiting += more
    return found
