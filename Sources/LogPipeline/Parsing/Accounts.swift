internal import Sigma

/// The programs that change accounts (shadow: useradd, usermod, userdel, groupadd, groupdel, gpasswd, passwd).
enum Accounts {
    static func extract(_ line: Span<UInt8>, _ message: Piece, into draft: inout EventDraft) {
        var rest = message
        if rest.skip("new user: name=", in: line) {
            add(.userAdded, .success, user: untilComma(line, rest), to: &draft)
            if let uid = line.find(", UID=", in: rest) {
                let digits = line.digits(at: uid + 6, atMost: 10, before: rest.end)
                if !digits.isEmpty { draft.add(Fields.uid, digits, kind: .number) }
            }
        } else if rest.skip("new group: name=", in: line) {
            add(.groupAdded, .success, group: untilComma(line, rest), to: &draft)
        } else if rest.skip("failed adding user '", in: line) {
            add(.userAdded, .failure, user: rest.take(until: UInt8(ascii: "'"), in: line), to: &draft)
        } else if rest.skip("delete user '", in: line) {
            add(.userDeleted, .success, user: rest.take(until: UInt8(ascii: "'"), in: line), to: &draft)
        } else if rest.skip("removed group '", in: line) {
            add(.groupDeleted, .success, group: rest.take(until: UInt8(ascii: "'"), in: line), to: &draft)
        } else if rest.skip("add '", in: line) {
            membership(line, rest, link: " to ", into: &draft)
        } else if rest.skip("delete '", in: line) {
            membership(line, rest, link: " from ", into: &draft)
        } else if rest.skip("change user '", in: line) {
            let user = rest.take(until: UInt8(ascii: "'"), in: line)
            add(line.equal(rest, " password") ? .passwordChanged : .userChanged, .success, user: user, to: &draft)
        } else if rest.skip("user ", in: line) {
            // gpasswd: "user bob added by root to group sudo"
            let user = rest.takeToken(in: line)
            guard rest.skip(" added by ", in: line) || rest.skip(" removed by ", in: line),
                let link = line.findLast(" group ", in: rest)
            else { return }
            add(.groupChanged, .success, user: user, group: Piece(link + 7, rest.end), to: &draft)
        }
    }

    /// `NAME' to [shadow ]group 'GROUP'`.
    private static func membership(
        _ line: Span<UInt8>, _ rest: Piece, link: StaticString, into draft: inout EventDraft
    ) {
        var rest = rest
        guard let user = rest.take(until: UInt8(ascii: "'"), in: line), rest.skip(link, in: line) else { return }
        _ = rest.skip("shadow ", in: line)
        guard rest.skip("group '", in: line), let group = rest.take(until: UInt8(ascii: "'"), in: line) else { return }
        add(.groupChanged, .success, user: user, group: group, to: &draft)
    }

    private static func untilComma(_ line: Span<UInt8>, _ rest: Piece) -> Piece {
        Piece(rest.start, line.find(UInt8(ascii: ","), in: rest) ?? rest.end)
    }

    private static func add(
        _ event: Word, _ outcome: Word, user: Piece? = nil, group: Piece? = nil, to draft: inout EventDraft
    ) {
        draft.add(Fields.event, event)
        draft.add(Fields.outcome, outcome)
        if let user { draft.add(Fields.user, user) }
        if let group { draft.add(Fields.group, group) }
    }
}
