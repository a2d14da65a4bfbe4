internal import Sigma

/// What OpenSSH's server says (7.x to 9.x, and `sshd-session` since 9.8), read from the places that it fills itself.
///
/// User names, client versions, disconnect texts, offered algorithms and certificate identities are a stranger's text
/// and may imitate any of these messages. A message whose stranger's text stands before the address is read from its
/// end; one whose text comes after it, from its start; and where it may stand on both sides, the address is taken only
/// if no other place in the message could be one.
enum Sshd {
    static func extract(_ line: Span<UInt8>, _ message: Piece, into draft: inout EventDraft) {
        guard message.count <= Endpoint.messageMax else { return }
        var rest = message
        _ = rest.skip("error: ", in: line) || rest.skip("fatal: ", in: line)
        switch line.byte(at: rest.start) {
        case UInt8(ascii: "F"):
            if rest.skip("Failed ", in: line) {
                authentication(line, rest, .authFailed, .failure, into: &draft)
            }
        case UInt8(ascii: "A"):
            if rest.skip("Accepted ", in: line) {
                authentication(line, rest, .authOK, .success, into: &draft)
            } else if rest.skip("Address ", in: line) {
                Endpoint.takeFirst(in: line, &rest)?.add(to: &draft)
            }
        case UInt8(ascii: "I"):
            if rest.skip("Invalid user ", in: line) { invalidUser(line, rest, into: &draft) }
        case UInt8(ascii: "C"):
            if rest.skip("Connection closed by ", in: line) || rest.skip("Connection reset by ", in: line) {
                closed(line, rest, .connectionClosed, into: &draft)
            } else if rest.skip("Connection from ", in: line) {
                Endpoint.takeFirst(in: line, &rest)?.add(to: &draft)
            }
        case UInt8(ascii: "D"):
            if rest.skip("Disconnected from ", in: line) {
                closed(line, rest, .disconnected, into: &draft)
            } else if rest.skip("Disconnecting ", in: line) {
                disconnecting(line, rest, into: &draft)
            } else if rest.skip("Did not receive identification string from ", in: line) {
                probe(line, rest, into: &draft)
            }
        case UInt8(ascii: "R"):
            if rest.skip("Received disconnect from ", in: line) {
                draft.add(Fields.event, .disconnected)
                Endpoint.takeFirst(in: line, &rest)?.add(to: &draft)
            }
        case UInt8(ascii: "U"):
            if rest.skip("User ", in: line) {
                userNotAllowed(line, rest, into: &draft)
            } else if rest.skip("Unable to negotiate with ", in: line) {
                probe(line, rest, into: &draft)
            }
        case UInt8(ascii: "B"):
            if rest.skip("Bad protocol version identification '", in: line) {
                draft.add(Fields.event, .preauthProbe)
                Endpoint.takeLast(after: "' from", in: line, &rest, needsPort: false)?.add(to: &draft)
            }
        case UInt8(ascii: "b"):
            if rest.skip("banner exchange: Connection from ", in: line) { probe(line, rest, into: &draft) }
        case UInt8(ascii: "m"):
            if rest.skip("maximum authentication attempts exceeded for ", in: line) {
                maximumAttempts(line, rest, into: &draft)
            }
        case UInt8(ascii: "T"):
            if rest.skip("Timeout before authentication for ", in: line) {
                _ = rest.skip("connection from ", in: line)
                probe(line, rest, into: &draft)
            }
        case UInt8(ascii: "k"):
            if rest.skip("kex_exchange_identification: ", in: line) { draft.add(Fields.event, .preauthProbe) }
        case UInt8(ascii: "P"):
            if rest.skip("Postponed ", in: line) {
                _ = rest.dropSuffix(" [preauth]", in: line)
                authentication(line, rest, nil, nil, into: &draft)
            } else if rest.skip("PAM: Authentication failure for ", in: line) {
                refusedByPAM(line, rest, into: &draft)
            }
        case UInt8(ascii: "r"):
            if rest.skip("reverse mapping checking getaddrinfo for ", in: line) {
                reverseMapping(line, rest, into: &draft)
            }
        default:
            break
        }
    }

