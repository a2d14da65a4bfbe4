internal import Sigma

/// sudo's own log line: `USER : [REASON ; ]TTY=pts/0 ; PWD=/x ; USER=root ; [ENV=… ; ]COMMAND=/bin/ls`.
///
/// COMMAND is last and its text is the caller's, so the line is read from its start and stops there: what looks like
/// another part inside the command is command.
enum Sudo {
    static func extract(_ line: Span<UInt8>, _ message: Piece, into draft: inout EventDraft) {
        var rest = message
        rest.skipSpaces(in: line)
        guard let separator = line.find(" : ", in: rest), separator > rest.start, separator - rest.start <= 256 else {
            return
        }
        let user = Piece(rest.start, separator)
        // Account names have no spaces; other messages of sudo's have (": " after a plug-in's name).
        guard line.find(UInt8(ascii: " "), in: user) == nil else { return }
        rest.start = separator + 3
        guard isRecord(line, rest) else { return }
        draft.add(Fields.user, user)

        var (event, outcome) = (Word.command, Word.success)
        if !isPart(line, rest) {
            let end = line.find(" ; ", in: rest) ?? rest.end
            let reason = Piece(rest.start, end)
            rest.start = min(rest.end, end + 3)
            (event, outcome) = (self.event(line, reason), .failure)
            draft.add(Fields.reason, reason)
        }
        draft.add(Fields.event, event)
        draft.add(Fields.outcome, outcome)
        parts(line, rest, into: &draft)
    }

    private static func parts(_ line: Span<UInt8>, _ rest: Piece, into draft: inout EventDraft) {
        var rest = rest
        while !rest.isEmpty {
            if rest.skip("COMMAND=", in: line) {
                draft.add(Fields.command, rest)
                return
            }
            var part = Piece(rest.start, line.find(" ; ", in: rest) ?? rest.end)
            rest.start = min(rest.end, part.end + 3)
            if part.skip("TTY=", in: line) {
                draft.add(Fields.tty, part)
            } else if part.skip("PWD=", in: line) {
                draft.add(Fields.cwd, part)
            } else if part.skip("USER=", in: line) {
                draft.add(Fields.targetUser, part)
            } else if part.skip("GROUP=", in: line) {
                draft.add(Fields.group, part)
            }
        }
    }

    private static func isPart(_ line: Span<UInt8>, _ rest: Piece) -> Bool {
        line.has("TTY=", at: rest.start, before: rest.end) || line.has("PWD=", at: rest.start, before: rest.end)
            || line.has("USER=", at: rest.start, before: rest.end)
            || line.has("HOST=", at: rest.start, before: rest.end)
    }

    /// Whether this is a record of a command, rather than another message with a colon in it.
    private static func isRecord(_ line: Span<UInt8>, _ rest: Piece) -> Bool {
        isPart(line, rest) || line.find(" ; TTY=", in: rest) != nil || line.find(" ; PWD=", in: rest) != nil
    }

    private static func event(_ line: Span<UInt8>, _ reason: Piece) -> Word {
        if line.has("user NOT in sudoers", at: reason.start, before: reason.end) { return .notInSudoers }
        if line.has("command not allowed", at: reason.start, before: reason.end)
            || line.has("user NOT authorized on host", at: reason.start, before: reason.end)
        {
            return .notAllowed
        }
        if line.has("a password is required", at: reason.start, before: reason.end) { return .authFailed }
        let digits = line.digits(at: reason.start, atMost: 4, before: reason.end)
        if !digits.isEmpty, line.has(" incorrect password attempt", at: digits.end, before: reason.end) {
            return .authFailed
        }
        return .notAllowed
    }
}
