import Foundation
import Testing

/// The files of packaging/, held against systemd's own judgement and against what the programs need.
struct PackagingTests {
    static let unit = Programs.root + "/packaging/systemd/ironpost.service"
    /// As systemd counts; 0 is nothing exposed, 10 everything.
    static let exposureMax = 3.0

    /// The unit with a program that this machine has: systemd looks whether it exists.
    static func unitHere(_ folder: TemporaryDirectory) throws -> String {
        let text = try String(contentsOfFile: unit, encoding: .utf8)
        return try folder.write(
            text.replacingOccurrences(of: "/usr/bin/ironpost-daemon", with: Programs.daemon), to: "ironpost.service")
    }

    @Test(
        "systemd finds nothing wrong with the unit, and its exposure is at most 3.0",
        .enabled(if: Programs.find("systemd-analyze") != nil, "the package systemd is not installed"))
    func exposure() throws {
        let folder = try TemporaryDirectory()
        let analyze = try #require(Programs.find("systemd-analyze"))
        let here = try Self.unitHere(folder)
        let verified = try Programs.run(analyze, ["verify", "--man=no", here])
        #expect(verified.status == 0 && !verified.err.contains("ironpost.service"), "\(verified.err)")
        let judged = try Programs.run(
            analyze, ["security", "--offline=true", "--no-pager", "--threshold=\(Int(Self.exposureMax * 10))", here])
        let line = judged.out.split(separator: "\n").first { $0.contains("Overall exposure level") } ?? ""
        let exposure = line.split(separator: ":").last?.split(separator: " ").first.flatMap { Double($0) }
        print("exposure of the unit: \(exposure.map { "\($0)" } ?? "unknown")")
        #expect(try #require(exposure) <= Self.exposureMax)
        #expect(judged.status == 0)
    }

    @Test(
        "with no other capabilities than the unit's the responder still opens what is closed to the core",
        .enabled(if: geteuid() == 0 && Programs.find("setpriv") != nil, "needs root and setpriv"))
    func capabilities() throws {
        let text = try String(contentsOfFile: Self.unit, encoding: .utf8)
        let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("CapabilityBoundingSet=") })
        let names = line.dropFirst("CapabilityBoundingSet=".count).split(separator: " ")
            .map { $0.dropFirst("CAP_".count).lowercased() }
        #expect(names.count >= 3)
        let folder = try TemporaryDirectory()
        unsafe chmod(folder.path, 0o711)
        let data = folder.path + "/data"
        let socket = folder.path + "/data/control.sock"
        let logs = folder.path + "/closed"
        try FileManager.default.createDirectory(atPath: logs, withIntermediateDirectories: true)
        unsafe chmod(logs, 0o700)
        let setpriv = Process()
        setpriv.executableURL = URL(fileURLWithPath: try #require(Programs.find("setpriv")))
        setpriv.arguments =
            [
                "--no-new-privs", "--inh-caps=-all",
                "--bounding-set=-all," + names.map { "+\($0)" }.joined(separator: ","),
                Programs.daemon, "--data-dir", data,
            ]
            + [
                "http.enabled=false", "ebpf.enabled=false", "log_pipeline.sources=file",
                "log_pipeline.file.include=\(logs)/*.log",
                "general.user=\(SandboxTests.otherUser)",
            ].flatMap { ["--set", $0] }
        // As systemd's tmpfiles make it: it belongs to the user already.
        try FileManager.default.createDirectory(atPath: data, withIntermediateDirectories: true)
        let account = unsafe try #require(unsafe getpwnam(SandboxTests.otherUser))
        unsafe chown(data, account.pointee.pw_uid, account.pointee.pw_gid)
        setpriv.standardError = FileHandle.nullDevice
        try setpriv.run()
        defer {
            kill(setpriv.processIdentifier, SIGKILL)
            setpriv.waitUntilExit()
        }
        let file = try LogFile(logs + "/a.log")
        unsafe chmod(logs + "/a.log", 0o600)
        file.append("2026-11-23T01:22:37+00:00 host sshd[1]: nothing special")
        try eventually("the closed file is followed") {
            let status = try Programs.run(Programs.ironpost, ["--socket", socket, "status", "-v"])
            return status.out.contains("file \(logs)/a.log") && status.out.contains("responder        running  healthy")
        }
    }

    @Test("the user that sysusers makes is the one that the daemon becomes, in the groups that may read logs")
    func user() throws {
        let text = try String(contentsOfFile: Programs.root + "/packaging/sysusers.d/ironpost.conf", encoding: .utf8)
        for line in ["u ironpost ", "m ironpost adm", "m ironpost systemd-journal"] { #expect(text.contains(line)) }
        let places = try String(contentsOfFile: Programs.root + "/packaging/tmpfiles.d/ironpost.conf", encoding: .utf8)
        for place in ["/run/ironpost", "/var/lib/ironpost", "/etc/ironpost"] { #expect(places.contains("d \(place) ")) }
    }
}
