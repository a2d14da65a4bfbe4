internal import Sigma

/// cron: `(root) CMD (command)`, and crontab's `(root) REPLACE (root)`.
enum Cron {
    static func extract(_ line: Span<UInt8>, _ message: Piece, into draft: inout EventDraft) {
        var rest = message
        guard rest.skip("(", in: line), let user = rest.take(until: UInt8(ascii: ")"), in: line),
            rest.skip(" CMD (", in: line)
        else { return }
        // The command is the rest: what parentheses it has are its own.
        _ = rest.dropSuffix(")", in: line)
        rest.skipSpaces(in: line)
        draft.add(Fields.event, .command)
        draft.add(Fields.user, user)
        draft.add(Fields.command, rest)
    }
}
