import Foundation
import Testing

/// Real attacks on a real sshd, each end in a network namespace of its own.
struct BlockingTests {
    /// Runs a script under scripts/proofs; nil where a machine lacks what it needs.
    static func run(_ script: String, _ arguments: [String], needs: [String]) throws -> Programs.Output? {
        guard geteuid() == 0 else {
            print("passed over: needs root")
            return nil
        }
        for program in needs where Programs.find(program) == nil {
            print("passed over: \(program) is not installed")
            return nil
        }
        let space = "ipprobe\(getpid())-\(UInt16.random(in: .min ... .max))"
        guard let ip = Programs.find("ip"), try Programs.run(ip, ["netns", "add", space]).status == 0 else {
            print("passed over: network namespaces cannot be made")
            return nil
        }
        _ = try Programs.run(ip, ["netns", "del", space])
        return try Programs.run(Programs.root + "/scripts/proofs/" + script, arguments)
    }

    /// `NAME=VALUE` lines.
    static func values(_ text: String) -> [String: String] {
        var values: [String: String] = [:]
        for line in text.split(separator: "\n") {
            let halves = line.split(separator: "=", maxSplits: 1)
            if halves.count == 2 { values[String(halves[0])] = String(halves[1]) }
        }
        return values
    }

    @Test func anAttackerIsBlockedAndNobodyElse() throws {
        let folder = try TemporaryDirectory()
        unsafe chmod(folder.path, 0o755)
        let output = try Self.run(
            "ssh-attack", [folder.path, Programs.directory, Programs.root + "/rules", "10"],
            needs: [
                "ip", "nft", "sshd", "ssh", "sshpass", "ssh-keygen", "unshare", "nsenter", "setpriv", "logger",
                "python3",
            ]
        )
        guard let output else { return }
        let found = Self.values(output.out)
        #expect(found["fault"] == nil, "\(output.out)\n\(output.err)")
        for name in [
            "a_blocked", "session_guarded", "session_goes_on", "b_connects", "blocked_without_daemon",
            "blocked_after_restart", "recorded", "a_connects_again", "blocked_by_hand", "undone", "repaired", "flushed",
            "stays_flushed", "audit",
        ] {
            #expect(found[name] == "1", "\(name): \(found)")
        }
        #expect(found["a_connects"] == nil && found["blocks_of_others"] == "0", "\(found)")
        #expect(found["forged_withheld"] == "2", "\(found)")
        let late = try #require(Int(found["ended_after_expiry_ms"] ?? ""), "\(found)")
        print("the block ended \(late) ms after it was said")
        #expect(abs(late) <= 1000)
    }
}
