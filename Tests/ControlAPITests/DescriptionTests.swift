import Foundation
import HTTPTypes
import Hummingbird
import IronpostCore
import Testing

@testable import ControlAPI

struct DescriptionTests {
    /// What openapi.json describes is what the router serves: paths, methods, parameters, and who needs a token.
    @Test func openAPIDescribesExactlyTheRoutes() throws {
        let bytes = Data(ConsolePage.openAPI.readableBytesView)
        let document = try #require(try JSONSerialization.jsonObject(with: bytes) as? [String: Any])
        #expect(document["openapi"] as? String == "3.1.0")
        let paths = try #require(document["paths"] as? [String: [String: [String: Any]]])
        var described: Set<String> = []
        for (path, methods) in paths {
            for (method, operation) in methods {
                let parameters = (operation["parameters"] as? [[String: Any]] ?? [])
                    .filter { $0["in"] as? String == "query" }.compactMap { $0["name"] as? String }.sorted()
                let isOpen = (operation["security"] as? [Any])?.isEmpty == true
                described.insert("\(method.uppercased()) \(path) \(parameters) open=\(isOpen)")
            }
        }
        let routes = AccessTests.routes()
        let served = Set(routes.map { "\($0.method) \($0.path) \($0.query.sorted()) open=\($0.access == .open)" })
        #expect(described == served)

        let gate = Gate(token: nil, configuredHost: "", bounds: ControlBounds())
        let router = APIResponder.router(routes, gate: gate).routes
        #expect(Set(router.map { "\($0.method)" }) == ["GET", "POST"])
        #expect(router.count == routes.count)
    }

    @Test func metricsPassPromtool() async throws {
        try await RunningServer.with { (running) async throws in
            let answer = try await RawClient.request(running.network, "/metrics")
            #expect(answer.header("Content-Type") == "text/plain; version=0.0.4; charset=utf-8")
            let text = answer.body
            for line in [
                "ironpost_ledger_accepted_total{hop=\"source:file\"} 10\n",
                "ironpost_ledger_accepted_total{hop=\"source:we\\\"ird\\\\\\n\"} 1\n",
                "ironpost_ledger_dropped_total{hop=\"parse\",cause=\"malformed\"} 2\n",
                "ironpost_daemon_build_info{version=\"1.2.3\"} 1\n",
                "ironpost_daemon_uptime_seconds 61.0\n",
                "ironpost_daemon_modules{state=\"running\"} 1\n",
                "ironpost_module_health{module=\"log-pipeline\"} 1\n",
                "ironpost_log_pipeline_logs_collected_total 11\n",
                "ironpost_log_pipeline_logs_processed_total 8\n",
                "ironpost_log_pipeline_parse_errors_total 5\n",
                "ironpost_log_pipeline_rule_matches_total 4\n",
                "ironpost_log_pipeline_alerts_sent_total 3\n",
                "ironpost_log_pipeline_logs_dropped_total 1\n",
                "process_open_fds ",
            ] {
                #expect(text.contains(line), "\(line)")
            }
            guard
                let promtool = ["/usr/bin/promtool", "/usr/local/bin/promtool"].first(
                    where: FileManager.default.isExecutableFile(atPath:)
                )
            else {
                print("promtool is not installed (apt install prometheus): its check is skipped")
                return
            }
            let file = running.directory + "/metrics"
            try Data(text.utf8).write(to: URL(fileURLWithPath: file))
            let process = Process()
            process.executableURL = URL(fileURLWithPath: promtool)
            process.arguments = ["check", "metrics"]
            process.standardInput = try FileHandle(forReadingFrom: URL(fileURLWithPath: file))
            let output = Pipe()
            process.standardError = output
            process.standardOutput = output
            try process.run()
            let complaints = output.fileHandleForReading.readDataToEndOfFile()
            process.waitUntilExit()
            #expect(process.terminationStatus == 0, "\(String(decoding: complaints, as: UTF8.self))")
        }
    }

    @Test(arguments: [
        ("1h", Int64(-3600)), ("90s", -90), ("15m", -900), ("2d", -172_800), ("1w", -604_800),
    ])
    func timesAgo(text: String, seconds: Int64) {
        let now = Timestamp(seconds: 1_700_000_000)
        #expect(TimeExpression.point(text, now: now) == Timestamp(seconds: 1_700_000_000 + seconds))
    }

    @Test(arguments: [
        "", "h", "1", "-1h", "1.5h", "1y", "h1", "99999999999h", "١h", "1h ", "9999999w", "2026-13-01T00:00:00Z",
    ])
    func noTimes(text: String) {
        #expect(TimeExpression.point(text, now: Timestamp(seconds: 1_700_000_000)) == nil)
    }
}
