internal import Sigma

/// Error logs of nginx (`2026/11/23 01:22:37 [error] 1#1: *1 MESSAGE, client: 203.0.113.7, server: …`) and of Apache
/// (`[Mon Nov 23 01:22:37.123456 2026] [core:error] [pid 1:tid 2] [client 203.0.113.7:5] MESSAGE`).
enum WebErrorLog {
    static func parse(
        _ line: Span<UInt8>, clock: inout SyslogClock, receivedAt: Int64, into draft: inout EventDraft
    ) -> Bool {
        var rest = line.whole
        rest.dropTrailingTerminator(in: line)
        if line.byte(at: 0) == UInt8(ascii: "[") {
            return apache(line, rest, clock: &clock, receivedAt: receivedAt, into: &draft)
        }
        return nginx(line, rest, zone: clock.zone, into: &draft)
    }

    // MARK: nginx

    private static func nginx(
        _ line: Span<UInt8>, _ rest: Piece, zone: LocalZone, into draft: inout EventDraft
    ) -> Bool {
        var rest = rest
        guard rest.count > 22, line.byte(at: 4) == UInt8(ascii: "/"), line.byte(at: 7) == UInt8(ascii: "/"),
            line.has(" [", at: 19, before: rest.end)
        else { return false }
        var time = CivilTime(
            year: TimeText.number(line, at: 0, digits: 4), month: TimeText.number(line, at: 5, digits: 2),
            day: TimeText.number(line, at: 8, digits: 2), hour: 0, minute: 0, second: 0
        )
        guard line.byte(at: 10) == UInt8(ascii: " "), TimeText.clock(line, at: 11, into: &time), time.isValid,
            let seconds = zone.seconds(time), let nanoseconds = CivilTime.nanoseconds(seconds: seconds)
        else { return false }
        rest.start = 21
        guard let severity = rest.take(until: UInt8(ascii: "]"), in: line), rest.skip(" ", in: line) else {
            return false
        }
        draft.time = nanoseconds
        draft.add(Fields.timestamp, Piece(0, 19))
        draft.add(Fields.severity, severity)
        let pid = line.digits(at: rest.start, atMost: 10, before: rest.end)
        if !pid.isEmpty, line.byte(at: pid.end) == UInt8(ascii: "#"), let colon = line.find(": ", in: rest) {
            draft.add(Fields.pid, pid, kind: .number)
            rest.start = colon + 2
        }
        draft.add(Fields.message, rest)
        client(line, rest, into: &draft)
        draft.eventClass = EventClasses.webError
        return true
    }

    /// `, client: ADDRESS, server: NAME, request: "…", host: "…", referrer: "…"` ends the message. A client chooses
    /// what stands before it (a path) and what stands in quotes behind it, so the last `, client: ` is believed only when no
    /// quoted part may contain it: none begins between the first `, client: ` and it.
    private static func client(_ line: Span<UInt8>, _ message: Piece, into draft: inout EventDraft) {
        guard let last = line.findLast(", client: ", in: message), let first = line.find(", client: ", in: message)
        else { return }
        if first < last {
            let between = Piece(first, last)
            guard line.find(", request: \"", in: between) == nil, line.find(", host: \"", in: between) == nil,
                line.find(", referrer: \"", in: between) == nil, line.find(", upstream: \"", in: between) == nil
            else { return }
        }
        let start = last + 10
        let end = line.find(UInt8(ascii: ","), in: Piece(start, message.end)) ?? message.end
        guard let address = AddressLiteral.address(in: line, Piece(start, end)) else { return }
        var rest = Piece(end, message.end)
        guard rest.isEmpty || rest.skip(", server: ", in: line) else { return }
        draft.addPeer(address)
        guard !rest.isEmpty else { return }
        let server = Piece(rest.start, line.find(UInt8(ascii: ","), in: rest) ?? rest.end)
        draft.add(Fields.server, server)
        rest.start = server.end
        guard rest.skip(", request: \"", in: line) else { return }
        request(line, rest, into: &draft)
    }

