import CPacket
import EBPFEngine
import Foundation
import PacketDetection
import Testing

/// The parser inside the kernel and the one outside are one text; here they are held against each other all the same,
/// because two compilers and a verifier stand between them.
@Suite(.enabled(if: Kernel.isThere, "kernel programs cannot be loaded here"), .serialized)
struct OracleTests {
    static let isDeep = ProcessInfo.processInfo.environment["IRONPOST_DEEP"] == "1"

    /// What both made of a frame, as bytes.
    private static func differ(_ program: KernelProgram, _ frame: [UInt8]) throws -> Bool {
        // The kernel does not run a program on less than an Ethernet header.
        guard frame.count >= 14 else { return false }
        _ = try program.run("parsed", on: frame)
        var inside = try program.parsed()
        var outside = unsafe frame.withUnsafeBufferPointer { unsafe ip_parse($0.baseAddress, $0.count, 1) }
        return unsafe withUnsafeBytes(of: &inside) { one in
            unsafe withUnsafeBytes(of: &outside) { two in unsafe !one.elementsEqual(two) }
        }
    }

    private static let seeds: [[UInt8]] = [
        Frame.tcp(), Frame.tcp(flags: 2, vlans: 4), Frame.tcp(vlans: 5), Frame.udp(), Frame.tcp6(from: 7, flags: 2),
        Frame.tcp(fragment: 0x2000), Frame.tcp(fragment: 0x2001),
        // IPv6 with hop-by-hop, routing, fragment and destination options before TCP.
        Array(Frame.tcp6(from: 9).prefix(20)) + [0, 64] + Array(Frame.tcp6(from: 9)[22..<54])
            + [43, 0, 0, 0, 0, 0, 0, 0] + [44, 1] + [UInt8](repeating: 0, count: 14) + [60, 0, 0, 1, 0, 0, 0, 9]
            + [6, 0, 1, 4, 0, 0, 0, 0] + Array(Frame.tcp6(from: 9)[54...]),
    ]

    @Test("kernel and userspace agree on every packet of the corpus")
    func corpus() throws {
        let program = try Kernel.load()
        var count = 0
        for frame in try Corpus.frames() {
            count += 1
            if try Self.differ(program, frame) { Issue.record("they differ on \(frame)") }
        }
        print("packets of the corpus compared: \(count)")
    }

    @Test("kernel and userspace agree on mutated packets")
    func mutations() throws {
        let program = try Kernel.load()
        let frames = Self.seeds + (try Corpus.frames()).prefix(4000)
        var random = SplitMix(state: 0x1234_5678)
        let rounds = Self.isDeep ? 1_000_000 : 100_000
        var differences = 0
        for _ in 0..<rounds {
            var frame = frames[Int(random.next() % UInt64(frames.count))]
            switch random.next() % 4 {
            case 0:
                frame = Array(frame.prefix(14 + Int(random.next() % UInt64(max(1, frame.count - 13)))))
            default:
                // Most of what decides stands in the first bytes.
                for _ in 0..<(1 + random.next() % 4) {
                    let range = random.next() % 3 == 0 ? frame.count : min(frame.count, 80)
                    frame[Int(random.next() % UInt64(range))] = UInt8(truncatingIfNeeded: random.next())
                }
            }
            if try Self.differ(program, frame) {
                differences += 1
                if differences < 4 { Issue.record("they differ on \(frame)") }
            }
        }
        #expect(differences == 0)
    }

    /// What the verifier followed when the program was last looked at, and how much more is too much.
    static let recorded: [String: Int] = ["packets": 107_000, "packets_tc": 104_000, "handshakes": 430]

    static let recordedOn = "6.18."

    private static var release: String {
        (try? String(contentsOfFile: "/proc/sys/kernel/osrelease", encoding: .utf8)) ?? ""
    }

    @Test("the programs stay within the cost that is on record", arguments: ["packets", "packets_tc", "handshakes"])
    func cost(_ name: String) throws {
        let program = try Kernel.load()
        let instructions = program.verifiedInstructions(of: name)
        print("\(name): \(instructions) instructions verified")
        // Another kernel's verifier counts otherwise; there it only has to be well below what any kernel takes.
        var limit = 900_000
        if Self.release.hasPrefix(Self.recordedOn) { limit = try #require(Self.recorded[name]) }
        // Zero: a kernel that does not tell.
        #expect(instructions <= limit)
    }
}

struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return value ^ value >> 31
    }
}

/// Captures that other projects test with, outside of this repository.
enum Corpus {
    /// Ethernet frames that the kernel can be given; empty, after a word about it, where there is no corpus.
    static func frames() throws -> [[UInt8]] { try cached.get() }

    private static let cached: Result<[[UInt8]], any Error> = Result { try read() }

    private static func read() throws -> [[UInt8]] {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let folder = root.deletingLastPathComponent().appendingPathComponent("shared/corpus/pcap")
        let archives = (try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)) ?? []
        guard !archives.isEmpty else {
            print("skipped: there is no corpus of captures beside the repository")
            return []
        }
        let scratch = FileManager.default.temporaryDirectory.appendingPathComponent("ironpost-oracle-\(getpid())")
        try FileManager.default.createDirectory(at: scratch, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: scratch) }
        for archive in archives where archive.lastPathComponent.hasSuffix(".tar.xz") {
            let tar = Process()
            tar.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            tar.arguments = ["tar", "-xJf", archive.path, "-C", scratch.path]
            try tar.run()
            tar.waitUntilExit()
            try #require(tar.terminationStatus == 0)
        }
        var frames: [[UInt8]] = []
        let all = FileManager.default.enumerator(at: scratch, includingPropertiesForKeys: nil)
        while let file = all?.nextObject() as? URL {
            guard ["pcap", "pcapng", "trace"].contains(file.pathExtension) else { continue }
            var reader = CaptureReader()
            let bytes = Array(try Data(contentsOf: file))
            do {
                try reader.push(bytes.span) { packet, content in
                    guard packet.linkType == 1, content.count >= 14, content.count <= 3000 else { return }
                    frames.append(content.indices.map { content[$0] })
                }
            } catch let fault as CaptureReader.Fault {
                print("\(file.lastPathComponent): \(fault)")
            }
        }
        return frames
    }
}
