internal import Sigma

/// su, of util-linux (`FAILED SU (to root) bob on pts/0`, `(to root) bob on pts/0`) and of shadow (`Successful su for
/// root by bob`, `FAILED su for root by bob`, `+ /dev/pts/0 bob:root`).
enum Su {
    static func extract(_ line: Span<UInt8>, _ message: Piece, into draft: inout EventDraft) {
        var rest = message
        if rest.skip("FAILED SU (to ", in: line) {
            utilLinux(line, rest, .authFailed, .failure, into: &draft)
        } else if rest.skip("(to ", in: line) {
            utilLinux(line, rest, .authOK, .success, into: &draft)
        } else if rest.skip("FAILED su for ", in: line) {
            shadow(line, rest, .authFailed, .failure, into: &draft)
        } else if rest.skip("Successful su for ", in: line) {
            shadow(line, rest, .authOK, .success, into: &draft)
        } else if rest.skip("+ ", in: line) {
            terminal(line, rest, .authOK, .success, into: &draft)
        } else if rest.skip("- ", in: line) {
            terminal(line, rest, .authFailed, .failure, into: &draft)
        }
    }

    private static func utilLinux(
        _ line: Span<UInt8>, _ rest: Piece, _ event: Word, _ outcome: Word, into draft: inout EventDraft
    ) {
        var rest = rest
        guard let close = line.find(") ", in: rest), let on = line.findLast(" on ", in: rest), on >= close + 2 else {
            return
        }
        let target = Piece(rest.start, close)
        rest.start = close + 2
        add(event, outcome, user: Piece(rest.start, on), target: target, into: &draft)
        draft.add(Fields.tty, Piece(on + 4, rest.end))
    }

    private static func shadow(
        _ line: Span<UInt8>, _ rest: Piece, _ event: Word, _ outcome: Word, into draft: inout EventDraft
    ) {
        guard let by = line.findLast(" by ", in: rest) else { return }
        add(
            event, outcome, user: Piece(by + 4, rest.end), target: Piece(rest.start, by), into: &draft
        )
    }

    private static func terminal(
        _ line: Span<UInt8>, _ rest: Piece, _ event: Word, _ outcome: Word, into draft: inout EventDraft
    ) {
        var rest = rest
        let tty = rest.takeToken(in: line)
        guard rest.skip(" ", in: line), let user = rest.take(until: UInt8(ascii: ":"), in: line) else { return }
        add(event, outcome, user: user, target: rest, into: &draft)
        draft.add(Fields.tty, tty)
    }

    private static func add(
        _ event: Word, _ outcome: Word, user: Piece, target: Piece, into draft: inout EventDraft
    ) {
        draft.add(Fields.event, event)
        draft.add(Fields.outcome, outcome)
        draft.add(Fields.user, user)
        draft.add(Fields.targetUser, target)
    }
}
