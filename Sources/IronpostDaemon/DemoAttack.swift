import Glibc
import IronpostCore
import Synchronization

/// Writes what attacks look like into log files of the demonstration's own, below the data directory, which the file
/// source follows like any other: a brute force on sshd, a forbidden sudo, and an SQL injection.
final class DemoAttack: Demonstration {
    /// Rules of the shipped pack that these lines have to set off.
    static let expectedRules = [
        "cb349d2d-a924-485d-87e7-bf3460bed277",  // SSH Brute Force
        "2f6233e6-d398-4092-9c38-3ae5bc6d7a2d",  // sudo by someone who may not
        "99960361-68ed-4a5c-aa54-eb95a23a2943",  // SQL Injection
    ]

    private let directory: String
    private let time: any TimeSource
    private let runs = Mutex(0)

    init(directory: String, time: any TimeSource) {
        self.directory = directory
        self.time = time
        // Watched from the start of the sources on, so that a demonstration's lines are seen at once; what is against it
        // the demonstration says itself.
        _ = unsafe mkdir(directory, 0o700)
    }

    func start() throws -> DemoRun {
        let now = time.now()
        let run = runs.withLock { runs in
            runs += 1
            return runs
        }
        // 203.0.113.0/24 and 198.51.100.0/24 are for documentation (RFC 5737): nobody's.
        let address = "203.0.113.\(Int.random(in: 1...254))"
        try makeDirectory()
        removeOldFiles()
        let file = "\(directory)/attack-\(getpid())-\(run).log"
        try write(lines(from: address, at: now), to: file)
        return DemoRun(started: now, expectedRules: Self.expectedRules, sourceIP: address, file: file)
    }

    private func lines(from address: String, at now: Timestamp) -> [String] {
        let stamp = now.rfc3339
        let auth = (0..<6).map { attempt in
            "\(stamp) demo sshd[4242]: Failed password for root from \(address) port \(40_000 + attempt) ssh2"
        }
        let sudo =
            "\(stamp) demo sudo: mallory : user NOT in sudoers ; TTY=pts/0 ; PWD=/tmp ; USER=root ; "
            + "COMMAND=/bin/bash"
        let web =
            "\(address) - - [\(Self.clfTime(stamp))] "
            + "\"GET /products?id=1%20UNION%20SELECT%20user,password%20FROM%20users--%20 HTTP/1.1\" 200 512 \"-\" \"Mozilla/5.0\""
        return auth + [sudo, web]
    }

    /// `2026-11-23T01:22:37.000Z` as `23/Nov/2026:01:22:37 +0000`.
    private static func clfTime(_ stamp: String) -> String {
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        let parts = stamp.split(whereSeparator: { "-T.".contains($0) })
        guard parts.count >= 4, let month = Int(parts[1]), (1...12).contains(month) else { return stamp }
        return "\(parts[2])/\(months[month - 1])/\(parts[0]):\(parts[3]) +0000"
    }

    private func makeDirectory() throws {
        guard unsafe mkdir(directory, 0o700) == 0 || errno == EEXIST else {
            throw DemoFault(path: directory, code: errno)
        }
    }

    private func removeOldFiles() {
        guard let listing = unsafe opendir(directory) else { return }
        defer { unsafe closedir(listing) }
        while let entry = unsafe readdir(listing) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
            }
            if name.hasPrefix("attack-"), name.hasSuffix(".log") { unsafe unlink("\(directory)/\(name)") }
        }
    }

    private func write(_ lines: [String], to file: String) throws {
        let descriptor = unsafe open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw DemoFault(path: file, code: errno) }
        defer { close(descriptor) }
        let bytes = Array(lines.map { $0 + "\n" }.joined().utf8)
        guard unsafe Glibc.write(descriptor, bytes, bytes.count) == bytes.count else {
            throw DemoFault(path: file, code: errno)
        }
    }
}

struct DemoFault: Error, CustomStringConvertible {
    let path: String
    let code: Int32

    var description: String { "cannot write \(path): \(unsafe String(cString: strerror(code)))" }
}
