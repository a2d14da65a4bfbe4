import Foundation
import IronpostCore
import Logging
import Synchronization
import Testing

@testable import ContainerEngine
@testable import Responder

/// Podman's compatible service, where the machine has it and it can run a container.
@Suite(.serialized, .enabled(if: PodmanEngine.shared != nil, PodmanEngine.missing))
struct PodmanTests {
    @Test("a container of Podman's is followed, named by what it did, frozen and paused")
    func follows() throws {
        let engine = try #require(PodmanEngine.shared)
        let inventory = ContainerInventory(socketPath: engine.socket, logger: Logger(label: "test"))
        _ = PlainThread(name: "inventory") { inventory.follow() }
        defer { inventory.stop() }
        let id = engine.container
        #expect(eventually { inventory[id]?.pid ?? 0 > 0 })
        let record = try #require(inventory[id])
        #expect(record.name == "ip-podman")
        #expect(
            record.cgroups.contains { $0.path.hasSuffix("/libpod-\(id)") || $0.path.contains("libpod-\(id).scope") })
        #expect(record.logPath.contains(id.text))
        let directory = LiveDirectory(time: SystemTime())
        directory.apply(inventory.changes(since: .nothing, engine: nil, patience: .zero) { _ in true })
        var clues = AttributionClues()
        clues.process = ProcessTable().identity(of: record.pid, at: SystemTime().now(), clock: SystemTime())
        guard case .container(let found) = directory.attribute(clues, at: SystemTime().now(), addresses: []) else {
            Issue.record("not attributed")
            return
        }
        #expect(found.id == id.text)
        var configuration = Configuration()
        configuration.general.dataDirectory = engine.directory
        let isolation = ContainerIsolation(inventory, configuration, logger: Logger(label: "test"))
        let control = CgroupControl(table: ProcessTable())
        for kind in [ContainerOrder.Kind.freeze, .pause] {
            var order = ContainerOrder(
                kind: kind, container: id, action: .make(at: SystemTime().now()), isAutomatic: false)
            order.detail = try isolation.carryOut(.prepareContainer, order).detail
            #expect(try isolation.carryOut(.isolateContainer, order).isSettled)
            #expect(try control.isFrozen(record))
            #expect(try isolation.carryOut(.releaseContainer, order).isSettled)
            #expect(try !control.isFrozen(record))
        }
    }
}

/// Podman as a service with its own storage and namespaces, and one container in it. Ends with the tests' process.
final class PodmanEngine: @unchecked Sendable {
    static let shared: PodmanEngine? = {
        do {
            return try PodmanEngine()
        } catch {
            failure.withLock { $0 = "\(error)" }
            return nil
        }
    }()

    private static let failure = Mutex("")
    static var missing: Comment {
        Comment(rawValue: "Podman runs no container here, so it is not tried: \(failure.withLock { $0 })")
    }

    let directory: String
    let socket: String
    private(set) var container: ContainerID
    private let keeper = Process()
    private let input = Pipe()

    private init() throws {
        guard geteuid() == 0 else { throw DockerEngine.Fault(description: "the tests do not run as root") }
        for program in ["/usr/bin/podman", "/bin/busybox", "/usr/sbin/runc", "/usr/bin/conmon"]
        where !FileManager.default.isExecutableFile(atPath: program) {
            throw DockerEngine.Fault(description: "\(program) is not there")
        }
        let number = getpid()
        directory = "/tmp/ironpost-podman-\(number)"
        socket = directory + "/podman.sock"
        let root = directory + "/image/bin"
        try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
        try FileManager.default.copyItem(atPath: "/bin/busybox", toPath: root + "/busybox")
        let options = """
            --root \(directory)/root --runroot \(directory)/run --tmpdir \(directory)/tmp --storage-driver vfs \\
            --runtime /usr/sbin/runc --cgroup-manager cgroupfs --events-backend file
            """
        try """
        PATH=$PATH:/usr/sbin:/usr/bin:/sbin:/bin
        ip link set lo up
        podman \(options) system service -t 0 unix://\(socket) </dev/null >>\(directory)/log 2>&1 &
        service=$!
        tar -C \(directory)/image -c . | podman \(options) import - ip-podman:1 >>\(directory)/log 2>&1
        podman \(options) run -d --name ip-podman --network none --log-driver k8s-file --ulimit nofile=1024:1024 \\
            --ulimit nproc=1024:1024 --cgroup-parent /ironpost-podman-\(number) ip-podman:1 /bin/busybox sleep 100000 \\
            >\(directory)/id 2>>\(directory)/log || echo failed >\(directory)/id
        cat >/dev/null
        podman \(options) rm -f -t 0 ip-podman >/dev/null 2>&1
        kill -KILL $service
        grep ' \(directory)/' /proc/self/mountinfo | cut -d' ' -f5 | sort -r | while read place; do umount -l "$place"; done
        find /sys/fs/cgroup -depth -type d -path '*ironpost-podman-\(number)*' -exec rmdir {} \\;
        rm -rf \(directory)
        """.write(toFile: directory + "/keeper", atomically: true, encoding: .utf8)
        keeper.executableURL = URL(fileURLWithPath: "/usr/bin/unshare")
        keeper.arguments = ["-n", "-m", "--propagation", "private", "/bin/sh", directory + "/keeper"]
        keeper.standardInput = input
        keeper.standardOutput = FileHandle.nullDevice
        keeper.standardError = FileHandle.nullDevice
        container = try #require(ContainerID(String(repeating: "0", count: 64)))
        try keeper.run()
        let place = directory
        let isThere = eventually(60) {
            (try? String(contentsOfFile: place + "/id", encoding: .utf8))?.hasSuffix("\n") == true
        }
        let text = (try? String(contentsOfFile: directory + "/id", encoding: .utf8)) ?? ""
        guard isThere, let id = ContainerID(text.trimmingCharacters(in: .whitespacesAndNewlines)) else {
            let log = (try? String(contentsOfFile: directory + "/log", encoding: .utf8)) ?? ""
            try? input.fileHandleForWriting.close()
            throw DockerEngine.Fault(description: "its log ends: \(log.suffix(300))")
        }
        container = id
    }
}
