internal import CZlib

/// Unpacks deflate, zlib and gzip, never into more than a bound.
enum Inflater {
    enum Form: Int32 {
        /// Without a header, as in zip.
        case raw = -15
        /// gzip or zlib, as the data says.
        case automatic = 47
    }

    /// - Parameter max: bytes that are made at most; more is a fault.
    static func inflate(_ bytes: ArraySlice<UInt8>, form: Form, max: Int) throws(ReadFault) -> [UInt8] {
        var stream = InflateStream(form)
        var output: [UInt8] = []
        try stream.feed(bytes) { (piece) throws(ReadFault) in
            guard output.count + piece.count <= max else { throw ReadFault("unpacks to more than \(max) bytes") }
            output.append(contentsOf: piece)
        }
        guard stream.isFinished else { throw ReadFault("the compressed data is cut off") }
        return output
    }
}

/// A compressed stream that is fed piece by piece.
@safe struct InflateStream: ~Copyable {
    private static let pieceBytes = 256 << 10

    /// zlib keeps a pointer back to it: it may not move.
    private let stream: UnsafeMutablePointer<z_stream>
    private var buffer = [UInt8](repeating: 0, count: InflateStream.pieceBytes)
    private(set) var isFinished = false
    private let isConcatenated: Bool
    private let isReady: Bool

    init(_ form: Inflater.Form) {
        isConcatenated = form == .automatic
        unsafe stream = .allocate(capacity: 1)
        unsafe stream.initialize(to: z_stream())
        isReady = unsafe inflateInit2_(stream, form.rawValue, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK
    }

    deinit {
        if isReady { unsafe inflateEnd(stream) }
        unsafe stream.deallocate()
    }

    /// Hands on what `input` unpacks to.
    mutating func feed(
        _ input: ArraySlice<UInt8>, _ body: (ArraySlice<UInt8>) throws(ReadFault) -> Void
    ) throws(ReadFault) {
        guard isReady else { throw ReadFault("no memory to unpack") }
        var consumed = 0
        while consumed < input.count {
            if isFinished {
                guard isConcatenated else { return }
                // gzip files may follow each other; zeros behind the last one are padding.
                guard input[input.startIndex + consumed] == 0x1F else { return }
                unsafe inflateReset(stream)
                isFinished = false
            }
            var produced = 0
            let (result, taken): (Int32, Int) = unsafe input.withUnsafeBufferPointer { source in
                unsafe buffer.withUnsafeMutableBufferPointer { target in
                    let available = min(source.count - consumed, Int(Int32.max))
                    unsafe stream.pointee.next_in = UnsafeMutablePointer(
                        mutating: source.baseAddress?.advanced(by: consumed))
                    unsafe stream.pointee.avail_in = UInt32(available)
                    unsafe stream.pointee.next_out = target.baseAddress
                    unsafe stream.pointee.avail_out = UInt32(target.count)
                    let result = unsafe CZlib.inflate(stream, Z_NO_FLUSH)
                    produced = unsafe target.count - Int(stream.pointee.avail_out)
                    return unsafe (result, available - Int(stream.pointee.avail_in))
                }
            }
            consumed += taken
            if produced > 0 { try body(buffer[..<produced]) }
            switch result {
            case Z_STREAM_END: isFinished = true
            case Z_OK: break
            case Z_BUF_ERROR where taken == 0 && produced == 0: return
            case Z_BUF_ERROR: break
            default: throw ReadFault("the compressed data is damaged")
            }
        }
    }
}
