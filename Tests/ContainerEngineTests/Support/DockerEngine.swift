import Foundation
import IronpostCore
import Synchronization
import Testing

@testable import ContainerEngine

/// A real Docker engine for this test run: in network and mount namespaces of its own, with its own data, socket and
/// cgroups, and one image made of a static busybox. It ends, and everything it made goes, when the tests' process ends in
/// whatever way, because then its keeper's input ends.
final class DockerEngine: @unchecked Sendable {
    /// `nil` where it cannot run; `missing` says why.
    static let shared: DockerEngine? = {
        do {
            return try DockerEngine()
        } catch {
            failure.withLock { $0 = "\(error)" }
            return nil
        }
    }()

    private static let failure = Mutex("")
    static var missing: Comment {
        Comment(
            rawValue:
                "no Docker engine can be started here, so real containers are not tried: \(failure.withLock { $0 })")
    }

    struct Fault: Error, CustomStringConvertible {
        var description: String
    }

    static let image = "ironpost-test:1"
    let directory: String
    let socket: String
    /// Below which all its containers' cgroups are.
    let cgroupParent: String
    private let keeper = Process()
    private let orders = Pipe()

    private init() throws {
        guard geteuid() == 0 else { throw Fault(description: "the tests do not run as root") }
        for program in ["/usr/sbin/dockerd", "/bin/busybox", "/usr/bin/unshare", "/usr/sbin/ip"]
        where !FileManager.default.isExecutableFile(atPath: program) {
            throw Fault(description: "\(program) is not there")
        }
        let number = getpid()
        directory = "/tmp/ironpost-docker-\(number)"
        socket = directory + "/docker.sock"
        cgroupParent = "/ironpost-docker-\(number)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let script = directory + "/keeper"
        try Self.keeperScript(directory: directory, cgroupParent: cgroupParent, subnet: number % 200)
            .write(toFile: script, atomically: true, encoding: .utf8)
        keeper.executableURL = URL(fileURLWithPath: "/usr/bin/unshare")
        keeper.arguments = ["-n", "-m", "--propagation", "private", "/bin/sh", script]
        keeper.standardInput = orders
        keeper.standardOutput = FileHandle.nullDevice
        keeper.standardError = FileHandle.nullDevice
        try keeper.run()
        try start()
        try importImage()
    }

    private static func keeperScript(directory: String, cgroupParent: String, subnet: Int32) -> String {
        """
        PATH=$PATH:/usr/sbin:/usr/bin:/sbin:/bin
        ip link set lo up
        while read order; do
            [ "$order" = start ] || continue
            dockerd --data-root \(directory)/data --exec-root \(directory)/exec --pidfile \(directory)/docker.pid \\
                -H unix://\(socket(directory)) --storage-driver vfs --bip 10.211.\(subnet).1/24 --iptables=false \\
                --live-restore --ip6tables=false --ip-masq=false --ip-forward=false --userland-proxy=false \\
                --default-address-pool base=10.212.\(subnet).0/24,size=28 \\
                --exec-opt native.cgroupdriver=cgroupfs --cgroup-parent \(cgroupParent) </dev/null >>\(directory)/log 2>&1 &
        done
        # One at a time: neither file ends in a newline.
        for file in \(directory)/docker.pid \(directory)/exec/containerd/containerd.pid; do
            kill -KILL $(cat $file)
        done
        for state in /sys/fs/cgroup/freezer\(cgroupParent)/*/freezer.state; do echo THAWED >$state; done
        for state in /sys/fs/cgroup/unified\(cgroupParent)/*/cgroup.freeze /sys/fs/cgroup\(cgroupParent)/*/cgroup.freeze; do
            [ -e $state ] && echo 0 >$state
        done
        for list in $(find /sys/fs/cgroup -path '*\(cgroupParent)/*' -name cgroup.procs); do
            for pid in $(cat $list); do [ $pid -gt 1 ] && kill -KILL $pid; done
        done
        for pid in $(pgrep -f '[s]him.*\(directory)/'); do kill -KILL $pid; done
        for turn in 1 2 3 4 5 6 7 8 9 10; do
            find /sys/fs/cgroup -depth -type d -path '*\(cgroupParent)*' -exec rmdir {} \\; && break
            sleep 0.2
        done
        grep ' \(directory)/' /proc/self/mountinfo | cut -d' ' -f5 | sort -r | while read place; do umount -l "$place"; done
        rm -rf \(directory)
        """
    }

    private static func socket(_ directory: String) -> String { directory + "/docker.sock" }

    var log: String { (try? String(contentsOfFile: directory + "/log", encoding: .utf8)) ?? "" }

    /// Of the engine's process; 0 while there is none.
    var pid: Int32 {
        let text = (try? String(contentsOfFile: directory + "/docker.pid", encoding: .utf8)) ?? ""
        return Int32(text.trimmingCharacters(in: .whitespacesAndNewlines)) ?? 0
    }

    /// The namespace in which its bridge is.
    var networkNamespace: String { "/proc/\(keeper.processIdentifier)/ns/net" }

    func start() throws {
        orders.fileHandleForWriting.write(Data("start\n".utf8))
        let end = Date(timeIntervalSinceNow: 60)
        while (try? client()) == nil {
            guard Date() < end else {
                throw Fault(description: "dockerd does not answer; its log ends: \(log.suffix(500))")
            }
            usleep(50_000)
        }
    }

