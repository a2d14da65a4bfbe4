/// One message of a stream of server-sent events.
struct StreamMessage: Sendable, Equatable {
    var event: String
    var data: [UInt8]
}

/// Cuts a stream of server-sent events into messages; comments are left out.
struct StreamParser {
    static let messageBytesMax = 8 << 20

    private var line: [UInt8] = []
    private var event = ""
    private var data: [UInt8] = []

    /// The messages that are complete with these bytes.
    mutating func feed(_ bytes: some Sequence<UInt8>) throws(CommandFailure) -> [StreamMessage] {
        var messages: [StreamMessage] = []
        for byte in bytes {
            guard byte == UInt8(ascii: "\n") else {
                guard line.count + data.count < Self.messageBytesMax else {
                    throw CommandFailure(.failure, "a message of the daemon is longer than 8 MiB")
                }
                line.append(byte)
                continue
            }
            if let message = endLine() { messages.append(message) }
        }
        return messages
    }

    private mutating func endLine() -> StreamMessage? {
        defer { line.removeAll(keepingCapacity: true) }
        guard !line.isEmpty else {
            defer {
                event = ""
                data = []
            }
            return data.isEmpty ? nil : StreamMessage(event: event, data: data)
        }
        if let value = value(of: "event: ") {
            event = String(decoding: value, as: UTF8.self)
        } else if let value = value(of: "data: ") {
            if !data.isEmpty { data.append(UInt8(ascii: "\n")) }
            data += value
        }
        return nil
    }

    private func value(of prefix: String) -> ArraySlice<UInt8>? {
        line.starts(with: prefix.utf8) ? line.dropFirst(prefix.utf8.count) : nil
    }
}
