internal import Sigma

/// What PAM's modules write under the name of the program that called them: `pam_unix(sshd:auth): authentication
/// failure; …`, `pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)`.
enum PAM {
    /// Whose name a message's `user` is.
    enum Subject {
        /// The one who logs in (sshd, login, cron).
        case login
        /// The one who becomes another (su, sudo): sessions are opened for `target_user` by `user`.
        case caller
    }

    /// - Parameter isPAM: the header said already that PAM speaks; the message has no `pam_module(service:type): `.
    /// - Returns: whether this is a PAM message.
    static func extract(
        _ line: Span<UInt8>, _ message: Piece, isPAM: Bool, subject: Subject, hasNoCaller: Bool,
        into draft: inout EventDraft
    ) -> Bool {
        guard message.count <= Endpoint.messageMax else { return false }
        var rest = message
        if rest.skip("pam_", in: line) {
            guard let module = rest.take(until: UInt8(ascii: "("), in: line), isName(line, module),
                let service = rest.take(until: UInt8(ascii: ")"), in: line), isName(line, service),
                rest.skip(": ", in: line)
            else { return false }
        } else if rest.skip("PAM ", in: line) {
            // "PAM 2 more authentication failures; logname=…"
            let count = rest.takeToken(in: line)
            guard line.decimal(count) != nil, rest.skip(" more ", in: line) else { return false }
        } else if !isPAM {
            return false
        }
        if rest.skip("authentication failure; ", in: line) || rest.skip("authentication failures; ", in: line) {
            failure(line, rest, subject: subject, hasNoCaller: hasNoCaller, into: &draft)
        } else if rest.skip("session opened for user ", in: line) {
            draft.add(Fields.event, .sessionOpened)
            draft.add(Fields.outcome, .success)
            opened(line, rest, subject: subject, into: &draft)
        } else if rest.skip("session closed for user ", in: line) {
            draft.add(Fields.event, .sessionClosed)
            draft.add(subject == .login ? Fields.user : Fields.targetUser, rest)
        } else if rest.skip("password changed for ", in: line) {
            draft.add(Fields.event, .passwordChanged)
            draft.add(Fields.outcome, .success)
            draft.add(Fields.user, rest)
        } else if rest.skip("auth could not identify password for [", in: line) {
            draft.add(Fields.event, .authFailed)
            draft.add(Fields.outcome, .failure)
            draft.add(Fields.method, .pam)
            if rest.dropSuffix("]", in: line) { draft.add(Fields.user, rest) }
        }
        return true
    }

    /// `logname=L uid=N euid=N tty=T ruser=R rhost=H[  user=U]`, in this order. U is a stranger's, and so is R where a
    /// service takes it from the network, which sshd does not: a line in which either may have said ` rhost=` yields no
    /// address.
    private static func failure(
        _ line: Span<UInt8>, _ rest: Piece, subject: Subject, hasNoCaller: Bool, into draft: inout EventDraft
    ) {
        draft.add(Fields.event, .authFailed)
        draft.add(Fields.outcome, .failure)
        draft.add(Fields.method, .pam)
        var rest = rest
        let start = rest.start
        guard rest.skip("logname=", in: line) else { return }
        _ = rest.takeToken(in: line)
        guard rest.skip(" uid=", in: line) else { return }
        let uid = rest.takeToken(in: line)
        guard rest.skip(" euid=", in: line) else { return }
        _ = rest.takeToken(in: line)
        guard rest.skip(" tty=", in: line) else { return }
        let tty = rest.takeToken(in: line)
        guard rest.skip(" ruser=", in: line) else { return }
        let caller = rest.takeToken(in: line)
        guard rest.skip(" rhost=", in: line) else { return }
        let host = rest.takeToken(in: line)
        if line.decimal(uid) != nil { draft.add(Fields.uid, uid, kind: .number) }
        if !tty.isEmpty { draft.add(Fields.tty, tty) }
        let all = Piece(start, rest.end)
        let isSure =
            hasNoCaller && caller.isEmpty || line.find(" rhost=", in: all) == line.findLast(" rhost=", in: all)
        if isSure, let address = AddressLiteral.address(in: line, host) { draft.addPeer(address) }
        rest.skipSpaces(in: line)
        let named = rest.skip("user=", in: line) ? rest : nil
        switch subject {
        case .login:
            if let named { draft.add(Fields.user, named) }
        case .caller:
            if !caller.isEmpty { draft.add(Fields.user, caller) }
            if let named { draft.add(Fields.targetUser, named) }
        }
    }

    /// `USER(uid=N) by [CALLER](uid=N)`, before Linux-PAM 1.4 `USER by [CALLER](uid=N)`. The users are accounts of this
    /// host, or the session would not have been opened.
    private static func opened(_ line: Span<UInt8>, _ rest: Piece, subject: Subject, into draft: inout EventDraft) {
        guard let by = line.findLast(" by ", in: rest) else { return }
        let user = withoutUID(line, Piece(rest.start, by))
        let caller = withoutUID(line, Piece(by + 4, rest.end))
        switch subject {
        case .login:
            draft.add(Fields.user, user)
        case .caller:
            if !caller.isEmpty { draft.add(Fields.user, caller) }
            draft.add(Fields.targetUser, user)
        }
    }

    private static func withoutUID(_ line: Span<UInt8>, _ piece: Piece) -> Piece {
        guard let open = line.findLast("(uid=", in: piece), line.byte(at: piece.end - 1) == UInt8(ascii: ")") else {
            return piece
        }
        return Piece(piece.start, open)
    }

    private static func isName(_ line: Span<UInt8>, _ piece: Piece) -> Bool {
        guard (1...64).contains(piece.count) else { return false }
        return line.find(UInt8(ascii: " "), in: piece) == nil
    }
}
