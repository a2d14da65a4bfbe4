"""From a failed login's line to the refusal of the next packet, and 100,000 blocks at once; fail2ban and nft beside it.

Namespaces with cables of our own: one host for each program, and a client that goes on sending. Needs root, ip and nft.
"""
import ctypes
import json
import os
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time

from . import common

ATTACKS, ATTACKS_QUICK = 150, 5
LIST, LIST_QUICK = 100_000, 1_000
# What fail2ban takes for so many is shown, not for all: it would be minutes.
PEER_LIST, PEER_LIST_QUICK = 300, 10
FAILURES = 5
INTERVAL = 0.0005
CLONE_NEWNET = 0x40000000


def call(*command, check=True, stdin=None):
    done = subprocess.run(command, capture_output=True, text=True, input=stdin)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


class Host:
    """A network namespace with something that attacks it from another."""

    def __init__(self, letter):
        number = os.getpid()
        self.name, self.client = f"ipr-{letter}-{number}", f"ipr-{letter}c-{number}"

    def __enter__(self):
        for name in (self.name, self.client):
            call("ip", "netns", "add", name)
            call("ip", "-n", name, "link", "set", "lo", "up")
        call("ip", "link", "add", "eth0", "netns", self.name, "type", "veth", "peer", "name", "eth0", "netns", self.client)
        for name, end in ((self.name, 1), (self.client, 2)):
            call("ip", "-n", name, "addr", "add", f"10.251.{end}.1/8", "dev", "eth0")
            call("ip", "-n", name, "link", "set", "eth0", "up")
        call("ip", "netns", "exec", self.name, "sh", "-c", "echo 0 > /proc/sys/net/ipv4/conf/eth0/rp_filter")
        return self

    def __exit__(self, *_):
        for name in (self.name, self.client):
            for pid in call("ip", "netns", "pids", name, check=False).split():
                try:
                    os.kill(int(pid), signal.SIGKILL)
                except ProcessLookupError:
                    pass
            call("ip", "netns", "del", name, check=False)

    def run(self, *command, check=True, stdin=None):
        return call("ip", "netns", "exec", self.name, *command, check=check, stdin=stdin)

    def start(self, command, log):
        with open(log, "ab") as out:
            return subprocess.Popen(["ip", "netns", "exec", self.name, *command], stdin=subprocess.DEVNULL, stdout=out, stderr=out)

    def socket(self, name, kind=socket.SOCK_RAW, protocol=socket.IPPROTO_TCP):
        """A socket of a namespace, in this process."""
        libc = ctypes.CDLL(None, use_errno=True)
        home, there = os.open("/proc/self/ns/net", os.O_RDONLY), os.open("/run/netns/" + name, os.O_RDONLY)
        try:
            if libc.setns(there, CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
            try:
                return socket.socket(socket.AF_INET, kind, protocol)
            finally:
                libc.setns(home, CLONE_NEWNET)
        finally:
            os.close(home)
            os.close(there)


class Probe:
    """One packet at a time from an address, and whether it came through all of the host's filters."""

    def __init__(self, host):
        self.host, self.number = host, 0
        self.sender, self.receiver = host.socket(host.client), host.socket(host.name)
        self.sender.setsockopt(socket.IPPROTO_IP, socket.IP_HDRINCL, 1)
        self.receiver.setblocking(False)
        self.server = host.socket(host.name, socket.SOCK_STREAM)
        self.server.bind(("10.251.1.1", 22))
        self.server.listen(8)

    def close(self):
        for one in (self.sender, self.receiver, self.server):
            one.close()

    def connect(self, address):
        """What somebody who guesses has: a connection."""
        call("ip", "-n", self.host.client, "addr", "add", address + "/32", "dev", "eth0")
        client = self.host.socket(self.host.client, socket.SOCK_STREAM)
        client.bind((address, 0))
        client.connect(("10.251.1.1", 22))
        return client, self.server.accept()[0]

    def passes(self, source):
        """A connection's first packet to port 22, numbered. On a cable of this machine it arrives while it is sent."""
        self.number += 1
        target = socket.inet_aton("10.251.1.1")
        header = struct.pack("!HHIIBBHHH", 40000, 22, self.number, 0, 0x50, 2, 1024, 0, 0)
        pseudo = source + target + struct.pack("!BBH", 0, socket.IPPROTO_TCP, len(header)) + header
        total = sum(struct.unpack(f"!{len(pseudo) // 2}H", pseudo))
        total = (total & 0xFFFF) + (total >> 16)
        checksum = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
        packet = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40, 0, 0, 64, socket.IPPROTO_TCP, 0, source, target)
        self.sender.sendto(packet + header[:16] + struct.pack("!H", checksum) + header[18:], ("10.251.1.1", 0))
        end = time.perf_counter() + 0.0003
        while True:
            try:
                received = self.receiver.recv(256)
            except BlockingIOError:
                if time.perf_counter() > end:
                    return False
                continue
            if received[12:16] == source and struct.unpack("!I", received[24:28])[0] == self.number:
                return True

    def refused(self, source, began, limit=10):
        """Seconds from `began` until the first packet was sent that did not come through, nor any of the next five."""
        first, misses = 0.0, 0
        while misses < 6:
            now = time.perf_counter()
            if self.passes(source):
                misses = 0
            else:
                first = first if misses else now
                misses += 1
            if now - began > limit:
                raise RuntimeError(f"nothing was refused within {limit} s")
            rest = now + INTERVAL - time.perf_counter()
            if rest > 0:
                time.sleep(rest)
        return first - began