    /// `METHOD for [invalid user ]USER from IP port N ssh2[: KEYTYPE FINGERPRINT]`.
    private static func authentication(
        _ line: Span<UInt8>, _ rest: Piece, _ event: Word?, _ outcome: Word?, into draft: inout EventDraft
    ) {
        var rest = rest
        let method = rest.takeToken(in: line)
        guard rest.skip(" for ", in: line) else { return }
        if let event { draft.add(Fields.event, event) }
        if let outcome { draft.add(Fields.outcome, outcome) }
        draft.add(Fields.method, method)
        guard dropProtocol(line, &rest) || dropCertificate(line, &rest),
            let peer = Endpoint.takeLast(after: " from", in: line, &rest, needsPort: true)
        else { return }
        addUser(line, rest, into: &draft)
        peer.add(to: &draft)
    }

    /// Takes ` ssh2` or ` ssh2: KEYTYPE FINGERPRINT` off the end.
    private static func dropProtocol(_ line: Span<UInt8>, _ rest: inout Piece) -> Bool {
        if rest.dropSuffix(" ssh2", in: line) { return true }
        var cursor = rest
        guard let fingerprint = cursor.takeLastToken(in: line),
            line.has("SHA256:", at: fingerprint.start, before: fingerprint.end)
                || line.has("MD5:", at: fingerprint.start, before: fingerprint.end),
            let type = cursor.takeLastToken(in: line), isKeyType(line, type), cursor.dropSuffix(" ssh2:", in: line)
        else { return false }
        rest = cursor
        return true
    }

    /// `… ssh2: KEYTYPE-CERT FINGERPRINT ID IDENTITY (serial N) CA KEYTYPE FINGERPRINT`: the identity is as much a
    /// stranger's text as the user name before it, so this is believed only when ` ssh2: ` stands in it once.
    private static func dropCertificate(_ line: Span<UInt8>, _ rest: inout Piece) -> Bool {
        guard let first = line.find(" ssh2: ", in: rest), first == line.findLast(" ssh2: ", in: rest) else {
            return false
        }
        rest.end = first
        return true
    }

    /// `ED25519`, `RSA-CERT`, `ECDSA-SK`.
    private static func isKeyType(_ line: Span<UInt8>, _ piece: Piece) -> Bool {
        guard (3...32).contains(piece.count) else { return false }
        for index in piece.start..<piece.end {
            switch line.byte(at: index) {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"):
                continue
            default:
                return false
            }
        }
        return true
    }

    private static func addUser(_ line: Span<UInt8>, _ user: Piece, into draft: inout EventDraft) {
        var user = user
        _ = user.skip("invalid user ", in: line) || user.skip("illegal user ", in: line)
        draft.add(Fields.user, user)
    }

    /// `USER from IP port N`, before OpenSSH 7.3 `USER from IP`.
    private static func invalidUser(_ line: Span<UInt8>, _ rest: Piece, into draft: inout EventDraft) {
        var rest = rest
        draft.add(Fields.event, .invalidUser)
        draft.add(Fields.outcome, .failure)
        guard let peer = Endpoint.takeLast(after: " from", in: line, &rest, needsPort: false) else { return }
        draft.add(Fields.user, rest)
        peer.add(to: &draft)
    }

    /// `[authenticating user USER |invalid user USER |user USER ]IP [port N][ [preauth]]`.
    private static func closed(_ line: Span<UInt8>, _ rest: Piece, _ event: Word, into draft: inout EventDraft) {
        var rest = rest
        _ = rest.dropSuffix(" [preauth]", in: line)
        draft.add(Fields.event, event)
        guard takeUserPrefix(line, &rest) else {
            var cursor = rest
            if let peer = Endpoint.takeFirst(in: line, &cursor), cursor.isEmpty { peer.add(to: &draft) }
            return
        }
        guard let peer = Endpoint.takeLast(after: "", in: line, &rest, needsPort: true) else { return }
        draft.add(Fields.user, rest)
        peer.add(to: &draft)
    }

