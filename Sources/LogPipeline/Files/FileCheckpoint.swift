import FoundationEssentials
import IronpostCore

/// How far one file has been evaluated, and how to know the file again after a restart or a rotation.
///
/// A file is known by device, inode and a hash of its first bytes: inodes are used again at once by most file systems,
/// and a truncated file keeps its inode.
struct FileCheckpoint: Codable, Sendable, Equatable {
    var path: String
    var device: UInt64
    var inode: UInt64
    /// The first byte that was not evaluated: the start of a line, unless `isSkipping`.
    var offset: UInt64
    /// Number of the line at `offset`, from 1; absent where the file was not read from its start.
    var line: UInt64?
    /// FNV-1a of the first `prefixLength` bytes.
    var prefixHash: UInt64
    var prefixLength: Int
    /// Inside a line that was too long: everything up to the next line feed was counted already.
    var isSkipping: Bool?

    /// Bytes of a file's start that identify it, once it has that many.
    static let prefixMax = 256

    static let keyPrefix = "file:"

    var key: String { "\(Self.keyPrefix)\(device):\(inode)" }

    static func hash(_ bytes: Span<UInt8>) -> UInt64 {
        var hash: UInt64 = 14_695_981_039_346_656_037
        for index in bytes.indices { hash = (hash ^ UInt64(bytes[index])) &* 1_099_511_628_211 }
        return hash
    }

    /// Those of the stored checkpoints that are files' and can be read; a damaged one is left out, its file starts
    /// like a new one.
    static func decode(_ stored: [Checkpoint]) -> [FileCheckpoint] {
        let decoder = JSONDecoder()
        return stored.compactMap { checkpoint in
            guard checkpoint.key.hasPrefix(keyPrefix), let value = checkpoint.value else { return nil }
            return try? decoder.decode(FileCheckpoint.self, from: Data(value.utf8))
        }
    }

    func encoded() -> Checkpoint {
        // Written by hand: this is made for every batch. Only the path needs escaping.
        var text = "{\"path\":\"\(Self.escape(path))\",\"device\":\(device),\"inode\":\(inode),\"offset\":\(offset)"
        if let line { text += ",\"line\":\(line)" }
        text += ",\"prefixHash\":\(prefixHash),\"prefixLength\":\(prefixLength)"
        if isSkipping == true { text += ",\"isSkipping\":true" }
        return Checkpoint(key: key, value: text + "}")
    }

    private static func escape(_ path: String) -> String {
        guard path.unicodeScalars.contains(where: { $0 == "\"" || $0 == "\\" || $0.value < 0x20 }) else { return path }
        var text = ""
        for scalar in path.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text
    }
}
