import IronpostCore
import Testing

/// What travels between core and responder is read as if the other side were hostile.
struct CodecTests {
    @Test func whatIsWrittenIsRead() throws {
        var writer = MessageWriter()
        writer.write(UInt64.max)
        writer.write(Int32(-7))
        writer.write(true)
        writer.write("naïve")
        writer.write([UInt8](repeating: 9, count: 300))
        writer.write(["a", "b"]) { $0.write($1) }
        writer.write(String?.none) { $0.write($1) }
        writer.write("there") { $0.write($1) }
        var reader = MessageReader(writer.bytes)
        #expect(try reader.integer(UInt64.self) == .max)
        #expect(try reader.integer(Int32.self) == -7)
        #expect(try reader.bool())
        #expect(try reader.text() == "naïve")
        #expect(try reader.bytes() == [UInt8](repeating: 9, count: 300))
        #expect(try reader.list { (reader) throws(MessageFault) in try reader.text() } == ["a", "b"])
        #expect(try reader.optional { (reader) throws(MessageFault) in try reader.text() } == nil)
        #expect(try reader.optional { (reader) throws(MessageFault) in try reader.text() } == "there")
        try reader.finish()
    }

    @Test("lengths and counts beyond the bound, or beyond the message, are refused before anything is made of them")
    func lengths() {
        var huge = MessageWriter()
        huge.write(UInt32.max)
        var reader = MessageReader(huge.bytes)
        #expect(throws: MessageFault.self) { try reader.bytes() }
        reader = MessageReader(huge.bytes)
        #expect(throws: MessageFault.self) { try reader.text() }
        reader = MessageReader(huge.bytes)
        #expect(throws: MessageFault.self) {
            try reader.list { (reader) throws(MessageFault) in try reader.integer(UInt8.self) }
        }
        var short = MessageWriter()
        short.write(UInt32(5))
        short.write(UInt8(1))
        reader = MessageReader(short.bytes)
        #expect(throws: MessageFault.self) { try reader.bytes() }
    }

    @Test(
        "a text with a NUL or with bytes that are not UTF-8 is refused", arguments: [[0x61, 0, 0x62], [0xFF, 0xFE]])
    func texts(_ bytes: [UInt8]) {
        var writer = MessageWriter()
        writer.write(bytes)
        var reader = MessageReader(writer.bytes)
        #expect(throws: MessageFault.self) { try reader.text() }
    }

    @Test func bytesTooMany() throws {
        var writer = MessageWriter()
        writer.write(UInt8(1))
        writer.write(UInt8(2))
        var reader = MessageReader(writer.bytes)
        _ = try reader.integer(UInt8.self)
        #expect(throws: MessageFault.self) { try reader.finish() }
        #expect(throws: ResponderError.self) {
            try ResponderReply(body: writer.bytes).read { (reader) throws(MessageFault) in
                try reader.integer(UInt8.self)
            }
        }
    }

    @Test func headers() throws {
        let message = ResponderMessage(
            kind: .request, verb: 200, outcome: .refused, milliseconds: 1500, id: .max - 1, body: [1, 2, 3])
        let bytes = try message.encoded()
        let read = try ResponderMessage(decoding: bytes)
        #expect(read.kind == .request && read.verb == 200 && read.outcome == .refused)
        #expect(read.milliseconds == 1500 && read.id == .max - 1 && read.body == [1, 2, 3])
        for length in 0..<ResponderMessage.headerBytes {
            #expect(throws: MessageFault.self) { try ResponderMessage(decoding: Array(bytes[..<length])) }
        }
        var other = bytes
        other[0] = 2
        #expect(throws: MessageFault.self) { try ResponderMessage(decoding: other) }
        let tooLarge = ResponderMessage(
            kind: .reply, verb: 0, id: 1, body: [UInt8](repeating: 0, count: MessageBounds.bytesMax))
        #expect(throws: MessageFault.self) { try tooLarge.encoded() }
    }
}
