/// Finds a text that every match of an expression contains.
enum RegexLiterals {
    /// The longest run of folded bytes that no match can do without; empty when there is none.
    ///
    /// Case does not matter here: what matches `[Aa]` folds to `a`, so a set of scalars counts as one byte sequence
    /// when all of its members fold alike.
    static func required(_ node: RegexNode) -> [UInt8] {
        var scan = Scan()
        scan.visit(node)
        scan.close()
        return scan.best
    }

    private struct Scan {
        var best: [UInt8] = []
        var run: [UInt8] = []
        var work = 0

        mutating func close() {
            if run.count > best.count { best = run }
            run.removeAll()
        }

        mutating func visit(_ node: RegexNode) {
            work += 1
            guard work <= 10_000 else { return close() }
            switch node {
            case .empty, .assertion: break
            case .group(_, let inner), .lazy(let inner): visit(inner)
            case .characters(let ranges):
                if let bytes = RegexLiterals.folded(ranges) { run += bytes } else { close() }
            case .concatenation(let parts):
                for part in parts { visit(part) }
            case .alternation:
                close()
            case .repetition(let inner, let min, let max):
                guard min > 0 else { return close() }
                if min == max {
                    for _ in 0..<Swift.min(min, 64) { visit(inner) }
                    if min > 64 { close() }
                } else {
                    visit(inner)
                    close()
                    // What follows the last repetition follows a whole one.
                    visit(inner)
                }
            }
        }
    }

    private static func folded(_ ranges: [ClosedRange<UInt32>]) -> [UInt8]? {
        var bytes: [UInt8]?
        var count = 0
        for range in ranges {
            for scalar in range {
                count += 1
                guard count <= 8 else { return nil }
                var encoded: [UInt8] = []
                Folding.appendUTF8(scalar, to: &encoded)
                let folded = Folding.fold(encoded)
                if let bytes, bytes != folded { return nil }
                bytes = folded
            }
        }
        return bytes
    }
}
