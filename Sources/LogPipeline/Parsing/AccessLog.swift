internal import Sigma

/// Common and combined log format, as Apache and nginx write it:
/// `HOST IDENT USER [dd/Mon/yyyy:hh:mm:ss +zzzz] "METHOD TARGET VERSION" STATUS BYTES "REFERER" "AGENT"`, and with the
/// virtual host and its port before all (Debian's `vhost_combined`).
///
/// The first quote that is not escaped opens the request, since the servers escape quotes in user names; the time
/// stands right before it, and the address is the line's first word. Nothing a client sends reaches these places.
enum AccessLog {
    /// - Returns: whether the line is of this format; if not, nothing was added.
    static func parse(_ line: Span<UInt8>, into draft: inout EventDraft) -> Bool {
        var rest = line.whole
        rest.dropTrailingTerminator(in: line)
        guard let quote = openingQuote(line, rest), let time = time(line, before: quote) else { return false }
        var front = Piece(rest.start, time.start - 2)
        let site = site(line, &front)
        let host = front.takeToken(in: line)
        guard !host.isEmpty, front.skip(" ", in: line) else { return false }
        rest.start = quote
        guard let request = QuotedText.take(line, &rest), rest.skip(" ", in: line) else { return false }
        let status = line.digits(at: rest.start, atMost: 3, before: rest.end)
        guard status.count == 3 else { return false }

        draft.time = time.nanoseconds
        draft.add(Fields.timestamp, Piece(time.start, time.end))
        if let site {
            draft.add(Fields.csHost, site.name)
            draft.add(Fields.dstPort, site.port, kind: .number)
        }
        if let address = AddressLiteral.address(in: line, host) {
            draft.addPeer(address)
        } else {
            draft.add(Fields.host, host)
        }
        _ = front.takeToken(in: line)
        if front.skip(" ", in: line), !front.isEmpty, !line.equal(front, "-") { draft.add(Fields.user, front) }
        add(request: request, line, into: &draft)
        draft.add(Fields.scStatus, status, kind: .number)
        rest.start = status.end
        answer(line, rest, into: &draft)
        draft.add(Fields.message, line.whole)
        draft.eventClass = EventClasses.webAccess
        return true
    }

    /// Takes `NAME:PORT ` off the front, when an address comes after it: the client's, which the server wrote.
    private static func site(_ line: Span<UInt8>, _ front: inout Piece) -> (name: Piece, port: Piece)? {
        var rest = front
        let first = rest.takeToken(in: line)
        // An IPv6 address may end like a name with a port.
        guard AddressLiteral.address(in: line, first) == nil, let colon = line.findLast(UInt8(ascii: ":"), in: first),
            colon > first.start, rest.skip(" ", in: line)
        else { return nil }
        let port = Piece(colon + 1, first.end)
        guard (1...5).contains(port.count), line.decimal(port) != nil else { return nil }
        var next = rest
        guard AddressLiteral.address(in: line, next.takeToken(in: line)) != nil else { return nil }
        front = rest
        return (Piece(first.start, colon), port)
    }

    /// `BYTES "REFERER" "AGENT"`; what follows these is a site's own and not read.
    private static func answer(_ line: Span<UInt8>, _ rest: Piece, into draft: inout EventDraft) {
        var rest = rest
        guard rest.skip(" ", in: line) else { return }
        let size = rest.takeToken(in: line)
        if line.decimal(size) != nil { draft.add(Fields.scBytes, size, kind: .number) }
        guard rest.skip(" ", in: line), let referer = QuotedText.take(line, &rest) else { return }
        add(Fields.csReferer, referer, line, into: &draft)
        guard rest.skip(" ", in: line), let agent = QuotedText.take(line, &rest) else { return }
        add(Fields.csUserAgent, agent, line, into: &draft)
    }

    private static func openingQuote(_ line: Span<UInt8>, _ rest: Piece) -> Int? {
        var cursor = rest
        while let hit = line.find(UInt8(ascii: "\""), or: UInt8(ascii: "\\"), in: cursor) {
            if line.byte(at: hit) == UInt8(ascii: "\"") { return hit }
            cursor.start = hit + 2
        }
        return nil
    }

