import Foundation
import Testing

/// Files that logrotate really rotates, under a writer that does not wait for anybody.
@Suite(.serialized)
struct RotationTests {
    static let rounds = RobustnessTests.isDeep ? 60 : 8

    /// A log in a directory of its own, and logrotate's configuration for it.
    struct Rotated {
        let folder: TemporaryDirectory
        let log: LogFile
        let daemon: DaemonProcess
        let marker: String
        private let configuration: String

        init(_ directives: String) throws {
            folder = try TemporaryDirectory()
            let logs = folder.path + "/logs"
            try FileManager.default.createDirectory(atPath: logs, withIntermediateDirectories: false)
            log = try LogFile(logs + "/numbers.log")
            marker = folder.path + "/reopen"
            configuration = try folder.write(
                """
                \(logs)/numbers.log {
                    rotate 100
                    missingok
                    \(directives)
                    postrotate
                        touch \(marker)
                    endscript
                }

                """, to: "logrotate.conf"
            )
            daemon = DaemonProcess(
                data: folder.path + "/data",
                settings: ["log_pipeline.file.include=\(log.path)"] + (try Counting.settings(folder))
            )
        }

        func rotate() throws {
            let logrotate = try #require(Programs.find("logrotate"))
            let output = try Programs.run(logrotate, ["-f", "-s", folder.path + "/state", configuration])
            #expect(output.status == 0, "\(output.err)")
        }
    }

    @Test(
        "renamed by logrotate again and again while the writer goes on: every line exactly once",
        .enabled(if: Needs.hasLogrotate, "\(Needs.logrotate)"),
        arguments: ["create", "create\ncompress\ndelaycompress", "create\nolddir old\ncreateolddir 755 root root"]
    )
    func renamed(_ directives: String) throws {
        let rotated = try Rotated(directives)
        try rotated.daemon.start()
        let writer = RotatedWriter(to: rotated.log, perSecond: 3000, marker: rotated.marker)
        for _ in 0..<Self.rounds {
            let before = writer.count
            try rotated.rotate()
            eventually("the writer opened the new file, and wrote some") {
                !FileManager.default.fileExists(atPath: rotated.marker) && writer.count > before + 300
            }
        }
        let total = writer.stop()
        try eventually("every line is stored") { try rotated.daemon.numbered().distinct == total }
        let (alerts, distinct) = try rotated.daemon.numbered()
        print(
            "rotated \(Self.rounds) times (\(directives.split(separator: "\n"))): \(total) lines, \(distinct) stored, "
                + "\(alerts) alerts")
        #expect(distinct == total)
        #expect(alerts == total)
        #expect(rotated.daemon.end() == 0)
        rotated.daemon.expectBalance()
    }

    @Test(
        "copied and truncated by logrotate: every line that logrotate kept, none twice",
        .enabled(if: Needs.hasLogrotate, "\(Needs.logrotate)"),
        arguments: ["copytruncate", "copytruncate\ncompress\ndelaycompress"]
    )
    func truncated(_ directives: String) throws {
        let rotated = try Rotated(directives)
        try rotated.daemon.start()
        let writer = RotatedWriter(to: rotated.log, perSecond: 5000)
        for round in 0..<Self.rounds {
            let before = writer.count
            eventually("the writer wrote some") { writer.count > before + 300 }
            // What is written between logrotate's copy and its truncation is lost to everybody: nothing is.
            writer.pause()
            // Also with the daemon far behind: a burst right before the copy.
            if round % 2 == 1 {
                rotated.log.append(
                    bytes: Array((0..<5000).map { NumberedLines.line(1_000_000 * round + $0) + "\n" }.joined().utf8))
            }
            try rotated.rotate()
            writer.resume()
        }
        let total = writer.stop() + Self.rounds / 2 * 5000
        try eventually("every line is stored") { try rotated.daemon.numbered().distinct == total }
        let (alerts, distinct) = try rotated.daemon.numbered()
        print("copied and truncated \(Self.rounds) times: \(total) lines, \(distinct) stored, \(alerts) alerts")
        #expect(distinct == total)
        #expect(alerts == total)
        #expect(rotated.daemon.end() == 0)
        rotated.daemon.expectBalance()
    }

    @Test(
        "rotated twice while the daemon was dead: what no followed file name leads to any more is read as well",
        .enabled(if: Needs.hasLogrotate, "\(Needs.logrotate)"), arguments: ["create", "copytruncate"]
    )
    func rotatedWhileDead(_ directives: String) throws {
        let rotated = try Rotated(directives)
        try rotated.daemon.start()
        func append(_ numbers: Range<Int>) {
            for number in numbers { rotated.log.append(NumberedLines.line(number)) }
        }
        append(0..<500)
        try eventually("the first are stored") { try rotated.daemon.numbered().distinct == 500 }
        rotated.daemon.kill()
        append(500..<600)
        try rotated.rotate()
        rotated.log.reopen()
        append(600..<700)
        try rotated.rotate()
        rotated.log.reopen()
        append(700..<800)
        try rotated.daemon.start()
        append(800..<900)
        try eventually("every line is stored") { try rotated.daemon.numbered().distinct == 900 }
        #expect(try rotated.daemon.numbered().alerts <= 1400)
        #expect(rotated.daemon.end() == 0)
    }
}
