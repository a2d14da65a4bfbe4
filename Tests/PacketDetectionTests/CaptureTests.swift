import CPacket
import Foundation
import PacketDetection
import Testing

struct CaptureTests {
    static func little(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }

    static func word(_ value: UInt32, _ isSwapped: Bool) -> [UInt8] {
        isSwapped ? little(value.byteSwapped) : little(value)
    }

    static let frame = Frames.ethernet(0x0800, Frames.ipv4(6, Frames.tcp(2)))

    static func pcap(isSwapped: Bool, isNanoseconds: Bool, fraction: UInt32 = 5, count: Int = 2) -> [UInt8] {
        func w(_ value: UInt32) -> [UInt8] { word(value, isSwapped) }
        var bytes = w(isNanoseconds ? 0xA1B2_3C4D : 0xA1B2_C3D4)
        bytes += isSwapped ? [0, 2, 0, 4] : [2, 0, 4, 0]
        bytes += w(0) + w(0) + w(65535) + w(1)
        for _ in 0..<count {
            bytes += w(1_700_000_000) + w(fraction) + w(UInt32(frame.count)) + w(UInt32(frame.count)) + frame
        }
        return bytes
    }

    static func pcapng(isSwapped: Bool, resolution: UInt8) -> [UInt8] {
        func w(_ value: UInt32) -> [UInt8] { word(value, isSwapped) }
        func half(_ value: UInt16) -> [UInt8] {
            isSwapped ? [UInt8(value >> 8), UInt8(value & 0xFF)] : [UInt8(value & 0xFF), UInt8(value >> 8)]
        }
        func block(_ type: UInt32, _ body: [UInt8]) -> [UInt8] {
            let padded = body + [UInt8](repeating: 0, count: (4 - body.count % 4) % 4)
            let length = UInt32(12 + padded.count)
            return w(type) + w(length) + padded + w(length)
        }
        var bytes = block(0x0A0D_0D0A, w(0x1A2B_3C4D) + half(1) + half(0) + w(.max) + w(.max))
        bytes += block(1, half(1) + half(0) + w(0) + half(9) + half(1) + [resolution, 0, 0, 0] + half(0) + half(0))
        let units: UInt64 = 1_700_000_000 * (resolution == 9 ? 1_000_000_000 : 1_000_000) + 5
        let size = w(UInt32(frame.count)) + w(UInt32(frame.count))
        bytes += block(6, w(0) + w(UInt32(units >> 32)) + w(UInt32(truncatingIfNeeded: units)) + size + frame)
        bytes += block(99, [1, 2, 3, 4])
        return bytes + block(3, w(UInt32(frame.count)) + frame)
    }

    static func read(_ bytes: [UInt8], pieces: Int = .max) throws -> [(CaptureReader.Packet, [UInt8])] {
        var reader = CaptureReader()
        var packets: [(CaptureReader.Packet, [UInt8])] = []
        var start = 0
        while start < bytes.count {
            let end = min(bytes.count, pieces == .max ? bytes.count : start + pieces)
            try reader.push(bytes.span.extracting(start..<end)) { packet, content in
                packets.append((packet, content.indices.map { content[$0] }))
            }
            start = end
        }
        try reader.finish()
        return packets
    }

    @Test("pcap in both byte orders and both resolutions, in pieces of any size", arguments: [1, 7, 64, Int.max])
    func pcapForms(_ pieces: Int) throws {
        for isSwapped in [false, true] {
            for isNanoseconds in [false, true] {
                let packets = try Self.read(
                    Self.pcap(isSwapped: isSwapped, isNanoseconds: isNanoseconds), pieces: pieces)
                #expect(packets.count == 2)
                #expect(packets.first?.1 == Self.frame)
                let fraction: Int64 = isNanoseconds ? 5 : 5000
                #expect(packets.first?.0.time == 1_700_000_000_000_000_000 + fraction)
                #expect(packets.first?.0.linkType == 1)
            }
        }
    }

    @Test("pcapng in both byte orders, with the interface's resolution; blocks of other types are passed over")
    func pcapngForms() throws {
        for isSwapped in [false, true] {
            for resolution: UInt8 in [6, 9] {
                let packets = try Self.read(Self.pcapng(isSwapped: isSwapped, resolution: resolution), pieces: 11)
                #expect(packets.map(\.1) == [Self.frame, Self.frame])
                let fraction: Int64 = resolution == 9 ? 5 : 5000
                #expect(packets.first.map { abs($0.0.time - 1_700_000_000_000_000_000 - fraction) < 200 } == true)
            }
        }
    }

    @Test("a file that is no capture, or ends early, or lies about a length is refused in words")
    func damage() {
        let whole = Self.pcap(isSwapped: false, isNanoseconds: false)
        #expect(throws: CaptureReader.Fault.self) { try Self.read(Array("hello world, no capture".utf8)) }
        #expect(throws: CaptureReader.Fault.self) { try Self.read([1, 2]) }
        #expect(throws: CaptureReader.Fault.self) { try Self.read(Array(whole.dropLast(3))) }
        var lying = whole
        lying.replaceSubrange(32..<36, with: [255, 255, 255, 127])
        #expect(throws: CaptureReader.Fault.self) { try Self.read(lying) }
    }

