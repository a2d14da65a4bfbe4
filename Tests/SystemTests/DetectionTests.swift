import Foundation
import Testing

/// The main job on the built programs: a log line becomes a stored, explained alert.
@Suite(.serialized)
struct DetectionTests {
    static func sshFailure(_ number: Int, from address: String = "203.0.113.7", user: String = "root") -> String {
        "2026-11-23T01:22:\(String(format: "%02d", number % 60)).000000+00:00 web1 sshd[4321]: "
            + "Failed password for \(user) from \(address) port \(50_000 + number) ssh2"
    }

    @Test("five failed logins make one alert that a tired operator understands")
    func fiveFailedLogins() throws {
        let folder = try TemporaryDirectory()
        let log = try LogFile(folder.path + "/auth.log")
        log.append("2026-11-23T01:00:00.000000+00:00 web1 sshd[1]: Server listening on 0.0.0.0 port 22.")
        let daemon = DaemonProcess(
            data: folder.path + "/data", settings: ["log_pipeline.file.include=\(log.path)"]
        )
        try daemon.start()
        for number in 1...5 { log.append(Self.sshFailure(number)) }
        try eventually("an alert is stored") { try daemon.count("select count(*) from alerts") >= 1 }

        let list = try daemon.ironpost("alerts", "-o", "json")
        #expect(list.status == 0, "\(list.err)")
        let object = try #require(try JSONSerialization.jsonObject(with: Data(list.out.utf8)) as? [String: Any])
        let alerts = try #require(object["alerts"] as? [[String: Any]])
        #expect(alerts.count == 1)
        let alert = try #require(alerts.first)
        #expect(alert["src_ip"] as? String == "203.0.113.7")
        #expect(alert["count"] as? Int == 5)
        #expect((alert["first_seen"] as? String)?.hasPrefix("2026-11-23T01:22:01") == true)
        #expect((alert["last_seen"] as? String)?.hasPrefix("2026-11-23T01:22:05") == true)
        let evidence = try #require(alert["evidence"] as? [String: Any])
        #expect(evidence["file"] as? String == log.path)
        #expect(evidence["line"] as? Int == 6)
        #expect(evidence["raw"] as? String == Self.sshFailure(5))
        // The offset points at the very line.
        let offset = try #require(evidence["offset"] as? Int)
        let bytes = try Data(contentsOf: URL(fileURLWithPath: log.path))
        #expect(bytes[offset...].starts(with: Data(Self.sshFailure(5).utf8)))
        #expect((alert["trace_id"] as? String)?.count == 32)

        let id = try #require(alert["id"] as? String)
        let show = try daemon.ironpost("alerts", "show", id)
        #expect(show.status == 0, "\(show.err)")
        for word in ["203.0.113.7", "5", "01:22:01", log.path, "\(offset)", "web1", "line 6"] {
            #expect(show.out.contains(word), "the explanation does not say \(word):\n\(show.out)")
        }
        let rule = try #require(alert["rule"] as? [String: Any])
        #expect(show.out.contains(rule["id"] as? String ?? "?"))

        // More of the same is counted, not told again.
        for number in 6...9 { log.append(Self.sshFailure(number)) }
        try eventually("the count grows") { try daemon.count("select sum(count) from alerts") == 9 }
        #expect(try daemon.count("select count(*) from alerts") == 1)
        // Another attacker is another alert.
        for number in 1...5 { log.append(Self.sshFailure(number, from: "198.51.100.9")) }
        try eventually("a second alert") { try daemon.count("select count(*) from alerts") == 2 }
        #expect(daemon.end() == 0)
    }

    @Test("what an attacker writes into a user name is never taken for an address")
    func forgedUser() throws {
        let folder = try TemporaryDirectory()
        let log = try LogFile(folder.path + "/auth.log")
        let daemon = DaemonProcess(data: folder.path + "/data", settings: ["log_pipeline.file.include=\(log.path)"])
        try daemon.start()
        for number in 1...5 {
            log.append(Self.sshFailure(number, user: "invalid user root from 1.2.3.4 port 22 ssh2"))
        }
        try eventually("an alert is stored") { try daemon.count("select count(*) from alerts") >= 1 }
        #expect(try daemon.sql("select distinct src_ip from alerts") == "203.0.113.7")
        #expect(daemon.end() == 0)
    }

    @Test("the demonstration's alerts come, and do not come when its rule is switched off")
    func demo() throws {
        let folder = try TemporaryDirectory()
        let daemon = DaemonProcess(data: folder.path + "/data", settings: ["log_pipeline.file.include=/nowhere/*.log"])
        try daemon.start()
        let first = try daemon.ironpost("demo")
        #expect(first.status == 0, "\(first.out)\(first.err)")
        #expect(first.out.contains("203.0.113."))
        #expect(
            try daemon.count("select count(*) from alerts where json_extract(record,'$.labels.demo') = 'true'") >= 3)
        #expect(try daemon.count("select count(*) from alerts where json_extract(record,'$.labels.demo') is null") == 0)
        let again = try daemon.ironpost("demo")
        #expect(again.status == 0, "a second demonstration: \(again.out)\(again.err)")
        #expect(daemon.end() == 0)

        // The same rules without the brute force.
        let rules = folder.path + "/rules"
        try FileManager.default.copyItem(atPath: Programs.root + "/rules", toPath: rules)
        let files = FileManager.default.enumerator(atPath: rules)
        while let file = files?.nextObject() as? String {
            guard file.contains("brute_force") else { continue }
            try FileManager.default.removeItem(atPath: rules + "/" + file)
        }
        let without = DaemonProcess(
            data: folder.path + "/data2",
            settings: ["log_pipeline.file.include=/nowhere/*.log", "detection.rules=\(rules)"]
        )
        try without.start()
        let missing = try without.ironpost("demo")
        #expect(missing.status == 1, "\(missing.out)\(missing.err)")
        #expect(missing.err.contains("not in force: cb349d2d-a924-485d-87e7-bf3460bed277"), "\(missing.err)")
        // The others are waited for and shown.
        #expect(!missing.err.contains("no alert came"), "\(missing.err)")
        #expect(
            try without.count("select count(*) from alerts where json_extract(record,'$.labels.demo') = 'true'") == 2)
        #expect(without.end() == 0)
    }
}
