import Foundation
import Testing

/// The structure that ARCHITECTURE.md draws, held against the sources.
struct StructureTests {
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// Who may import whom, of our own targets. An engine that needs another one talks to it through Core's ports.
    static let allowed: [String: Set<String>] = [
        "IronpostCore": ["CLinux", "CTOML"],
        "Sigma": [],
        "LogPipeline": ["IronpostCore", "Sigma", "CLinux", "CSystemd", "CZlib"],
        "PacketDetection": ["IronpostCore", "CPacket"],
        "SBOMScanner": ["IronpostCore", "CLinux", "CZlib", "CZstd"],
        "EBPFEngine": ["IronpostCore", "PacketDetection", "CPacket", "CKernelObject"],
        "ContainerEngine": ["IronpostCore", "CLinux"],
        "EventStore": ["IronpostCore"],
        "AlertHub": ["IronpostCore"],
        "Response": ["IronpostCore", "ContainerEngine"],
        "ControlAPI": ["IronpostCore", "CConsole", "CLinux"],
        "IronpostDaemon": [
            "IronpostCore", "LogPipeline", "EBPFEngine", "EventStore", "AlertHub", "ContainerEngine", "ControlAPI",
            "Response", "SBOMScanner", "CLinux",
            "CSystemd",
        ],
        "Responder": ["IronpostCore", "ContainerEngine", "Nftables", "EBPFEngine", "PacketDetection", "CLinux"],
        "Nftables": ["IronpostCore", "CNftables"],
        "ironpost-daemon": ["IronpostDaemon", "IronpostCore"],
        "ironpost-responder": ["Responder", "IronpostCore"],
        "ironpost": [
            "IronpostCore", "Sigma", "LogPipeline", "PacketDetection", "CPacket", "SBOMScanner", "EventStore",
            "Nftables", "Response", "EBPFEngine", "CLinux", "CZlib",
        ],
    ]

    static func sources() throws -> [(target: String, path: String, text: String)] {
        let directory = root.appendingPathComponent("Sources")
        let files = FileManager.default.enumerator(at: directory, includingPropertiesForKeys: nil)
        var found: [(String, String, String)] = []
        while let file = files?.nextObject() as? URL {
            guard file.pathExtension == "swift" else { continue }
            let path = String(file.path.dropFirst(directory.path.count + 1))
            let target = String(path.prefix { $0 != "/" })
            found.append((target, path, try String(contentsOf: file, encoding: .utf8)))
        }
        return found
    }

    @Test("every target of ours has a line in the table, and every line a target")
    func tableIsComplete() throws {
        let targets = Set(try Self.sources().map(\.target))
        #expect(targets == Set(Self.allowed.keys))
    }

    @Test("targets import only what the architecture lets them")
    func imports() throws {
        let ours = Set(Self.allowed.keys).union([
            "CLinux", "CTOML", "CSystemd", "CZlib", "CZstd", "CConsole", "CPacket", "CNftables", "CKernelObject",
        ])
        for source in try Self.sources() {
            for line in source.text.split(separator: "\n") {
                let words = line.split(separator: " ")
                guard let at = words.firstIndex(of: "import"), at <= 1, at + 1 < words.count else { continue }
                let module = String(words[at + 1].prefix { $0 != "." })
                guard ours.contains(module) else { continue }
                #expect(
                    Self.allowed[source.target]?.contains(module) == true,
                    "\(source.path) imports \(module)"
                )
            }
        }
    }

    @Test("nothing in Sources traps on input", arguments: ["try!", "fatalError(", "as! ", "preconditionFailure("])
    func noTraps(_ word: String) throws {
        for source in try Self.sources() {
            for (number, line) in source.text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
                let code = line.components(separatedBy: "//")[0]
                #expect(!code.contains(word), "\(source.path):\(number + 1) \(line)")
            }
        }
    }

    @Test("no error is swallowed without a word")
    func noEmptyCatch() throws {
        let pattern = try NSRegularExpression(pattern: #"catch\s*\{\s*\}"#)
        for source in try Self.sources() {
            let range = NSRange(source.text.startIndex..., in: source.text)
            #expect(pattern.firstMatch(in: source.text, range: range) == nil, "\(source.path)")
        }
    }

    @Test("no file outgrows one reason to change")
    func fileLengths() throws {
        for source in try Self.sources() {
            let lines = source.text.count { $0 == "\n" }
            #expect(lines <= 500, "\(source.path) has \(lines) lines")
        }
    }

    @Test("the library Sigma can be used without the rest: it imports nothing of ours")
    func sigmaStandsAlone() throws {
        let sources = try Self.sources().filter { $0.target == "Sigma" }
        #expect(sources.count > 10)
        let others = Set(Self.allowed.keys).subtracting(["Sigma"])
        for source in sources {
            for line in source.text.split(separator: "\n") where line.contains("import ") {
                let words = line.split(separator: " ")
                #expect(
                    !words.contains { others.contains(String($0)) || $0.hasPrefix("CLinux") }, "\(source.path): \(line)"
                )
            }
        }
    }
}
