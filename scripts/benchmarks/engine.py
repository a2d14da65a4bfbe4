"""A Docker engine of the benchmark's own: in network and mount namespaces, with its own data, socket and cgroups."""
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import time

IMAGE = "ironpost-bench:1"
KEEPER = """
PATH=$PATH:/usr/sbin:/usr/bin:/sbin:/bin
ip link set lo up
dockerd --data-root {place}/data --exec-root {place}/exec --pidfile {place}/docker.pid -H unix://{place}/docker.sock \\
    --storage-driver vfs --bip 10.213.77.1/24 --iptables=false --ip6tables=false --ip-masq=false --ip-forward=false \\
    --userland-proxy=false --exec-opt native.cgroupdriver=cgroupfs --cgroup-parent {parent} </dev/null >{place}/log 2>&1 &
cat >/dev/null
for file in {place}/docker.pid {place}/exec/containerd/containerd.pid; do kill -KILL $(cat $file); done
for state in /sys/fs/cgroup/freezer{parent}/*/freezer.state; do [ -e $state ] && echo THAWED >$state; done
for state in /sys/fs/cgroup/unified{parent}/*/cgroup.freeze /sys/fs/cgroup{parent}/*/cgroup.freeze; do
    [ -e $state ] && echo 0 >$state
done
for list in $(find /sys/fs/cgroup -path '*{parent}/*' -name cgroup.procs); do
    for pid in $(cat $list); do kill -KILL $pid; done
done
for pid in $(pgrep -f '[s]him.*{place}/'); do kill -KILL $pid; done
for turn in 1 2 3 4 5 6 7 8 9 10; do
    find /sys/fs/cgroup -depth -type d -path '*{parent}*' -exec rmdir {{}} \\; && break
    sleep 0.2
done 2>/dev/null
grep ' {place}/' /proc/self/mountinfo | cut -d' ' -f5 | sort -r | while read mount; do umount -l "$mount"; done
rm -rf {place}
"""
PROGRAMS = ("dockerd", "docker", "unshare", "ip", "busybox", "find", "pgrep")


def missing():
    """What keeps an engine from being started here; empty when nothing does."""
    if os.geteuid() != 0:
        return "it takes root"
    absent = [name for name in PROGRAMS if not find(name)]
    return f"it takes {', '.join(absent)}" if absent else ""


def find(name):
    return shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin:" + os.environ.get("PATH", ""))


class Connection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=60)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(self.path)


class Engine:
    def __init__(self):
        # Paths of sockets are short.
        self.place = f"/tmp/ironpost-bench-{os.getpid()}"
        self.parent = f"/ironpost-bench-{os.getpid()}"
        self.socket = self.place + "/docker.sock"

    def __enter__(self):
        os.makedirs(self.place, mode=0o755)
        script = self.place + "/keeper"
        with open(script, "w") as out:
            out.write(KEEPER.format(place=self.place, parent=self.parent))
        self.keeper = subprocess.Popen(
            ["unshare", "-n", "-m", "--propagation", "private", "/bin/sh", script], stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            self._wait()
            self._image()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        # Its input ends also when this process ends in any other way.
        self.keeper.stdin.close()
        self.keeper.wait()

    def _wait(self, limit=60):
        end = time.monotonic() + limit
        while True:
            try:
                return self.call("GET", "/_ping")
            except (OSError, http.client.HTTPException):
                if time.monotonic() > end:
                    with open(self.place + "/log", errors="replace") as log:
                        raise RuntimeError("dockerd does not answer:\n" + log.read()[-1000:]) from None
                time.sleep(0.05)

    def _image(self):
        root = self.place + "/root/bin"
        os.makedirs(root)
        shutil.copy(find("busybox"), root + "/busybox")
        for name in ("sh", "sleep", "echo", "ln", "logger", "cat"):
            os.symlink("busybox", f"{root}/{name}")
        archive = self.place + "/image.tar"
        subprocess.run(["tar", "-C", self.place + "/root", "-cf", archive, "."], check=True)
        with open(archive, "rb") as file:
            self.call("POST", "/images/create?fromSrc=-&repo=ironpost-bench&tag=1", file.read(), "application/x-tar")

    @property
    def version(self):
        return json.loads(self.call("GET", "/version"))["Version"]

    @property
    def pid(self):
        with open(self.place + "/docker.pid") as file:
            return int(file.read())

    def call(self, method, target, body=None, kind="application/json"):
        connection = Connection(self.socket)
        try:
            connection.request(method, target, body, {"Content-Type": kind} if body else {})
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        if answer.status >= 400:
            raise RuntimeError(f"{method} {target}: {answer.status} {text[:300]}")
        return text

    def start(self, name, script, binds):
        """A container of the image that runs a shell's script; its id."""
        body = json.dumps({"Image": IMAGE, "Cmd": ["/bin/sh", "-c", script], "HostConfig": {"Binds": binds}})
        created = json.loads(self.call("POST", f"/containers/create?name={name}", body))["Id"]
        self.call("POST", f"/containers/{created}/start")
        return created

    def inspect(self, container):
        return json.loads(self.call("GET", f"/containers/{container}/json"))

    def docker(self, *arguments):
        return [find("docker"), "-H", "unix://" + self.socket, *arguments]

    def hang(self):
        os.kill(self.pid, signal.SIGSTOP)

    def go_on(self):
        os.kill(self.pid, signal.SIGCONT)


class Freezer:
    """Whether a container's processes stand still, by the kernel's word."""

    def __init__(self, engine, container):
        places = [(f"/sys/fs/cgroup/freezer{engine.parent}/{container}/freezer.state", b"FROZEN")]
        for mount in ("/sys/fs/cgroup/unified", "/sys/fs/cgroup"):
            places.append((f"{mount}{engine.parent}/{container}/cgroup.events", b"frozen 1"))
        for path, word in places:
            if os.path.exists(path):
                self.file, self.word = os.open(path, os.O_RDONLY), word
                return
        raise RuntimeError(f"container {container} has no freezer that is known here")

    @property
    def is_frozen(self):
        text = os.pread(self.file, 256, 0)
        return self.word in text.split(b"\n")

    def wait(self, frozen, limit=20):
        """The wall clock's nanoseconds at which it was seen to be so."""
        end = time.monotonic() + limit
        while self.is_frozen != frozen:
            if time.monotonic() > end:
                raise RuntimeError(f"the container did not {'freeze' if frozen else 'thaw'} within {limit} s")
            time.sleep(0.0001)
        return time.time_ns()

    def close(self):
        os.close(self.file)