    /// Kills the engine's process as it is; its containers live on.
    func kill() {
        let old = pid
        guard old > 0 else { return }
        Foundation.kill(old, SIGKILL)
        _ = eventually(10) { !isAlive(old) }
        // Its containerd ends with it. Where nobody reaps it, the next engine would take what is left for a living one.
        let inner = directory + "/exec/containerd/containerd.pid"
        let text = (try? String(contentsOfFile: inner, encoding: .utf8)) ?? ""
        if let pid = Int32(text.trimmingCharacters(in: .whitespacesAndNewlines)), eventually(5, { !isAlive(pid) }) {
            try? FileManager.default.removeItem(atPath: inner)
        }
        try? FileManager.default.removeItem(atPath: directory + "/docker.pid")
    }

    /// Makes the engine hang. A signal stops one thread after the other: what one of them has begun may go through yet.
    func hang() {
        let engine = pid
        Foundation.kill(engine, SIGSTOP)
        let stands = eventually {
            let tasks = try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(engine)/task")
            return tasks?.allSatisfy { Self.state("/proc/\(engine)/task/\($0)/stat") == "T" } == true
        }
        if !stands { Issue.record("the engine does not stop") }
    }

    private static func state(_ path: String) -> Character? {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return nil }
        return text[(text.lastIndex(of: ")") ?? text.startIndex)...].dropFirst(2).first
    }

    private func isAlive(_ pid: Int32) -> Bool {
        guard let state = Self.state("/proc/\(pid)/stat") else { return false }
        return state != "Z"
    }

    func client(timeout: Duration = .seconds(30)) throws -> EngineClient {
        try EngineClient(socketPath: socket, timeout: timeout)
    }

    // MARK: - What only tests do

    @discardableResult
    func call(
        _ method: String, _ target: String, json: String? = nil, bytes: [UInt8]? = nil,
        expect: Set<Int> = [200, 201, 204, 304]
    ) throws
        -> String
    {
        let deadline = ContinuousClock.now + .seconds(60)
        var answer = try HTTPExchange.open(
            path: socket, method: method, target: target, json: bytes ?? json.map { Array($0.utf8) }, deadline: deadline
        )
        let body = String(decoding: try answer.wholeBody(bytesMax: 64 << 20, deadline: deadline), as: UTF8.self)
        guard expect.contains(answer.status) else {
            throw Fault(description: "\(method) \(target): \(answer.status) \(body.prefix(300))")
        }
        return body
    }

    private func importImage() throws {
        let root = directory + "/root/bin"
        try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
        try FileManager.default.copyItem(atPath: "/bin/busybox", toPath: root + "/busybox")
        for name in ["sh", "sleep", "echo", "cat", "nc", "logger", "mkdir", "kill", "ip", "seq", "mount"] {
            try FileManager.default.createSymbolicLink(atPath: root + "/" + name, withDestinationPath: "busybox")
        }
        let tar = Process()
        tar.executableURL = URL(fileURLWithPath: "/bin/tar")
        tar.arguments = ["-C", directory + "/root", "-cf", directory + "/image.tar", "."]
        try tar.run()
        tar.waitUntilExit()
        let bytes = try Data(contentsOf: URL(fileURLWithPath: directory + "/image.tar"))
        try call(
            "POST", "/images/create?fromSrc=-&repo=ironpost-test&tag=1", bytes: Array(bytes))
    }

    /// Runs one of the image's shells with `script`, and waits until it runs.
    /// - Parameters:
    ///   - host, more: members of the request, as JSON without braces.
    func run(_ name: String, _ script: String = "while :; do sleep 1000; done", host: String = "", more: String = "")
        throws -> ContainerID
    {
        let id = try create(name, script, host: host, more: more)
        try call("POST", "/containers/\(id)/start")
        return id
    }

    func create(_ name: String, _ script: String, host: String = "", more: String = "") throws -> ContainerID {
        let command = String(decoding: try JSONEncoder().encode(["/bin/sh", "-c", script]), as: UTF8.self)
        let escaped = name.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? name
        let body = """
            {"Image":"\(Self.image)","Cmd":\(command),"HostConfig":{\(host)}\(more.isEmpty ? "" : "," + more)}
            """
        struct Created: Decodable { var id: String }
        let answer = try call("POST", "/containers/create?name=\(escaped)", json: body)
        return try #require(ContainerID(try EngineNames.decoder().decode(Created.self, from: Data(answer.utf8)).id))
    }

    func remove(_ ids: ContainerID...) { remove(ids) }

    func remove(_ ids: [ContainerID]) {
        for id in ids { _ = try? call("DELETE", "/containers/\(id)?force=1&v=1", expect: [204, 404, 409]) }
    }

    func inspect(_ id: ContainerID) throws -> InspectedContainer { try client().inspect(id, timeout: .seconds(30)) }
}

/// Waits until `condition` holds. False: it did not within `seconds`.
func eventually(_ seconds: Double = 30, _ condition: () throws -> Bool) rethrows -> Bool {
    let end = Date(timeIntervalSinceNow: seconds)
    while Date() < end {
        if try condition() { return true }
        usleep(10_000)
    }
    return try condition()
}
