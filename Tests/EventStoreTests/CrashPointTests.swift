import EventStore
import Foundation
import Testing

/// Every point at which the power can fail: the system calls of a process that commits are recorded and replayed up to
/// each, with the last one torn, and with what was not forced to the disk written in part.
@Suite(.enabled(if: RecordedCommits.strace != nil, "this test needs strace and the right to trace"))
struct CrashPointTests {
    static var isDeep: Bool { ProcessInfo.processInfo.environment["IRONPOST_DEEP"] != nil }

    @Test func everyPrefixOpensWithAllThatWasAcknowledgedAndNothingByHalf() throws {
        let directory = try TemporaryDirectory()
        let said = try RecordedCommits.run(
            database: directory.database, commits: 60,
            strace: [
                "-y", "-xx", "-s", "1000000",
                "-e", "trace=openat,write,pwrite64,fsync,fdatasync,ftruncate,unlink,rename",
            ],
            trace: directory.path + "/trace"
        )
        #expect(said.last == "end")
        let trace = try WriteTrace(
            file: directory.path + "/trace", directory: (directory.database as NSString).deletingLastPathComponent
        )
        #expect(trace.acknowledged(before: trace.steps.count).count == 60)
        var random = Numbers(state: 0x9E37_79B9_7F4A_7C15)
        let points =
            Self.isDeep
            ? Array(trace.firstPoint...trace.steps.count)
            : (0..<60).map { _ in Int.random(in: trace.firstPoint...trace.steps.count, using: &random) }
        var commits = Set<Int>()
        for point in points {
            for isLossy in [false, true] {
                let copy = try TemporaryDirectory()
                try FileManager.default.createDirectory(atPath: copy.path + "/data", withIntermediateDirectories: true)
                for (name, bytes) in trace.files(at: point, isLossy: isLossy, using: &random)
                where name != "ironpost.db-shm" {
                    try Data(bytes).write(to: URL(fileURLWithPath: copy.path + "/data/" + name))
                }
                let acknowledged = trace.acknowledged(before: point)
                let found = try StoredCommits(database: copy.database)
                #expect(found.torn.isEmpty, "point \(point), lossy \(isLossy)")
                #expect(
                    found.complete == Array(0..<found.complete.count).map { $0 + 1 }, "point \(point), lossy \(isLossy)"
                )
                #expect(found.complete.count >= acknowledged.count, "point \(point), lossy \(isLossy)")
                #expect(found.complete.count <= acknowledged.count + 1, "point \(point), lossy \(isLossy)")
                #expect(found.checkpoint == found.complete.count, "point \(point), lossy \(isLossy)")
                #expect(found.actions >= acknowledged.count { $0 % 3 == 0 }, "point \(point), lossy \(isLossy)")
                commits.insert(found.complete.count)
            }
        }
        print(
            "crash points: \(trace.steps.count) system calls, \(points.count * 2) states tried, \(commits.count) different"
        )
        #expect(commits.count > 10)
    }
}

/// What a process did to the files of a directory, in order.
struct WriteTrace {
    enum Step {
        case create(String), write(String, offset: Int, [UInt8]), sync(String), truncate(String, Int), unlink(String)
        case acknowledge(Int)
    }

    var steps: [Step] = []

    /// Before it there is no database yet.
    var firstPoint: Int {
        steps.firstIndex { if case .acknowledge = $0 { true } else { false } }.map { $0 + 1 } ?? 0
    }

    init(file: String, directory: String) throws {
        for line in Self.whole(try String(contentsOfFile: file, encoding: .utf8)) {
            // 4711 pwrite64(5<\x2f\x74…>, "\x00…", 4096, 32) = 4096
            guard let open = line.firstIndex(of: "("), let equals = line.range(of: ") = ", options: .backwards) else {
                continue
            }
            let call = line[..<open].split(separator: " ").last.map(String.init) ?? ""
            let inside = line[line.index(after: open)..<equals.lowerBound]
            let result = Int(line[equals.upperBound...].prefix { $0.isNumber || $0 == "-" }) ?? -1
            guard result >= 0 else { continue }
            let texts = inside.split(separator: "\"", omittingEmptySubsequences: false)
            let path =
                inside.firstIndex(of: "<").flatMap { start in
                    inside[start...].firstIndex(of: ">").map {
                        Self.name(inside[inside.index(after: start)..<$0], directory)
                    }
                } ?? nil
            let numbers = inside.split(separator: ",").map { Int($0.trimmingCharacters(in: .whitespaces)) }
            switch call {
            case "openat":
                guard inside.contains("O_CREAT"), texts.count > 1, let name = Self.name(texts[1], directory) else {
                    continue
                }
                steps.append(.create(name))
            case "pwrite64":
                guard let path, texts.count > 1, let offset = numbers.last ?? nil else { continue }
                steps.append(.write(path, offset: offset, Array(Self.bytes(texts[1]).prefix(result))))
            case "fsync", "fdatasync":
                if let path { steps.append(.sync(path)) }
            case "ftruncate":
                if let path, let size = numbers.last ?? nil { steps.append(.truncate(path, size)) }
            case "unlink":
                if texts.count > 1, let name = Self.name(texts[1], directory) { steps.append(.unlink(name)) }
            case "write":
                guard texts.count > 1 else { continue }
                let words = String(decoding: Self.bytes(texts[1]), as: UTF8.self).split(separator: " ")
                if words.first == "ack", words.count == 3, let number = Int(words[1]) {
                    steps.append(.acknowledge(number))
                }
            default: continue
            }
        }
    }

