/// What to do about an alert next, in plain words, from the rule's tags (MITRE ATT&CK) and what the alert names.
enum AlertAdvice {
    static let stepsMax = 5

    static func steps(for alert: AlertDocument) -> [String] {
        var steps: [String] = []
        if alert.labels["demo"] == "true" {
            return ["nothing: `ironpost demo` wrote this line itself; the address is one that exists only in examples"]
        }
        let tags = Set(alert.rule.tags.map { $0.lowercased() })
        for (tag, advice) in byTag where tags.contains(where: { $0 == tag || $0.hasPrefix(tag + ".") }) {
            steps.append(advice)
        }
        if let source = alert.srcIP {
            steps.append("see what else came from there: ironpost events tail --where src_ip=\(source)")
        }
        if steps.isEmpty {
            steps.append("read the line above and decide whether somebody meant to do this")
        }
        if let reference = alert.rule.references.first {
            steps.append("background: \(reference)")
        }
        return Array(steps.prefix(stepsMax))
    }

    /// The most telling first; several can fit one alert.
    private static let byTag: [(tag: String, advice: String)] = [
        (
            "attack.t1110",
            "check whether a login from this address succeeded afterwards (last -i, journalctl -u ssh); "
                + "if one did, change that account's password and keys"
        ),
        (
            "attack.t1078",
            "ask the account's owner whether this login was theirs; if not, lock the account (usermod -L NAME)"
        ),
        (
            "attack.t1190",
            "look at the web server's answer to this request: a status of 200 means it may have worked; "
                + "bring the application up to date"
        ),
        (
            "attack.t1505.003",
            "look for files that were written under the web server's folders lately (find DIR -newermt '1 hour ago')"
        ),
        (
            "attack.t1548",
            "find out who asked for these rights and whether they were meant to have them (sudo -l -U NAME)"
        ),
        (
            "attack.t1136",
            "check that somebody on your team made this account (getent passwd NAME); if not, lock it"
        ),
        (
            "attack.t1098",
            "compare the account's groups and keys with what they should be (id NAME, ~NAME/.ssh/authorized_keys)"
        ),
        (
            "attack.t1053",
            "list what now runs by itself (crontab -l, systemctl list-timers) and remove what nobody knows"
        ),
        (
            "attack.t1070",
            "logs were touched: compare with a copy elsewhere before you trust this host's own"
        ),
        (
            "attack.t1059",
            "find what started this command (ps -o pid,ppid,user,args) and whether it still runs"
        ),
        (
            "attack.t1046",
            "a scan alone harms nothing: check which of the ports that were asked for should be open at all (ss -ltn)"
        ),
        (
            "attack.t1595",
            "a scan alone harms nothing: check which of the pages that were asked for exist here"
        ),
    ]
}
