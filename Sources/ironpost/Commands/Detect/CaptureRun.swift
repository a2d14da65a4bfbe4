import CPacket
import IronpostCore
import LogPipeline
import PacketDetection

/// Reads a capture: every packet becomes an event for rules, and the built-in detectors look at all of them.
struct CaptureRun: ~Copyable {
    private var tracker = CaptureTracker()
    private var detector = PacketDetector(countsUnknownDatagrams: true)

    /// What a built-in detector found, and the packet that it is about.
    struct Detection {
        var finding: PacketFinding
        var packet: Int
    }

    /// - Parameters:
    ///   - event: called with each packet's number (from 1), time and event line.
    ///   - detection: called for each thing that the detectors found.
    mutating func read(
        _ path: String, event: (Int, Timestamp, String) throws -> Void, detection: (Detection) throws -> Void
    ) throws -> Int {
        let file = try InputFile(path)
        var reader = CaptureReader()
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        var (number, bytes, last) = (0, 0, UInt64(0))
        do {
            while true {
                let count = try file.read(into: &buffer)
                guard count > 0 else { break }
                bytes += count
                try reader.push(buffer.span.extracting(0..<count)) { packet, content in
                    number += 1
                    guard let record = tracker.record(of: packet, content) else { return }
                    last = max(last, record.time)
                    var findings: [PacketFinding] = []
                    detector.add(record) { findings.append($0) }
                    if let line = PacketEvent.line(of: record) {
                        try event(number, Timestamp(nanoseconds: packet.time), line)
                    }
                    for finding in findings where !finding.isContinuation {
                        try detection(Detection(finding: finding, packet: number))
                    }
                }
            }
            try reader.finish()
        } catch let fault as CaptureReader.Fault {
            throw CommandFailure(.inputOutput, "cannot read \(path): \(fault)")
        }
        var findings: [PacketFinding] = []
        // What was waiting for a handshake that did not come.
        detector.tick(at: last &+ 2_000_000_000) { findings.append($0) }
        for finding in findings where !finding.isContinuation {
            try detection(Detection(finding: finding, packet: number))
        }
        return bytes
    }
}
