import Glibc

extension ValueKind<String> {
    /// A network interface's name, or a shell pattern for several.
    static var interfaceName: ValueKind {
        .text(
            "an interface", range: "a name or pattern of 1 to 15 bytes without slashes and blanks",
            parse: { text in
                let isName =
                    (1...15).contains(text.utf8.count) && text.utf8.allSatisfy { $0 > 0x20 && $0 != 0x2F && $0 != 0x7F }
                return isName ? text : nil
            },
            show: { $0 }
        )
    }

    /// An address or a network, kept as it was written.
    static var networkText: ValueKind {
        .text(
            "a network", range: "an address or a network such as 203.0.113.0/24 or 2001:db8::/32",
            parse: { text in
                let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
                guard let first = parts.first else { return nil }
                var (four, six) = (in_addr(), in6_addr())
                let isFour = unsafe inet_pton(AF_INET, String(first), &four) == 1
                let isSix = unsafe inet_pton(AF_INET6, String(first), &six) == 1
                guard isFour || isSix else { return nil }
                guard parts.count == 2 else { return text }
                guard let length = Int(parts[1]), (0...(isFour ? 32 : 128)).contains(length) else { return nil }
                return text
            },
            show: { $0 }
        )
    }
}

extension ValueKind<Int> {
    static func powerOfTwo(_ bounds: ClosedRange<Int>) -> ValueKind {
        let range = "a power of two, \(bounds.lowerBound) to \(bounds.upperBound)"
        let plain = ValueKind.integer(bounds)
        return ValueKind(
            noun: "an integer", range: range, schema: plain.schema,
            decode: { written in
                switch plain.decode(written) {
                case .success(let value) where value.nonzeroBitCount != 1: written.refused(use: range)
                case let other: other
                }
            },
            show: plain.show
        )
    }
}
