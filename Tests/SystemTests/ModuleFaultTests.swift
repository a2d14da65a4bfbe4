import Foundation
import Testing

/// A module that fails, at each stage at which one can: the others go on, status names it and why, and it comes back.
@Suite(.serialized)
struct ModuleFaultTests {
    final class Rig {
        let folder: TemporaryDirectory
        let daemon: DaemonProcess
        let log: LogFile
        private var lines = 0
        private var isFirst = true

        init(_ settings: [String] = []) throws {
            folder = try TemporaryDirectory()
            log = try LogFile(folder.path + "/numbers.log")
            daemon = DaemonProcess(
                data: folder.path + "/data",
                settings: ["log_pipeline.file.include=\(folder.path)/numbers.log"] + (try Counting.settings(folder))
                    + settings,
                program: Programs.directory + "/FaultDaemon"
            )
        }

        func plan(_ fault: String) throws {
            try fault.write(toFile: folder.path + "/fault", atomically: true, encoding: .utf8)
        }

        func start() throws {
            try daemon.launch(environment: ["FAULT_MODULES": "failing", "FAULT_FILE": folder.path + "/fault"])
            try eventually("the log is followed") {
                try daemon.module("log-pipeline")["details"] != nil
                    && daemon.ironpost("status", "-v").out.contains("file \(folder.path)/numbers.log")
            }
        }

        /// A line that is written now becomes a stored alert.
        func expectDetection(sourceLocation: SourceLocation = #_sourceLocation) throws {
            log.append(NumberedLines.line(lines))
            lines += 1
            try eventually("alert \(lines) is stored", sourceLocation: sourceLocation) {
                try daemon.numbered().distinct == lines
            }
        }

        func state() throws -> (state: String, reason: String) {
            let module = try daemon.module("failing")
            return (module["state"] as? String ?? "", module["reason"] as? String ?? "")
        }

        /// Every module but the one that fails.
        func expectOthersAreWell(sourceLocation: SourceLocation = #_sourceLocation) throws {
            let modules = try daemon.status()["modules"] as? [[String: Any]] ?? []
            #expect(modules.count > 4, sourceLocation: sourceLocation)
            for module in modules where module["name"] as? String != "failing" {
                guard module["enabled"] as? Bool == true else { continue }
                #expect(module["state"] as? String == "running", "\(module)", sourceLocation: sourceLocation)
            }
        }
    }

    @Test(
        "at prepare and while it runs: failed, with the reason; the rest detects; it is back when the cause is gone",
        arguments: ["prepare", "run"])
    func failing(_ stage: String) throws {
        let rig = try Rig()
        try rig.plan(stage)
        try rig.start()
        try eventually("the failure is shown") {
            let (state, reason) = try rig.state()
            return state == "failed" && reason.contains("planned failure at \(stage)")
        }
        try rig.expectOthersAreWell()
        try rig.expectDetection()
        #expect(try rig.daemon.status()["status"] as? String == "unhealthy")
        try rig.plan("")
        try eventually("the module runs") { try rig.state().state == "running" }
        try eventually("all is well") { try rig.daemon.status()["status"] as? String == "healthy" }
        // And again, while everything runs.
        try rig.plan("run")
        try eventually("the failure is shown") { try rig.state().reason.contains("planned failure at run") }
        try rig.expectDetection()
        try rig.expectOthersAreWell()
        try rig.plan("")
        try eventually("the module runs") { try rig.state().state == "running" }
        #expect(rig.daemon.end() == 0)
        rig.daemon.expectBalance()
    }

    @Test("at a reload: nothing of it is taken, the generation stays, attacks still alert; then it is taken")
    func failingStage() throws {
        let rig = try Rig()
        try rig.plan("")
        try rig.start()
        let before = try ReloadTests.generation(rig.daemon)
        try rig.plan("stage")
        let refused = try rig.daemon.ironpost("reload")
        #expect(refused.status == 2)
        #expect((refused.err + refused.out).contains("failing: planned failure at stage"))
        #expect(try ReloadTests.generation(rig.daemon) == before)
        try rig.expectDetection()
        try rig.plan("")
        #expect(try rig.daemon.ironpost("reload").status == 0)
        #expect(try ReloadTests.generation(rig.daemon) == before + 1)
        try rig.expectDetection()
        #expect(rig.daemon.end() == 0)
    }

