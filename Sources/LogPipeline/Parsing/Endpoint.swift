internal import Sigma

/// The peer of a connection as a daemon writes it: `203.0.113.7 port 4242`.
///
/// Log messages mix what the daemon knows with what a stranger typed. These functions read an address only where the
/// daemon wrote it: right at the start of what is left, or right at the end. None of them searches.
struct Endpoint {
    /// The address literal; `nil` when the daemon wrote a name, or `UNKNOWN`.
    var address: Piece?
    var port: Piece?

    /// A message this long may have been cut by the daemon (sshd's buffer is 1,024 bytes) or on its way, and then its
    /// end is not what the daemon put there: nothing is read from it.
    static let messageMax = 900

    /// Takes `HOST port N` (or just `HOST`) off the end of `rest`, after `keyword`; `nil`, with `rest` as it was, when
    /// the end is not of this shape.
    static func takeLast(
        after keyword: StaticString, in line: Span<UInt8>, _ rest: inout Piece, needsPort: Bool
    ) -> Endpoint? {
        var cursor = rest
        guard var host = cursor.takeLastToken(in: line) else { return nil }
        var port: Piece?
        if line.decimal(host) != nil, cursor.dropSuffix(" port", in: line) {
            guard isPort(line, host) else { return nil }
            port = host
            guard let before = cursor.takeLastToken(in: line) else { return nil }
            host = before
        } else if needsPort {
            return nil
        }
        guard !host.isEmpty, cursor.dropSuffix(keyword, in: line) else { return nil }
        rest = cursor
        return Endpoint(address: AddressLiteral.address(in: line, host), port: port)
    }

    /// Takes `HOST port N` (or just `HOST`) off the front of `rest`; a `:` or `,` that ends it is left.
    static func takeFirst(in line: Span<UInt8>, _ rest: inout Piece) -> Endpoint? {
        var cursor = rest
        var host = cursor.takeToken(in: line)
        guard !host.isEmpty else { return nil }
        let last = line.byte(at: host.end - 1)
        if last == UInt8(ascii: ":") || last == UInt8(ascii: ",") {
            host.end -= 1
            rest.start = host.end
            return Endpoint(address: AddressLiteral.address(in: line, host), port: nil)
        }
        var port: Piece?
        var afterPort = cursor
        if afterPort.skip(" port ", in: line) {
            let digits = line.digits(at: afterPort.start, atMost: 5, before: afterPort.end)
            if isPort(line, digits), isDelimiter(line.byte(at: digits.end), atEnd: digits.end >= rest.end) {
                port = digits
                cursor.start = digits.end
            }
        }
        rest = cursor
        return Endpoint(address: AddressLiteral.address(in: line, host), port: port)
    }

    func add(to draft: inout EventDraft) {
        if let address { draft.addPeer(address) }
        if let port { draft.add(Fields.srcPort, port, kind: .number) }
    }

    private static func isPort(_ line: Span<UInt8>, _ piece: Piece) -> Bool {
        guard piece.count <= 5, let number = line.decimal(piece) else { return false }
        return number <= 65_535
    }

    private static func isDelimiter(_ byte: UInt8, atEnd: Bool) -> Bool {
        atEnd || byte == UInt8(ascii: " ") || byte == UInt8(ascii: ":") || byte == UInt8(ascii: ",")
    }
}