class Ironpost:
    name = "ironpost"

    def __init__(self, setting, host, folder):
        self.setting, self.host, self.log = setting, host, os.path.join(folder, "auth.log")
        self.folder = folder
        open(self.log, "w").close()

    def control(self, *command, check=True):
        return self.host.run(self.setting.program("ironpost"), "--socket", self.folder + "/data/control.sock", *command, check=check)

    def __enter__(self):
        command = [self.setting.program("ironpost-daemon"), "--data-dir", self.folder + "/data"]
        for value in ("http.enabled=false", "ebpf.enabled=false", "sbom.enabled=false", "log_pipeline.sources=file",
                      f"log_pipeline.file.include={self.log}", f"detection.rules={self.setting.rules}",
                      "detection.rate_limit_per_rule=0", "response.mode=enforce", "response.blocks_per_minute=100000",
                      "response.blocks_per_hour=100000"):
            command += ["--set", value]
        self.process = self.host.start(command, self.folder + "/daemon.log")
        wait_for(lambda: '"ready" : true' in self.control("-o", "json", "status", check=False))
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


class Fail2ban:
    name = "fail2ban"

    def __init__(self, host, folder):
        self.host, self.folder, self.log = host, folder, os.path.join(folder, "auth.log")
        open(self.log, "w").close()
        self.configuration = os.path.join(folder, "etc")
        shutil.copytree("/etc/fail2ban", self.configuration)
        shutil.rmtree(self.configuration + "/jail.d")
        with open(self.configuration + "/fail2ban.local", "w") as out:
            out.write(f"[Definition]\nlogtarget = {folder}/fail2ban.log\nsocket = {folder}/socket\npidfile = {folder}/pid\n"
                      f"dbfile = {folder}/fail2ban.sqlite3\n")
        # Without name servers in this namespace: it would wait for their answer about its own name.
        with open(self.configuration + "/jail.local", "w") as out:
            out.write("[DEFAULT]\nbackend = pyinotify\nusedns = no\nignoreself = false\nbanaction = nftables\nbantime = 1h\n"
                      f"[sshd]\nenabled = true\nlogpath = {self.log}\nmaxretry = {FAILURES}\n"
                      f"[many]\nenabled = true\nfilter = sshd\nlogpath = {self.log}.none\n")
        open(self.log + ".none", "w").close()

    def control(self, *command, check=True):
        return self.host.run("fail2ban-client", "-c", self.configuration, "-s", self.folder + "/socket", *command, check=check)

    def __enter__(self):
        self.process = self.host.start(
            ["fail2ban-server", "-f", "-c", self.configuration, "-s", self.folder + "/socket", "-p", self.folder + "/pid", "start"],
            self.folder + "/out.log")
        wait_for(lambda: "File list" in self.control("status", "sshd", check=False))
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


def wait_for(condition, limit=60):
    end = time.monotonic() + limit
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError("a program did not start")
        time.sleep(0.05)


def write(log, text):
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND)
    began = time.perf_counter()
    os.write(descriptor, text.encode())
    os.close(descriptor)
    return began


def attack(program, probe, number, random_):
    """Failures up to the one that is too many; how long from that line's write(2) until a packet is refused."""
    address = f"10.{20 + number // 250}.7.{number % 250 + 1}"
    source = socket.inet_aton(address)

    def line(port):
        return f"{time.strftime('%b %d %H:%M:%S')} web1 sshd[{1000 + number}]: Failed password for root from {address} port {port} ssh2\n"

    ends = probe.connect(address)
    write(program.log, "".join(line(port) for port in range(FAILURES - 1)))
    time.sleep(random_.uniform(0.05, 0.15))
    if not probe.passes(source):
        raise RuntimeError(f"{program.name} refused too early")
    delay = probe.refused(source, write(program.log, line(FAILURES))) * 1000
    for end in ends:
        end.close()
    return delay