    @Test(
        "it hangs while it prepares or stops, or fails while it stops: the daemon goes on, and ends in time",
        arguments: ["hang-prepare", "hang-stop", "stop"])
    func hanging(_ fault: String) throws {
        let rig = try Rig(["general.shutdown_timeout=5s"])
        try rig.plan(fault)
        let launched = ContinuousClock.now
        try rig.start()
        try rig.expectOthersAreWell()
        try rig.expectDetection()
        let begin = ContinuousClock.now
        #expect(rig.daemon.end(SIGTERM, within: .seconds(30)) == 0)
        let took = ContinuousClock.now - begin
        print("\(fault): stopped within \(took)")
        #expect(took < .seconds(20))
        // A stop does not wait until those that hang in their preparation have had their ten seconds.
        if fault == "hang-prepare", begin - launched < .seconds(3) {
            #expect(took < .seconds(8))
        }
        // The others were drained although this one, which is stopped first, hung.
        rig.daemon.expectBalance()
        #expect(rig.daemon.finalStatistics()["store"]?.stored == 1)
    }

    @Test("producers stop first: the pipeline before the API, the API before the hub")
    func order() throws {
        let rig = try Rig(["general.log_level=debug"])
        try rig.plan("")
        try rig.start()
        #expect(rig.daemon.end() == 0)
        let stopped = rig.daemon.log.split(separator: "\n").filter { $0.contains("module stopped") }.compactMap {
            line -> String? in
            let object = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            return (object?["metadata"] as? [String: Any])?["module"] as? String
        }
        let started = rig.daemon.log.split(separator: "\n").filter { $0.contains("module runs") }.compactMap {
            line -> String? in
            let object = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            return (object?["metadata"] as? [String: Any])?["module"] as? String
        }
        #expect(stopped == started.reversed())
        let pipeline = try #require(stopped.firstIndex(of: "log-pipeline"))
        let control = try #require(stopped.firstIndex(of: "control"))
        let hub = try #require(stopped.firstIndex(of: "alert-hub"))
        #expect(pipeline < control && control < hub && hub == stopped.count - 1)
    }

    @Test(
        "a defect that loses something without a word, at any hop, shows as that hop's imbalance, and as no other's",
        arguments: [
            ("source", "source:file"), ("parse", "parse"), ("detect", "detect"), ("alert", "alert"), ("store", "store"),
            ("response", "response"),
        ])
    func seededLoss(_ seed: String, _ hop: String) throws {
        let folder = try TemporaryDirectory()
        let log = try LogFile(folder.path + "/numbers.log")
        let daemon = DaemonProcess(
            data: folder.path + "/data",
            settings: ["log_pipeline.file.include=\(folder.path)/numbers.log"] + (try Counting.settings(folder)))
        try daemon.launch(environment: ["FAULT_LOSE": seed])
        eventually("the daemon is ready") { daemon.isReady() }
        // Twice, so that something arrives although the first lot may be lost whole.
        for number in 0..<100 { log.append(NumberedLines.line(number)) }
        try eventually("the first lines are read") { try daemon.hop("source:file").accepted == 100 }
        poll(nil, 0, 200)
        for number in 100..<200 { log.append(NumberedLines.line(number)) }
        try eventually("all but what was lost has arrived") {
            let hop = try daemon.hop("response")
            let stored = try daemon.numbered().alerts
            return stored > 0 && hop.accepted == stored
        }
        #expect(daemon.end() == 0)
        let hops = daemon.finalStatistics()
        #expect(hops.count >= 6)
        for (name, entry) in hops {
            let imbalance = entry.accepted - entry.stored - entry.dropped
            #expect(name == hop ? imbalance > 0 : imbalance == 0, "\(name): \(entry)")
        }
        // "Stored" is what sqlite3 counts, also where the defect is.
        #expect(try daemon.numbered().alerts == hops["store"]?.stored)
        #expect(daemon.log.contains("\"imbalance\""))
    }
}