    /// nginx does not escape the request here; its method and target hold neither spaces nor, before the first space
    /// after them, anything but the client's own text.
    private static func request(_ line: Span<UInt8>, _ rest: Piece, into draft: inout EventDraft) {
        var rest = rest
        let method = rest.takeToken(in: line)
        guard rest.skip(" ", in: line) else { return }
        let target = rest.takeToken(in: line)
        guard rest.skip(" HTTP/", in: line) else { return }
        draft.add(Fields.csMethod, method)
        draft.add(Fields.csURI, target)
    }

    // MARK: Apache

    /// Brackets from the start of the line, in their order, until one that is not the server's.
    private static func apache(
        _ line: Span<UInt8>, _ rest: Piece, clock: inout SyslogClock, receivedAt: Int64, into draft: inout EventDraft
    ) -> Bool {
        var rest = rest
        guard rest.skip("[", in: line), var stamp = rest.take(until: UInt8(ascii: "]"), in: line) else { return false }
        let whole = stamp
        // The weekday says nothing that the date does not.
        guard stamp.count > 4, line.byte(at: stamp.start + 3) == UInt8(ascii: " ") else { return false }
        stamp.start += 4
        guard let time = clock.take(line, &stamp, receivedAt: receivedAt), stamp.isEmpty else { return false }
        draft.time = time
        draft.add(Fields.timestamp, whole)
        if rest.skip(" [", in: line), let level = rest.take(until: UInt8(ascii: "]"), in: line) {
            var severity = level
            if let colon = line.find(UInt8(ascii: ":"), in: level) { severity.start = colon + 1 }
            draft.add(Fields.severity, severity)
        }
        if rest.skip(" [pid ", in: line), let process = rest.take(until: UInt8(ascii: "]"), in: line) {
            let pid = line.digits(at: process.start, atMost: 10, before: process.end)
            if !pid.isEmpty { draft.add(Fields.pid, pid, kind: .number) }
        }
        _ = rest.skip(" ", in: line)
        peer(line, &rest, into: &draft)
        draft.add(Fields.message, rest)
        draft.eventClass = EventClasses.webError
        return true
    }

    /// `[client ADDRESS:PORT] `, maybe after the system's error (`(13)Permission denied: `), which is no client's text.
    private static func peer(_ line: Span<UInt8>, _ rest: inout Piece, into draft: inout EventDraft) {
        var cursor = rest
        if cursor.skip("(", in: line) {
            let number = line.digits(at: cursor.start, atMost: 6, before: cursor.end)
            guard !number.isEmpty, line.byte(at: number.end) == UInt8(ascii: ")"),
                let colon = line.find(": ", in: cursor)
            else { return }
            cursor.start = colon + 2
        }
        guard cursor.skip("[client ", in: line), let client = cursor.take(until: UInt8(ascii: "]"), in: line) else {
            return
        }
        var host = client
        if AddressLiteral.address(in: line, host) == nil, let colon = line.findLast(UInt8(ascii: ":"), in: client) {
            host.end = colon
            let port = Piece(colon + 1, client.end)
            if port.count <= 5, line.decimal(port) != nil { draft.add(Fields.srcPort, port, kind: .number) }
        } else if let colon = line.findLast(UInt8(ascii: ":"), in: client), !AddressLiteral.isIPv4(line, client),
            colon > client.start
        {
            // "2001:db8::7:5000" is an address by itself; with a port behind it, it is one more.
            let bare = Piece(client.start, colon)
            let port = Piece(colon + 1, client.end)
            if line.decimal(port) != nil, AddressLiteral.address(in: line, bare) != nil {
                host = bare
                draft.add(Fields.srcPort, port, kind: .number)
            }
        }
        if let address = AddressLiteral.address(in: line, host) { draft.addPeer(address) }
        if rest.start == cursor.start { return }
        _ = cursor.skip(" ", in: line)
        if line.byte(at: rest.start) == UInt8(ascii: "[") { rest = cursor }
    }
}
