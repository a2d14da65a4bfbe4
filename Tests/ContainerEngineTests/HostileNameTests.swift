import Foundation
import IronpostCore
import Logging
import Testing

@testable import ContainerEngine
@testable import Responder

/// Names, labels and answers that nobody should meet, through the built programs: in tables, logs, metrics and file names.
@Suite(
    .serialized, .enabled(if: geteuid() == 0, "the tests do not run as root"),
    .enabled(if: GuardedDaemon.areBuilt, "the programs are not built beside these tests"))
struct HostileNameTests {
    /// One process in cgroups of its own that bear a container's id.
    final class Body {
        let id: String
        let pid: Int32
        private let process = Process()
        private var places: [String] = []

        init(_ digit: String) throws {
            id = String(repeating: digit, count: 32) + String(format: "%032x", getpid())
            process.executableURL = URL(fileURLWithPath: "/bin/sleep")
            process.arguments = ["1000"]
            try process.run()
            pid = process.processIdentifier
            let table = ProcessTable()
            for mount in [table.mount(.freezer), table.mount(.unified)].compactMap({ $0 }) {
                let place = "\(mount)/ironpost-hostile-\(getpid())/\(id)"
                try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
                try "\(pid)".write(toFile: place + "/cgroup.procs", atomically: false, encoding: .utf8)
                places.append(place)
            }
        }

        var isFrozen: Bool {
            places.contains { place in
                let state = try? String(contentsOfFile: place + "/freezer.state", encoding: .utf8)
                let events = try? String(contentsOfFile: place + "/cgroup.events", encoding: .utf8)
                return state?.hasPrefix("FROZEN") == true || events?.contains("frozen 1") == true
            }
        }

        func end() {
            for place in places {
                try? "THAWED".write(toFile: place + "/freezer.state", atomically: false, encoding: .utf8)
                try? "0".write(toFile: place + "/cgroup.freeze", atomically: false, encoding: .utf8)
            }
            // What is stopped, or ignores signals, ends by no other.
            kill(pid, SIGKILL)
            process.waitUntilExit()
            for place in places {
                // A directory of the kernel's goes by rmdir alone, once nothing is in it.
                _ = eventually(5) { unsafe rmdir(place) == 0 || errno == ENOENT }
                unsafe rmdir(URL(fileURLWithPath: place).deletingLastPathComponent().path)
            }
        }
    }

    /// Characters that move a terminal's cursor, turn its text around or end a line.
    static func harm(_ text: String) -> [Unicode.Scalar] {
        text.unicodeScalars.filter { scalar in
            switch scalar.value {
            case 10: false
            case 0..<32, 0x7F..<0xA0, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069, 0xFEFF: true
            default: false
            }
        }
    }