    private static func takeUserPrefix(_ line: Span<UInt8>, _ rest: inout Piece) -> Bool {
        rest.skip("authenticating user ", in: line) || rest.skip("invalid user ", in: line)
            || rest.skip("user ", in: line)
    }

    /// `authenticating user USER IP port N: REASON`. A change of user names puts stranger's text into the reason too,
    /// so only the one reason that cannot is read.
    private static func disconnecting(_ line: Span<UInt8>, _ rest: Piece, into draft: inout EventDraft) {
        var rest = rest
        _ = rest.dropSuffix(" [preauth]", in: line)
        guard rest.dropSuffix(": Too many authentication failures", in: line) else {
            draft.add(Fields.event, .disconnected)
            return
        }
        draft.add(Fields.event, .maxAuth)
        draft.add(Fields.outcome, .failure)
        guard takeUserPrefix(line, &rest),
            let peer = Endpoint.takeLast(after: "", in: line, &rest, needsPort: true)
        else { return }
        draft.add(Fields.user, rest)
        peer.add(to: &draft)
    }

    /// `[invalid user ]USER from IP port N ssh2 [preauth]`.
    private static func maximumAttempts(_ line: Span<UInt8>, _ rest: Piece, into draft: inout EventDraft) {
        var rest = rest
        draft.add(Fields.event, .maxAuth)
        draft.add(Fields.outcome, .failure)
        _ = rest.dropSuffix(" [preauth]", in: line)
        guard rest.dropSuffix(" ssh2", in: line),
            let peer = Endpoint.takeLast(after: " from", in: line, &rest, needsPort: true)
        else { return }
        addUser(line, rest, into: &draft)
        peer.add(to: &draft)
    }

    /// `USER from HOST not allowed because REASON`: the reason is one of a few fixed ones, or a shell's path.
    private static func userNotAllowed(_ line: Span<UInt8>, _ rest: Piece, into draft: inout EventDraft) {
        guard let hit = line.findLast(" not allowed because ", in: rest) else { return }
        draft.add(Fields.event, .notAllowed)
        draft.add(Fields.outcome, .failure)
        draft.add(Fields.reason, Piece(hit + 21, rest.end))
        var before = Piece(rest.start, hit)
        guard let peer = Endpoint.takeLast(after: " from", in: line, &before, needsPort: false) else { return }
        draft.add(Fields.user, before)
        peer.add(to: &draft)
    }

    /// `[illegal user ]USER from HOST`.
    private static func refusedByPAM(_ line: Span<UInt8>, _ rest: Piece, into draft: inout EventDraft) {
        var rest = rest
        draft.add(Fields.event, .authFailed)
        draft.add(Fields.outcome, .failure)
        draft.add(Fields.method, .pam)
        guard let peer = Endpoint.takeLast(after: " from", in: line, &rest, needsPort: false) else { return }
        addUser(line, rest, into: &draft)
        peer.add(to: &draft)
    }

    /// `IP port N…`, a client that never got as far as naming a user.
    private static func probe(_ line: Span<UInt8>, _ rest: Piece, into draft: inout EventDraft) {
        var rest = rest
        draft.add(Fields.event, .preauthProbe)
        Endpoint.takeFirst(in: line, &rest)?.add(to: &draft)
    }

    /// `HOST [IP] failed - POSSIBLE BREAK-IN ATTEMPT!`, `HOST [IP] failed.`
    private static func reverseMapping(_ line: Span<UInt8>, _ rest: Piece, into draft: inout EventDraft) {
        var rest = rest
        guard
            rest.dropSuffix("] failed - POSSIBLE BREAK-IN ATTEMPT!", in: line)
                || rest.dropSuffix("] failed.", in: line),
            let open = line.findLast(UInt8(ascii: "["), in: rest),
            let address = AddressLiteral.address(in: line, Piece(open + 1, rest.end))
        else { return }
        draft.add(Fields.srcIP, address)
    }
}