def attacks(programs, count):
    random_ = random.Random(1)
    probes = [Probe(program.host) for program in programs]
    delays = {program.name: [] for program in programs}
    surroundings = common.Surroundings()
    try:
        for number in range(count):
            for program, probe in zip(programs, probes):
                delays[program.name].append(attack(program, probe, number, random_))
    finally:
        for probe in probes:
            probe.close()
    return delays, surroundings.figures()


def addresses(count):
    return [f"100.{64 + (index >> 16)}.{index >> 8 & 255}.{index & 255}" for index in range(count)]


def blocked(ironpost):
    return set(re.findall(r"(\S+) timeout", ironpost.host.run("nft", "list", "table", "inet", "ironpost")))


def load(setting, ironpost, peer, folder):
    """Seconds for a list of addresses, by each one's own command."""
    count = LIST_QUICK if setting.quick else LIST
    plain, script = os.path.join(folder, "list.txt"), os.path.join(folder, "list.nft")
    chosen = addresses(count)
    with open(plain, "w") as out:
        out.write("\n".join(chosen) + "\n")
    with open(script, "w") as out:
        out.write("add table inet bench\nadd set inet bench many { type ipv4_addr; flags timeout; }\n")
        out.write("add element inet bench many { " + ", ".join(f"{one} timeout 1h" for one in chosen) + " }\n")
    ours, theirs, figures = [], [], {}
    surroundings = common.Surroundings()
    for _ in range(setting.rounds):
        began = time.perf_counter()
        ironpost.control("block", "import", plain, "--ttl", "1h")
        ours.append(time.perf_counter() - began)
        # While the kernel makes its table larger, a listing of it tells some elements twice and some not at all.
        wait_for(lambda: len(blocked(ironpost) & set(chosen)) == count, 10)
        ironpost.control("block", "flush")
        began = time.perf_counter()
        ironpost.host.run("nft", "-f", script)
        theirs.append(time.perf_counter() - began)
        ironpost.host.run("nft", "delete", "table", "inet", "bench")
    if peer:
        some = PEER_LIST_QUICK if setting.quick else PEER_LIST
        began = time.perf_counter()
        peer.control("set", "many", "banip", *chosen[:some])
        # It answers before it has done it.
        wait_for(lambda: peer.host.run("nft", "list", "ruleset").count("100.64.") >= some, 600)
        figures["fail2ban_s"] = time.perf_counter() - began
        figures["fail2ban_count"] = some
    return {"count": count, "ironpost": common.spread(ours), "nft": common.spread(theirs), **figures, **surroundings.figures()}


def run(setting):
    missing = [name for name in ("ip", "nft") if not shutil.which(name)]
    if os.geteuid() != 0 or missing:
        print(f"   passed over: it takes root{' and ' + ', '.join(missing) if missing else ''}", file=sys.stderr)
        return {}
    folder = setting.fresh("response")
    has_peer = shutil.which("fail2ban-server") and not call(
        "/usr/bin/python3", "-c", "import importlib.util as u; print('' if u.find_spec('pyinotify') else 'missing')").strip()
    os.makedirs(folder + "/i")
    os.makedirs(folder + "/f")
    os.chmod(folder, 0o755)
    with Host("i") as host, Host("f") as other, Ironpost(setting, host, folder + "/i") as ironpost:
        if has_peer:
            with Fail2ban(other, folder + "/f") as peer:
                result = measure(setting, ironpost, peer, folder)
        else:
            result = measure(setting, ironpost, None, folder)
    return {**result, "peer": common.output(["fail2ban-server", "--version"]).split("\n")[0] if has_peer else None}


def measure(setting, ironpost, peer, folder):
    delays, around = attacks([ironpost, peer] if peer else [ironpost], ATTACKS_QUICK if setting.quick else ATTACKS)
    latency = {
        name: {"median_ms": common.percentile(values, 0.5), "p95_ms": common.percentile(values, 0.95),
               "p99_ms": common.percentile(values, 0.99), "max_ms": max(values), "min_ms": min(values)}
        for name, values in delays.items()
    }
    for name, figures in latency.items():
        print(f"   {name}: " + json.dumps({key: round(value, 1) for key, value in figures.items()}), flush=True)
    lists = load(setting, ironpost, peer, folder)
    print(f"   {lists}", flush=True)
    return {"attacks": len(delays["ironpost"]), "latency": latency, "around": around, "lists": lists}