    /// ` [dd/Mon/yyyy:hh:mm:ss +zzzz] ` right before `quote`.
    private static func time(
        _ line: Span<UInt8>, before quote: Int
    ) -> (nanoseconds: Int64, start: Int, end: Int)? {
        let start = quote - 28
        guard start >= 2, line.has(" [", at: start - 2, before: quote), line.has("] ", at: quote - 2, before: quote),
            line.byte(at: start + 2) == UInt8(ascii: "/"), line.byte(at: start + 6) == UInt8(ascii: "/"),
            line.byte(at: start + 11) == UInt8(ascii: ":"), line.byte(at: start + 20) == UInt8(ascii: " ")
        else { return nil }
        var time = CivilTime(
            year: TimeText.number(line, at: start + 7, digits: 4), month: TimeText.month(line, at: start + 3),
            day: TimeText.number(line, at: start, digits: 2), hour: 0, minute: 0, second: 0
        )
        var zone = Piece(start + 21, quote - 2)
        guard TimeText.clock(line, at: start + 12, into: &time), time.isValid,
            let offset = TimeText.takeOffset(line, &zone), zone.isEmpty,
            let nanoseconds = CivilTime.nanoseconds(seconds: time.secondsAsUTC - offset)
        else { return nil }
        return (nanoseconds, start, quote - 2)
    }

    private static func add(
        _ id: FieldID, _ quoted: (text: Piece, escapes: Bool), _ line: Span<UInt8>, into draft: inout EventDraft
    ) {
        guard quoted.escapes else { return draft.add(id, quoted.text) }
        let start = draft.decoded.count
        QuotedText.decode(line, quoted.text, into: &draft.decoded)
        draft.add(id, Piece(start, draft.decoded.count), from: .decoded)
    }

    /// `METHOD TARGET VERSION`; a request of another shape is `cs-uri` as it is.
    private static func add(
        request: (text: Piece, escapes: Bool), _ line: Span<UInt8>, into draft: inout EventDraft
    ) {
        guard request.escapes else {
            return add(request: request.text, from: .line, line, into: &draft)
        }
        let start = draft.decoded.count
        QuotedText.decode(line, request.text, into: &draft.decoded)
        // Only requests with an escape in them are copied, so that their parts can be told apart after decoding.
        let copy = draft.decoded[start...].map(\.self)
        add(request: Piece(0, copy.count), from: .decoded, at: start, copy.span, into: &draft)
    }

    /// - Parameter base: where `text`'s first byte stands among the draft's decoded bytes.
    private static func add(
        request: Piece, from origin: EventDraft.Origin, at base: Int = 0, _ text: Span<UInt8>,
        into draft: inout EventDraft
    ) {
        func moved(_ piece: Piece) -> Piece { Piece(piece.start + base, piece.end + base) }
        var target = request
        let method = target.takeToken(in: text)
        guard isMethod(text, method), target.skip(" ", in: text) else {
            draft.add(Fields.csURI, moved(request), from: origin)
            PercentEscapes.addDecoded(text, request, query: nil, into: &draft)
            return
        }
        draft.add(Fields.csMethod, moved(method), from: origin)
        if let space = text.findLast(UInt8(ascii: " "), in: target),
            text.has("HTTP/", at: space + 1, before: target.end)
        {
            draft.add(Fields.csVersion, moved(Piece(space + 1, target.end)), from: origin)
            target.end = space
        }
        draft.add(Fields.csURI, moved(target), from: origin)
        let mark = text.find(UInt8(ascii: "?"), in: target)
        defer { PercentEscapes.addDecoded(text, target, query: mark, into: &draft) }
        guard let mark else {
            draft.add(Fields.csURIStem, moved(target), from: origin)
            return
        }
        draft.add(Fields.csURIStem, moved(Piece(target.start, mark)), from: origin)
        draft.add(Fields.csURIQuery, moved(Piece(mark + 1, target.end)), from: origin)
    }

    /// RFC 9110's token, as far as methods use it: capital letters, `-` and `_`, at most 32.
    private static func isMethod(_ line: Span<UInt8>, _ piece: Piece) -> Bool {
        guard (1...32).contains(piece.count) else { return false }
        for index in piece.start..<piece.end {
            switch line.byte(at: index) {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "-"), UInt8(ascii: "_"): continue
            default: return false
            }
        }
        return true
    }
}
