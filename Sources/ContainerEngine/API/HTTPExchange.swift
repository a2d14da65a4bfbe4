import Glibc

/// One request and its answer on a connection of its own: HTTP/1.1, read piece by piece, every piece bounded.
struct HTTPExchange: ~Copyable {
    /// Status line and headers together.
    static let headBytesMax = 64 << 10
    /// The line before a chunk: its length, and extensions that nobody sends.
    static let chunkLineBytesMax = 1024
    private static let readBytes = 64 << 10

    private enum Body {
        case length(Int)
        /// Inside a chunk, with this many bytes left.
        case chunk(Int)
        case betweenChunks(isFirst: Bool)
        case untilEnd
        case finished
    }

    private let socket: EngineSocket
    private let what: String
    private var buffer: [UInt8] = []
    private var start = 0
    private var body = Body.finished
    private(set) var status = 0
    private(set) var headers: [String: String] = [:]

    private init(socket: consuming EngineSocket, what: String) {
        self.socket = socket
        self.what = what
    }

    /// Sends the request and reads the head of the answer.
    static func open(
        path: String, method: String, target: String, json: [UInt8]? = nil, deadline: ContinuousClock.Instant
    ) throws(EngineFault) -> HTTPExchange {
        let what = "\(method) \(target)"
        let socket = try EngineSocket(path: path, what: what, deadline: deadline)
        var request = "\(method) \(target) HTTP/1.1\r\nHost: engine\r\nUser-Agent: ironpost\r\nConnection: close\r\n"
        if let json { request += "Content-Type: application/json\r\nContent-Length: \(json.count)\r\n" }
        if json == nil, method == "POST" { request += "Content-Length: 0\r\n" }
        try socket.write(Array((request + "\r\n").utf8) + (json ?? []), deadline: deadline)
        var exchange = HTTPExchange(socket: socket, what: what)
        repeat { try exchange.readHead(deadline) } while exchange.status >= 100 && exchange.status < 200
        return exchange
    }

    // MARK: - Head

    private mutating func readHead(_ deadline: ContinuousClock.Instant) throws(EngineFault) {
        headers = [:]
        var lines = 0
        var bytes = 0
        while true {
            let line = try line(bytesMax: Self.headBytesMax - bytes, deadline)
            bytes += line.utf8.count + 2
            if lines == 0 {
                let words = line.split(separator: " ", maxSplits: 2)
                guard words.count >= 2, words[0].hasPrefix("HTTP/1."), let code = Int(words[1]),
                    (100...999).contains(code)
                else { throw .malformed("\(what): the answer is no HTTP") }
                status = code
            } else if line.isEmpty {
                break
            } else if let colon = line.firstIndex(of: ":") {
                headers[line[..<colon].lowercased()] = String(line[line.index(after: colon)...].drop { $0 == " " })
            }
            lines += 1
        }
        if status == 204 || status == 304 || (100..<200).contains(status) {
            body = .finished
        } else if headers["transfer-encoding"]?.lowercased().contains("chunked") == true {
            body = .betweenChunks(isFirst: true)
        } else if let text = headers["content-length"] {
            guard let length = Int(text), length >= 0 else { throw .malformed("\(what): Content-Length") }
            body = length == 0 ? .finished : .length(length)
        } else {
            body = .untilEnd
        }
    }

    /// The next line without its end.
    private mutating func line(bytesMax: Int, _ deadline: ContinuousClock.Instant) throws(EngineFault) -> String {
        var searched = start
        while true {
            if let end = buffer[searched...].firstIndex(of: 0x0A) {
                guard end - start <= bytesMax else { throw .tooLarge("\(what): head", bytesMax: Self.headBytesMax) }
                var last = end
                if last > start, buffer[last - 1] == 0x0D { last -= 1 }
                let text = String(decoding: buffer[start..<last], as: UTF8.self)
                start = end + 1
                return text
            }
            searched = buffer.count
            guard buffer.count - start <= bytesMax else {
                throw .tooLarge("\(what): head", bytesMax: Self.headBytesMax)
            }
            guard try fill(deadline) else { throw .truncated(what) }
            searched -= dropped
        }
    }

    /// Bytes that the last `fill` shifted out of the buffer's front.
    private var dropped = 0

    private mutating func fill(_ deadline: ContinuousClock.Instant) throws(EngineFault) -> Bool {
        dropped = start
        if start > 0 {
            buffer.removeFirst(start)
            start = 0
        }
        return try socket.read(into: &buffer, count: Self.readBytes, deadline: deadline)
    }

    // MARK: - Body

    /// The next piece of the body, as it came; `nil` at its end.
    mutating func piece(deadline: ContinuousClock.Instant) throws(EngineFault) -> ArraySlice<UInt8>? {
        while true {
            switch body {
            case .finished:
                return nil
            case .length(let left):
                let piece = try take(left, deadline)
                body = piece.count == left ? .finished : .length(left - piece.count)
                return piece
            case .chunk(let left):
                let piece = try take(left, deadline)
                body = piece.count == left ? .betweenChunks(isFirst: false) : .chunk(left - piece.count)
                return piece
            case .betweenChunks(let isFirst):
                if !isFirst {
                    guard try line(bytesMax: 2, deadline).isEmpty else { throw .malformed("\(what): chunk") }
                    // A deadline may pass before the next line is there; this one is taken.
                    body = .betweenChunks(isFirst: true)
                }
                let text = try line(bytesMax: Self.chunkLineBytesMax, deadline)
                let digits = text.prefix { $0.isHexDigit }
                guard !digits.isEmpty, digits.utf8.count <= 8, let length = Int(digits, radix: 16) else {
                    throw .malformed("\(what): length of a chunk")
                }
                body = length == 0 ? .finished : .chunk(length)
            case .untilEnd:
                if start == buffer.count, try !fill(deadline) {
                    body = .finished
                    return nil
                }
                return try take(.max, deadline)
            }
        }
    }

    private mutating func take(_ count: Int, _ deadline: ContinuousClock.Instant) throws(EngineFault) -> ArraySlice<
        UInt8
    > {
        if start == buffer.count {
            guard try fill(deadline) else { throw .truncated(what) }
        }
        let end = start + min(count, buffer.count - start)
        defer { start = end }
        return buffer[start..<end]
    }

    /// The whole body. One that announces or brings more than `bytesMax` is refused before it is read.
    mutating func wholeBody(bytesMax: Int, deadline: ContinuousClock.Instant) throws(EngineFault) -> [UInt8] {
        if case .length(let length) = body, length > bytesMax { throw .tooLarge(what, bytesMax: bytesMax) }
        var whole: [UInt8] = []
        while let piece = try piece(deadline: deadline) {
            guard whole.count + piece.count <= bytesMax else { throw .tooLarge(what, bytesMax: bytesMax) }
            whole.append(contentsOf: piece)
        }
        return whole
    }

    /// The body's beginning, at most `bytesMax`; whether more was left out.
    mutating func beginning(
        bytesMax: Int, deadline: ContinuousClock.Instant
    ) throws(EngineFault) -> (bytes: [UInt8], isCut: Bool) {
        var bytes: [UInt8] = []
        while let piece = try piece(deadline: deadline) {
            let room = bytesMax - bytes.count
            bytes.append(contentsOf: piece.prefix(room))
            if piece.count > room { return (bytes, true) }
        }
        return (bytes, false)
    }
}
