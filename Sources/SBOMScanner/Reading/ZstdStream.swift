internal import CZstd

/// A stream of zstd frames that is fed piece by piece.
@safe struct ZstdStream: ~Copyable {
    private static let pieceBytes = 256 << 10
    /// What a frame may ask to remember: 2 to this power, 128 MiB.
    private static let windowLogMax: Int32 = 27

    private let stream: OpaquePointer?
    private var buffer = [UInt8](repeating: 0, count: ZstdStream.pieceBytes)
    /// At the end of a frame.
    private(set) var isFinished = false

    static func isZstd(_ head: [UInt8]) -> Bool { head.starts(with: [0x28, 0xB5, 0x2F, 0xFD]) }

    init() {
        unsafe stream = ZSTD_createDCtx()
        if let stream = unsafe stream {
            _ = unsafe ZSTD_DCtx_setParameter(stream, ZSTD_d_windowLogMax, Self.windowLogMax)
        }
    }

    deinit { _ = unsafe ZSTD_freeDCtx(stream) }

    /// Hands on what `input` unpacks to.
    mutating func feed(
        _ input: ArraySlice<UInt8>, _ body: (ArraySlice<UInt8>) throws(ReadFault) -> Void
    ) throws(ReadFault) {
        guard let stream = unsafe stream else { throw ReadFault("no memory to unpack") }
        var consumed = 0
        var produced = buffer.count
        // A full buffer may leave more behind, although all of the input is taken.
        while consumed < input.count || produced == buffer.count {
            let result = unsafe input.withUnsafeBufferPointer { source in
                unsafe buffer.withUnsafeMutableBufferPointer { target in
                    var from = unsafe ZSTD_inBuffer(src: source.baseAddress, size: source.count, pos: consumed)
                    var into = unsafe ZSTD_outBuffer(dst: target.baseAddress, size: target.count, pos: 0)
                    let result = unsafe ZSTD_decompressStream(stream, &into, &from)
                    unsafe consumed = from.pos
                    unsafe produced = into.pos
                    return result
                }
            }
            guard ZSTD_isError(result) == 0 else { throw ReadFault("the compressed data is damaged") }
            isFinished = result == 0
            if produced > 0 { try body(buffer[..<produced]) }
        }
    }
}
