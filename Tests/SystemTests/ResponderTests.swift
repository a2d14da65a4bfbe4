import Foundation
import Testing

/// The two processes as they are: either is killed or hangs, the other goes on, and status says so.
@Suite(.serialized, .enabled(if: geteuid() == 0, "needs root: without it there is no responder"))
struct ResponderProcessTests {
    struct Processes: Equatable {
        var keeper: Int32
        var worker: Int32
    }

    /// Of the daemon's children, by the kernel.
    static func children(of pid: Int32) -> [Int32] {
        let all = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return all.compactMap { Int32($0) }.filter { candidate in
            let stat = (try? String(contentsOfFile: "/proc/\(candidate)/stat", encoding: .utf8)) ?? ""
            let fields = stat.split(separator: ")").last?.split(separator: " ") ?? []
            return fields.count > 1 && Int32(fields[1]) == pid && fields[0] != "Z"
        }
    }

    static func processes(of daemon: DaemonProcess) -> Processes? {
        guard let keeper = children(of: daemon.pid).first, let worker = children(of: keeper).first else { return nil }
        return Processes(keeper: keeper, worker: worker)
    }

    static func module(_ daemon: DaemonProcess) throws -> (health: String, reason: String) {
        let status = try daemon.ironpost("status", "-o", "json")
        guard status.status == 0 else { return ("status \(status.status)", status.err) }
        let object = try JSONSerialization.jsonObject(with: Data(status.out.utf8)) as? [String: Any]
        let modules = object?["modules"] as? [[String: Any]] ?? []
        let module = modules.first { $0["name"] as? String == "responder" }
        return (module?["health"] as? String ?? "", module?["reason"] as? String ?? "")
    }

    static func isAlive(_ pid: Int32) -> Bool {
        let stat = (try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)) ?? ""
        return stat.isEmpty ? false : stat.split(separator: ")").last?.split(separator: " ").first != "Z"
    }

    @Test("a worker that is killed or hangs is replaced, and status says so and why; then all is well again")
    func worker() throws {
        let folder = try TemporaryDirectory()
        let daemon = DaemonProcess(data: folder.path + "/data", settings: ["log_pipeline.file.include=/nowhere/*"])
        try daemon.start()
        let first = try #require(Self.processes(of: daemon))
        #expect(try Self.module(daemon).health == "healthy")
        kill(first.worker, SIGKILL)
        try eventually("the restart is said") { try Self.module(daemon).reason.contains("killed by signal 9") }
        let second = try #require(Self.processes(of: daemon))
        #expect(second.keeper == first.keeper && second.worker != first.worker)

        kill(second.worker, SIGSTOP)
        try eventually("the silence is said") { try Self.module(daemon).reason.contains("has not answered") }
        try eventually("the hang is said") { try Self.module(daemon).reason.contains("it hung") }
        try eventually("the responder is healthy again") { try Self.module(daemon).health == "healthy" }
        #expect(!Self.isAlive(second.worker))

        let third = try #require(Self.processes(of: daemon))
        kill(third.keeper, SIGKILL)
        try eventually("the keeper's end is said") { try Self.module(daemon).reason.contains("its keeper was killed") }
        try eventually("the responder is healthy again") { try Self.module(daemon).health == "healthy" }
        #expect(daemon.end() == 0)
    }

    @Test("the core is killed: nothing of the responder stays behind")
    func core() throws {
        let folder = try TemporaryDirectory()
        let daemon = DaemonProcess(data: folder.path + "/data", settings: ["log_pipeline.file.include=/nowhere/*"])
        try daemon.start()
        let processes = try #require(Self.processes(of: daemon))
        daemon.kill()
        eventually("both are gone") { !Self.isAlive(processes.keeper) && !Self.isAlive(processes.worker) }
    }

    @Test("the responder holds nothing but its socket, and only the rights that its verbs need")
    func rights() throws {
        let folder = try TemporaryDirectory()
        let daemon = DaemonProcess(data: folder.path + "/data", settings: ["log_pipeline.file.include=/nowhere/*"])
        try daemon.start()
        let processes = try #require(Self.processes(of: daemon))
        let status = try String(contentsOfFile: "/proc/\(processes.worker)/status", encoding: .utf8)
        func field(_ name: String) -> String {
            status.split(separator: "\n").first { $0.hasPrefix(name) }?.split(separator: "\t").last.map(String.init)
                ?? ""
        }
        // DAC_OVERRIDE, DAC_READ_SEARCH, KILL, NET_ADMIN, SYS_PTRACE, SYS_ADMIN, SYS_RESOURCE, PERFMON, BPF.
        let allowed: UInt64 = 0xC0_0128_1026
        for set in ["CapEff:", "CapPrm:", "CapBnd:"] {
            let held = UInt64(field(set), radix: 16) ?? .max
            #expect(held & ~allowed == 0 && held & 1 << 2 != 0, "\(set) \(field(set))")
        }
        #expect(field("NoNewPrivs:") == "1")
        #expect(field("Seccomp:") == "2")
        let open = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(processes.worker)/fd")
            .compactMap { Int($0) }.filter { $0 > 2 }
        #expect(open.count <= 3, "descriptors \(open)")
        #expect(daemon.end() == 0)
        eventually("both are gone") { !Self.isAlive(processes.keeper) && !Self.isAlive(processes.worker) }
    }

    @Test("by hand it does nothing but say who starts it")
    func byHand() throws {
        let output = try Programs.run(Programs.directory + "/ironpost-responder", ["--core-socket", "3"])
        #expect(output.status == 2)
        #expect(output.err.contains("started by ironpost-daemon"))
    }
}
