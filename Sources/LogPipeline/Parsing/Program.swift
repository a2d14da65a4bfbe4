internal import Sigma

/// The programs whose messages are understood, known by the last part of the name they log under.
enum Program {
    case sshd, sudo, su, cron, kernel, systemd, account, other

    init(_ line: Span<UInt8>, _ name: Piece) {
        var name = line.clamp(name)
        if let slash = line.findLast(UInt8(ascii: "/"), in: name) { name.start = slash + 1 }
        self = .other
        switch line.byte(at: name.start) {
        case UInt8(ascii: "s"):
            if line.equal(name, "sshd") || line.equal(name, "sshd-session") || line.equal(name, "sshd-auth") {
                self = .sshd
            } else if line.equal(name, "sudo") {
                self = .sudo
            } else if line.equal(name, "su") || line.equal(name, "su-l") {
                self = .su
            } else if line.equal(name, "systemd") {
                self = .systemd
            } else if line.equal(name, "systemd-logind") {
                self = .account
            }
        case UInt8(ascii: "C"), UInt8(ascii: "c"):
            if line.equal(name, "CRON") || line.equal(name, "cron") || line.equal(name, "crond")
                || line.equal(name, "CROND") || line.equal(name, "crontab")
            {
                self = .cron
            } else if line.equal(name, "chage") || line.equal(name, "chpasswd") || line.equal(name, "chsh")
                || line.equal(name, "chfn")
            {
                self = .account
            }
        case UInt8(ascii: "a"):
            if line.equal(name, "anacron") {
                self = .cron
            } else if line.equal(name, "adduser") {
                self = .account
            }
        case UInt8(ascii: "k"):
            if line.equal(name, "kernel") { self = .kernel }
        case UInt8(ascii: "u"):
            if line.equal(name, "useradd") || line.equal(name, "usermod") || line.equal(name, "userdel") {
                self = .account
            }
        case UInt8(ascii: "g"):
            if line.equal(name, "groupadd") || line.equal(name, "groupmod") || line.equal(name, "groupdel")
                || line.equal(name, "gpasswd")
            {
                self = .account
            }
        case UInt8(ascii: "p"):
            if line.equal(name, "passwd") || line.equal(name, "polkitd") || line.equal(name, "pkexec") {
                self = .account
            }
        case UInt8(ascii: "l"), UInt8(ascii: "n"):
            if line.equal(name, "login") || line.equal(name, "newusers") { self = .account }
        default:
            break
        }
    }

    /// The program behind an executable's path.
    init(path: String) {
        let bytes = Array(path.utf8)
        self.init(bytes.span, Piece(0, bytes.count))
    }

    /// Whether an executable is one that came with the system: only root can put something there.
    static func isSystem(_ path: String) -> Bool {
        let bytes = Array(path.utf8)
        return isSystem(bytes.span, Piece(0, bytes.count))
    }

    static func isSystem(_ line: Span<UInt8>, _ path: Piece) -> Bool {
        let isSystem =
            line.has("/usr/", at: path.start, before: path.end) || line.has("/bin/", at: path.start, before: path.end)
            || line.has("/sbin/", at: path.start, before: path.end)
        return isSystem && !line.has("/usr/local/", at: path.start, before: path.end)
    }

    var eventClass: EventClassID {
        switch self {
        case .sshd: EventClasses.sshd
        case .sudo: EventClasses.sudo
        case .su: EventClasses.su
        case .cron: EventClasses.cron
        case .kernel: EventClasses.kernel
        case .systemd: EventClasses.systemd
        case .account: EventClasses.auth
        case .other: EventClasses.syslog
        }
    }

    /// Reads what is known of a program's messages out of one.
    ///
    /// - Parameter isPAM: the line's header says that PAM wrote it in the program's name.
    func extract(_ line: Span<UInt8>, _ message: Piece, isPAM: Bool, into draft: inout EventDraft) {
        let message = repeated(line, message, into: &draft)
        guard self != .other, self != .kernel, self != .systemd else { return }
        let subject: PAM.Subject = self == .sudo || self == .su ? .caller : .login
        if PAM.extract(line, message, isPAM: isPAM, subject: subject, hasNoCaller: self == .sshd, into: &draft) {
            // Only sshd is known to put nothing but its connection's other end into rhost.
            if self != .sshd { draft.disownPeers() }
            return
        }
        switch self {
        case .sshd: Sshd.extract(line, message, into: &draft)
        case .sudo: Sudo.extract(line, message, into: &draft)
        case .su: Su.extract(line, message, into: &draft)
        case .cron: Cron.extract(line, message, into: &draft)
        case .account: Accounts.extract(line, message, into: &draft)
        case .kernel, .systemd, .other: break
        }
    }

    /// rsyslog's `message repeated N times: [ MESSAGE]`: the message that was repeated.
    private func repeated(_ line: Span<UInt8>, _ message: Piece, into draft: inout EventDraft) -> Piece {
        var rest = message
        guard rest.skip("message repeated ", in: line) else { return message }
        let count = rest.takeToken(in: line)
        guard let times = line.decimal(count), rest.skip(" times: [ ", in: line), rest.dropSuffix("]", in: line) else {
            return message
        }
        draft.add(Fields.repeated, count, kind: .number)
        draft.weight = times
        return rest
    }
}
