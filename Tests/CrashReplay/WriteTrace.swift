import Foundation

/// What a process did to the files of a directory, in order.
package struct WriteTrace {
    package enum Step {
        case create(String), write(String, offset: Int, [UInt8]), sync(String), truncate(String, Int), unlink(String)
        case rename(String, String)
        /// Written to anything else: a terminal, a socket.
        case say([UInt8])
    }

    /// The system calls that it takes.
    package static let systemCalls =
        "openat,write,writev,sendto,sendmsg,pwrite64,fsync,fdatasync,ftruncate,unlink,unlinkat,rename,renameat,renameat2"

    package private(set) var steps: [Step] = []

    /// - Parameters:
    ///   - file: what `strace -f -y -xx -s 1000000` wrote of `systemCalls`.
    ///   - directory: whose files are followed, those in directories below it too.
    package init(file: String, directory: String) throws {
        var ends: [String: Int] = [:]
        for line in Self.whole(try String(contentsOfFile: file, encoding: .utf8)) {
            // 4711 pwrite64(5<\x2f\x74…>, "\x00…", 4096, 32) = 4096
            guard let open = line.firstIndex(of: "("), let equals = line.range(of: " = ", options: .backwards),
                let close = line[..<equals.lowerBound].lastIndex(of: ")")
            else { continue }
            let call = line[..<open].split(separator: " ").last.map(String.init) ?? ""
            let inside = line[line.index(after: open)..<close]
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
            let strings = stride(from: 1, to: texts.count, by: 2).map { texts[$0] }
            switch call {
            case "openat":
                guard inside.contains("O_CREAT"), texts.count > 1, let name = Self.name(texts[1], directory) else {
                    continue
                }
                steps.append(.create(name))
                if inside.contains("O_TRUNC") {
                    steps.append(.truncate(name, 0))
                    ends[name] = 0
                }
            case "pwrite64":
                guard let path, texts.count > 1, let offset = numbers.last ?? nil else { continue }
                steps.append(.write(path, offset: offset, Array(Self.bytes(texts[1]).prefix(result))))
            case "fsync", "fdatasync":
                if let path { steps.append(.sync(path)) }
            case "ftruncate":
                if let path, let size = numbers.last ?? nil { steps.append(.truncate(path, size)) }
            case "unlink", "unlinkat":
                guard texts.count > 1, let name = Self.name(texts[1], directory) else { continue }
                steps.append(.unlink(name))
                ends[name] = nil
            case "rename", "renameat", "renameat2":
                guard strings.count > 1, let from = Self.name(strings[0], directory),
                    let to = Self.name(strings[1], directory)
                else { continue }
                steps.append(.rename(from, to))
                ends[to] = ends.removeValue(forKey: from)
            case "write", "writev", "sendto", "sendmsg":
                let bytes = Array(strings.flatMap { Self.bytes($0) }.prefix(result))
                if let path {
                    // One after the other: nobody seeks in the files that are not written at offsets.
                    steps.append(.write(path, offset: ends[path, default: 0], bytes))
                    ends[path, default: 0] += bytes.count
                } else {
                    steps.append(.say(bytes))
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

    /// The files after the first `point` steps, the last of them torn.
    /// - Parameter isLossy: what was not forced to the disk since is lost, kept, or torn, each write for itself. That files
    ///   are made, renamed and removed is not lost: file systems with a journal keep that in order.
    package func files(at point: Int, isLossy: Bool, using random: inout Numbers) -> [String: [UInt8]] {
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
            case .rename(let from, let to): files[to] = files.removeValue(forKey: from)
            case .sync, .say: continue
            }
        }
        return files
    }

    private func isSynced(_ name: String, after index: Int, before point: Int) -> Bool {
        steps[index..<point].contains { if case .sync(let synced) = $0 { synced == name } else { false } }
    }

    /// The name of a file below the directory; `nil` for others.
    private static func name(_ text: some StringProtocol, _ directory: String) -> String? {
        // What the program said, or what the kernel made of it.
        let path = (text.contains("\\x") ? String(decoding: bytes(text), as: UTF8.self) : String(text))
            .replacingOccurrences(of: "//", with: "/")
        let prefix = directory.replacingOccurrences(of: "//", with: "/") + "/"
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
package struct Numbers: RandomNumberGenerator {
    package var state: UInt64

    package init(state: UInt64) {
        self.state = state
    }

    package mutating func next() -> UInt64 {
        state ^= state >> 12
        state ^= state << 25
        state ^= state >> 27
        return state &* 0x2545_F491_4F6C_DD1D
    }
}
