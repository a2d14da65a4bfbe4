internal import CZlib

enum Checksum {
    static func crc32(_ bytes: [UInt8]) -> UInt32 {
        unsafe bytes.withUnsafeBufferPointer { buffer in
            var value = CZlib.crc32(0, nil, 0)
            var rest = unsafe buffer[...]
            while unsafe !rest.isEmpty {
                let piece = unsafe rest.prefix(1 << 30)
                value = unsafe CZlib.crc32(
                    value, UnsafeBufferPointer(rebasing: piece).baseAddress, UInt32(piece.count)
                )
                unsafe rest = rest[piece.endIndex...]
            }
            return UInt32(truncatingIfNeeded: value)
        }
    }
}
