import CLinux
import Glibc
package import IronpostCore

/// What the core gives up before its first thread, because everything hostile is read by it: its user, every capability,
/// the system calls it never makes, writing outside its own directories, running anything.
///
/// The responder has been started before, and keeps what the core asks it to do.
package enum Sandbox {
    /// What is in force, for `status`; every measure that this host cannot give is named as missing.
    package struct Report: Sendable, Equatable {
        package var isOff = false
        package var measures: [Field] = []
        package var missing: [Field] = []

        package var fields: [Field] {
            measures + missing.map { Field($0.name, "missing: \($0.value)") }
        }
    }

    /// Why it cannot be: then the daemon does not start, rather than run with rights that nobody expects it to have.
    package struct Fault: Error, CustomStringConvertible {
        package let description: String
    }

    /// To be called in `main`, while the process has one thread, after everything was opened that needs its rights.
    package static func enter(_ configuration: Configuration) throws(Fault) -> Report {
        var report = Report()
        guard configuration.general.sandbox == .auto else {
            report.isOff = true
            report.measures.append(Field("sandbox", "off (general.sandbox)"))
            return report
        }
        let places = Places(configuration)
        places.make()
        // SQLite would put what does not fit into memory into a directory that is closed.
        unsafe setenv("SQLITE_TMPDIR", places.data, 1)
        try dropUser(configuration, places, &report)
        let hardened = ip_harden_process()
        guard hardened == 0 else { throw Fault(description: "cannot give up privileges: \(message(hardened))") }
        restrictFiles(places, configuration.outgoingPorts, &report)
        forbidCalls(configuration.outgoingPorts, &report)
        return report
    }

    // MARK: - User

    private static func dropUser(
        _ configuration: Configuration, _ places: Places, _ report: inout Report
    ) throws(Fault) {
        let wanted = configuration.general.user
        guard geteuid() == 0 else {
            let result = ip_limit_capabilities(0)
            guard result == 0 else { throw Fault(description: "cannot drop capabilities: \(message(result))") }
            report.measures.append(Field("user", "\(geteuid()), not root to begin with; no capabilities"))
            return
        }
        guard let account = Account.find(wanted.isEmpty ? Account.defaultName : wanted) else {
            guard wanted.isEmpty else {
                throw Fault(
                    description: "general.user: there is no user \(wanted); make it with: "
                        + "useradd --system --no-create-home --shell /usr/sbin/nologin \(wanted)"
                )
            }
            try stayRoot("there is no user \(Account.defaultName)", &report)
            return
        }
        if let closed = places.unreachable(for: account) {
            guard wanted.isEmpty else {
                throw Fault(description: "general.user: \(account.name) cannot reach \(closed.path): \(closed.reason)")
            }
            try stayRoot("user \(account.name) cannot reach \(closed.path)", &report)
            return
        }
        places.give(to: account)
        try become(account)
        report.measures.append(Field("user", "\(account.name), no capabilities"))
    }

    /// Without a user to become: root's number, and none of root's rights but those of a file's owner.
    private static func stayRoot(_ why: String, _ report: inout Report) throws(Fault) {
        try become(Account(name: "root", user: 0, group: 0, groups: Account.logGroups + [0]))
        report.measures.append(Field("user", "root, no capabilities"))
        report.missing.append(Field("user of its own", why))
    }

    private static func become(_ account: Account) throws(Fault) {
        let result = unsafe ip_become_user(account.user, account.group, account.groups, account.groups.count)
        guard result == 0 else { throw Fault(description: "cannot become \(account.name): \(message(result))") }
    }

    // MARK: - Files and calls

    private static func restrictFiles(_ places: Places, _ ports: [UInt16], _ report: inout Report) {
        let version = ip_landlock_version()
        let result = places.restrict(ports: ports)
        guard result == 0 else {
            report.missing.append(Field("landlock", message(result)))
            return
        }
        report.measures.append(
            Field("landlock", "version \(version): writes only below its own directories, runs nothing"))
        if version < 4 {
            report.missing.append(Field("landlock for TCP", "needs version 4 (Linux 6.7), this is \(version)"))
        }
    }

    private static func forbidCalls(_ ports: [UInt16], _ report: inout Report) {
        let result = ip_forbid_calls(ports.isEmpty ? IP_CALLS_WITHOUT_CONNECT : IP_CALLS_WITH_CONNECT)
        guard result == 0 else {
            report.missing.append(Field("seccomp", message(result)))
            return
        }
        let connections =
            ports.isEmpty
            ? "no connections" : "connections to TCP ports \(ports.map(String.init).joined(separator: ", "))"
        report.measures.append(Field("seccomp", "system calls it never makes are refused; \(connections)"))
    }

    private static func message(_ code: Int32) -> String { unsafe String(cString: strerror(-code)) }
}