    /// The lines, with calls joined that another thread's call came between; at the place where they ended.
    private static func whole(_ text: String) -> [String] {
        var begun: [Substring: Substring] = [:]
        return text.split(separator: "\n").compactMap { line in
            let thread = line.prefix { $0 != " " }
            if let cut = line.range(of: " <unfinished ...>") {
                begun[thread] = line[..<cut.lowerBound]
                return nil
            }
            if let resumed = line.range(of: " resumed>"), let start = begun.removeValue(forKey: thread) {
                return String(start + line[resumed.upperBound...])
            }
            return String(line)
        }
    }

    func acknowledged(before point: Int) -> [Int] {
        steps[..<point].compactMap { if case .acknowledge(let number) = $0 { number } else { nil } }
    }

    /// The files after the first `point` steps, the last of them torn.
    /// - Parameter isLossy: what was not forced to the disk since is lost, kept, or torn, each write for itself.
    func files(at point: Int, isLossy: Bool, using random: inout Numbers) -> [String: [UInt8]] {
        var files: [String: [UInt8]] = [:]
        for (index, step) in steps[..<point].enumerated() {
            switch step {
            case .create(let name): files[name, default: []] += []
            case .unlink(let name): files[name] = nil
            case .truncate(let name, let size):
                var bytes = files[name] ?? []
                bytes = Array(bytes.prefix(size)) + [UInt8](repeating: 0, count: max(0, size - bytes.count))
                files[name] = bytes
            case .write(let name, let offset, let data):
                var kept = data.count
                if index == point - 1 { kept = Int.random(in: 0...data.count, using: &random) }
                if isLossy, !isSynced(name, after: index, before: point) {
                    kept =
                        [0, data.count, Int.random(in: 0...data.count, using: &random)].randomElement(using: &random)
                        ?? 0
                }
                guard kept > 0 else { continue }
                var bytes = files[name] ?? []
                if bytes.count < offset + kept { bytes += [UInt8](repeating: 0, count: offset + kept - bytes.count) }
                bytes.replaceSubrange(offset..<offset + kept, with: data.prefix(kept))
                files[name] = bytes
            case .sync, .acknowledge: continue
            }
        }
        return files
    }

    private func isSynced(_ name: String, after index: Int, before point: Int) -> Bool {
        steps[index..<point].contains { if case .sync(let synced) = $0 { synced == name } else { false } }
    }

    /// The name of a file below the directory; `nil` for others.
    private static func name(_ text: some StringProtocol, _ directory: String) -> String? {
        let path = text.contains("\\x") ? String(decoding: bytes(text), as: UTF8.self) : String(text)
        let prefix = directory + "/"
        return path.hasPrefix(prefix) ? String(path.dropFirst(prefix.count)) : nil
    }

    /// strace's `\x41\x42`.
    private static func bytes(_ text: some StringProtocol) -> [UInt8] {
        func digit(_ byte: UInt8) -> UInt8 { byte > 0x39 ? (byte | 0x20) &- 0x61 &+ 10 : byte &- 0x30 }
        let utf8 = Array(text.utf8)
        return stride(from: 0, to: utf8.count - 3, by: 4).map { digit(utf8[$0 + 2]) << 4 | digit(utf8[$0 + 3]) }
    }
}

/// Reproducible numbers (xorshift64*).
struct Numbers: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state ^= state >> 12
        state ^= state << 25
        state ^= state >> 27
        return state &* 0x2545_F491_4F6C_DD1D
    }
}