    @Test("any damage to a capture is an error or another capture, never a fault")
    func mutations() {
        var state: UInt64 = 42
        for base in [
            Self.pcap(isSwapped: false, isNanoseconds: false), Self.pcapng(isSwapped: true, resolution: 9),
        ] {
            for _ in 0..<20_000 {
                var bytes = base
                for _ in 0..<3 {
                    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                    bytes[Int(state >> 33) % bytes.count] = UInt8(truncatingIfNeeded: state >> 24)
                }
                var tracker = CaptureTracker()
                var reader = CaptureReader()
                do {
                    try reader.push(bytes.span) { packet, content in _ = tracker.record(of: packet, content) }
                    try reader.finish()
                } catch {
                    #expect(error is CaptureReader.Fault)
                }
            }
        }
    }

    @Test("a capture's handshakes and answers are known; a scan in it is found")
    func tracking() throws {
        var tracker = CaptureTracker()
        func see(_ flags: Int, back: Bool = false, port: UInt16 = 80, at: Int64 = 0) -> ip_record? {
            let there: [UInt8] = [203, 0, 113, 7]
            let here: [UInt8] = [192, 0, 2, 1]
            let segment = back ? Frames.tcp(flags, from: port, to: 40000) : Frames.tcp(flags, from: 40000, to: port)
            let frame = Frames.ethernet(
                0x0800, Frames.ipv4(6, from: back ? here : there, to: back ? there : here, segment))
            let packet = CaptureReader.Packet(time: at, linkType: 1, interface: 0, length: frame.count)
            return tracker.record(of: packet, frame.span)
        }
        #expect(see(2)?.isKind(IP_RECORD_SYN) == true)
        #expect(see(18, back: true) == nil)
        #expect(see(16)?.isKind(IP_RECORD_HANDSHAKE) == true)
        #expect(see(16) == nil)
        #expect(see(18, back: true, port: 81)?.has(IP_FACT_CLOSED) == true)
    }

    @Test("a client of many time servers that answer is no scanner; one whom nobody answers is")
    func answeredDatagrams() {
        for isAnswered in [true, false] {
            var tracker = CaptureTracker()
            var detector = PacketDetector(countsUnknownDatagrams: true)
            var found: [PacketFinding] = []
            func see(_ frame: [UInt8], _ at: Int64) {
                let packet = CaptureReader.Packet(time: at, linkType: 1, interface: 0, length: frame.count)
                if let record = tracker.record(of: packet, frame.span) { detector.add(record) { found.append($0) } }
            }
            for index in 0..<30 {
                let (client, server): ([UInt8], [UInt8]) = ([192, 0, 2, 9], [198, 51, 100, UInt8(index + 1)])
                let at = 1_700_000_000_000_000_000 + Int64(index) * 100_000_000
                see(
                    Frames.ethernet(
                        0x0800, Frames.ipv4(17, from: client, to: server, Frames.udp(from: 50000, to: 123))), at)
                guard isAnswered else { continue }
                see(
                    Frames.ethernet(
                        0x0800, Frames.ipv4(17, from: server, to: client, Frames.udp(from: 123, to: 50000))),
                    at + 1_000_000)
            }
            detector.tick(at: 1_700_000_010_000_000_000) { found.append($0) }
            #expect(found.map(\.shape) == (isAnswered ? [] : [.horizontal]))
        }
    }

    @Test("every capture of the corpus is read, or refused in words")
    func corpus() throws {
        let captures = try CaptureCorpus.files()
        var (packets, understood, refused) = (0, 0, 0)
        for capture in captures {
            var tracker = CaptureTracker()
            var detector = PacketDetector(countsUnknownDatagrams: true)
            var last: UInt64 = 0
            do {
                for (packet, content) in try Self.read(capture.bytes) {
                    packets += 1
                    guard let record = tracker.record(of: packet, content.span) else { continue }
                    understood += 1
                    last = max(last, record.time)
                    detector.add(record) { Issue.record("\(capture.name): \($0)") }
                }
                // Ordinary traffic of many kinds, some of it broken: nothing of it is an attack on a network.
                detector.tick(at: last &+ 2_000_000_000) { Issue.record("\(capture.name): \($0)") }
            } catch let fault as CaptureReader.Fault {
                refused += 1
                #expect(!fault.description.isEmpty)
            }
        }
        guard !captures.isEmpty else { return }
        #expect(packets > 10_000 && understood > 1000)
        #expect(refused * 10 < captures.count)
    }
}

/// Captures that other projects test with, outside of this repository.
enum CaptureCorpus {
    struct File {
        var name: String
        var bytes: [UInt8]
    }

    /// Empty, after a word about it, where there is no corpus.
    static func files() throws -> [File] {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let folder = root.deletingLastPathComponent().appendingPathComponent("shared/corpus/pcap")
        let archives = (try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)) ?? []
        guard !archives.isEmpty else {
            print("skipped: there is no corpus of captures beside the repository")
            return []
        }
        let scratch = FileManager.default.temporaryDirectory.appendingPathComponent("ironpost-captures-\(getpid())")
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
        var files: [File] = []
        let all = FileManager.default.enumerator(at: scratch, includingPropertiesForKeys: nil)
        while let file = all?.nextObject() as? URL {
            guard ["pcap", "pcapng", "trace", "cap"].contains(file.pathExtension) else { continue }
            files.append(File(name: file.lastPathComponent, bytes: Array(try Data(contentsOf: file))))
        }
        return files.sorted { $0.name < $1.name }
    }
}
