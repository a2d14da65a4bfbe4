"""Resident memory: idle, after the corpus, and after garbage from the network."""
import os
import random
import socket
import time

from . import common, corpus
from .daemon import Daemon, free_port

GARBAGE_BYTES = 200_000_000
GARBAGE_BYTES_QUICK = 2_000_000
BURST = 8
PAUSE_SECONDS = 0.0005


def run(setting):
    file, lines = corpus.path(setting)
    runs = []
    for number in range(setting.rounds):
        one = measure(setting, file, lines)
        runs.append(one)
        print(
            f"   {number + 1}: idle {one['rss_idle_bytes'] >> 20} MiB, after the lines {one['rss_after_lines_bytes'] >> 20} MiB, "
            f"after the garbage {one['rss_after_garbage_bytes'] >> 20} MiB, peak {one['rss_peak_bytes'] >> 20} MiB, "
            f"datagrams {common.count(one['datagrams_sent'])} sent, "
            f"{common.count(one['datagrams_received'])} evaluated, {common.count(one['datagrams_dropped'])} counted as dropped, "
            f"load {one['load'][0]}, others {one['others_cores']} cores", flush=True
        )
    keys = [key for key in runs[0] if key.startswith("rss_")]
    return {
        "lines": lines, "garbage_bytes": GARBAGE_BYTES_QUICK if setting.quick else GARBAGE_BYTES, "runs": runs,
        "summary": {key: common.spread([one[key] for one in runs]) for key in keys},
    }


def measure(setting, file, lines):
    folder = setting.fresh("memory")
    watched = os.path.join(folder, "syslog.log")
    port = free_port(socket.SOCK_DGRAM)
    settings = [
        "log_pipeline.sources=file,syslog", f"log_pipeline.file.include={watched}", f"log_pipeline.syslog.udp=127.0.0.1:{port}",
        "log_pipeline.syslog.tcp=",
    ]
    with Daemon(setting, folder, settings) as daemon:
        daemon.start()
        time.sleep(1 if setting.quick else 10)
        surroundings = common.Surroundings(daemon.pid)
        idle = common.memory(daemon.pid)[0]
        os.link(file, watched)
        daemon.wait_for_events(lines)
        time.sleep(0.5)
        after_lines = common.memory(daemon.pid)[0]
        sent = garbage(port, GARBAGE_BYTES_QUICK if setting.quick else GARBAGE_BYTES)
        time.sleep(1)
        hop = daemon.rest()["source:syslog_udp"]
        after_garbage, peak = common.memory(daemon.pid)
        return {
            "rss_idle_bytes": idle, "rss_after_lines_bytes": after_lines, "rss_after_garbage_bytes": after_garbage,
            "rss_peak_bytes": peak, "datagrams_sent": sent, "datagrams_received": hop["stored"],
            "datagrams_dropped": sum(hop["dropped"].values()), **surroundings.figures(),
        }


def garbage(port, size):
    """Random bytes in datagrams of 1 to 8,192 bytes, in small bursts: the kernel's buffer holds few of them."""
    random_ = random.Random(7)
    noise = random_.randbytes(1 << 20)
    sent = datagrams = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.connect(("127.0.0.1", port))
        while sent < size:
            length = random_.randint(1, 8192)
            start = random_.randint(0, len(noise) - length)
            out.send(noise[start:start + length])
            sent += length
            datagrams += 1
            if datagrams % BURST == 0:
                time.sleep(PAUSE_SECONDS)
    return datagrams