    @Test("hostile names, ten megabytes and broken JSON are named, bounded and harmless wherever they are shown")
    func shown() throws {
        let evil = "a\\n\\u001b[2J\\u001b]0;x\\u0007\\r\\u0000\\u202e\\\"}{/../../etc/passwd,x=1 \\u2028b"
        let body = try Body("a")
        defer { body.end() }
        let (large, broken) = (String(repeating: "b", count: 64), String(repeating: "c", count: 64))
        let inspect = """
            {"Id":"\(body.id)","Name":"/\(evil)","State":{"Status":"running","Running":true,"Pid":\(body.pid)},
            "Config":{"Image":"\(evil)","Labels":{"\(evil)":"\(evil)"}},"HostConfig":{"NetworkMode":"\(evil)"},
            "LogPath":"/nonexistent/\(evil)",
            "NetworkSettings":{"Networks":{"\(evil)":{"IPAddress":"\(evil)"}}}}
            """
        let list = """
            [{"Id":"\(body.id)","State":"running","Names":["/\(evil)"]},{"Id":"\(large)","State":"running"},
            {"Id":"\(broken)","State":"exited"},{"Id":"\(evil)","State":"running"}]
            """
        let scripted = try ScriptedEngine("hostile") { target in
            if target == "/_ping" {
                return .raw(Array("HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Length: 2\r\n\r\nOK".utf8))
            }
            if target.contains("/events") { return .stream([]) }
            if target.contains("/containers/json") { return .json(list) }
            if target.contains(large) { return .flood(10 << 20) }
            if target.contains(broken) { return .json(#"{"Id":"\#(broken)","Name":["\#(evil)"]"#) }
            if target.contains("/logs") {
                return .raw(Array("HTTP/1.1 500 \u{1b}[2J\r\nContent-Length: 0\r\n\r\n".utf8))
            }
            return .json(inspect)
        }
        defer { scripted.end() }
        let daemon = try GuardedDaemon("hostile", socket: scripted.path, policy: "freeze")
        try daemon.start()
        #expect(try eventually(20) { try daemon.list().containers?.count == 3 }, "\(daemon.log.suffix(2000))")

        var shown: [(place: String, text: String)] = []
        func show(_ arguments: [String], status: Int32 = 0) throws {
            let output = try daemon.ironpost(arguments)
            #expect(output.status == status, "\(arguments): \(output.err)")
            shown.append(("\(arguments)", output.out))
            shown.append(("\(arguments), errors", output.err))
        }
        try show(["containers", "list"])
        // No name begins a line of its own.
        #expect(shown[0].text.split(separator: "\n").count == 4, "\(shown[0].text)")
        try show(["status", "-v"])
        let status = shown.last { $0.place.contains("status") && !$0.text.isEmpty }?.text ?? ""
        #expect(status.contains("the container engine's answer is longer than"), "\(status)")
        try show(["isolate", body.id, "--action", "freeze", "--ttl", "10m"])
        #expect(body.isFrozen)
        try show(["actions", "list"])
        try show(["actions", "show", try daemon.actions().first?.id ?? ""])
        try show(["containers", "list", "-o", "json"])
        try show(["isolate", large], status: 1)
        try show(["isolate", "a\u{1b}[2J"], status: 1)
        // Evidence: names that we chose, and nothing beside them.
        let evidence = daemon.directory + "/data/evidence"
        #expect(eventually { (try? bundle(evidence))?.contains("manifest.json") == true })
        let allowed = [
            "inspect.json", "processes.json", "changes.json", "log.txt", "connections.txt", "alert.json",
            "manifest.json",
        ]
        #expect(try Set(bundle(evidence)).isSubset(of: allowed))
        try show(["release", body.id])
        #expect(!body.isFrozen)
        shown.append(("the log", daemon.log))
        shown.append(("the metrics", try metrics(daemon.socket)))
        // What programs read keeps every character that JSON may hold.
        let (read, seen) = (shown.filter { $0.place.contains("json") }, shown.filter { !$0.place.contains("json") })
        for (place, text) in read where !text.isEmpty {
            #expect(throws: Never.self, "\(place)") { try JSONSerialization.jsonObject(with: Data(text.utf8)) }
            #expect(text.utf8.allSatisfy { $0 >= 32 || $0 == 10 }, "\(place)")
        }
        for (place, text) in seen {
            #expect(Self.harm(text).isEmpty, "\(place): \(Self.harm(text)) \(text.debugDescription.prefix(600))")
        }
        for line in daemon.log.split(separator: "\n") {
            #expect(throws: Never.self) { try JSONSerialization.jsonObject(with: Data(line.utf8)) }
        }
    }

    private func bundle(_ evidence: String) throws -> [String] {
        let files = FileManager.default
        return try files.contentsOfDirectory(atPath: evidence).flatMap { name in
            #expect(UUIDv7(name) != nil, "\(name)")
            return try files.contentsOfDirectory(atPath: "\(evidence)/\(name)")
        }
    }

    private func metrics(_ socket: String) throws -> String {
        let deadline = ContinuousClock.now + .seconds(20)
        var answer = try HTTPExchange.open(path: socket, method: "GET", target: "/metrics", deadline: deadline)
        return String(decoding: try answer.wholeBody(bytesMax: 8 << 20, deadline: deadline), as: UTF8.self)
    }
}
