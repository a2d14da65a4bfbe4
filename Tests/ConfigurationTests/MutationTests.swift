import Testing

@testable import IronpostCore

@Suite("Damaged files are refused or read, and never crash")
struct MutationTests {
    /// A small generator with a seed, so that a failure can be repeated.
    struct Random: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var mixed = state
            mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
            return mixed ^ (mixed >> 31)
        }
    }

    static let pieces =
        [
            "[", "]", "[[", "]]", "{", "}", "\"", "'''", "\"\"\"", "\\", "\\u", "\\U0010FFFF", "=", ".", ",", "\n",
            "\r", "#",
            "0x", "1e", "inf", "nan", "-", "_", "1979-05-27T07:32:00Z", "9223372036854775808", "é", "\u{FEFF}", "\0",
        ].map { Array($0.utf8) } + [[0xFF], [0xC3], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80]]

    @Test(arguments: [UInt64](1...4))
    func mutations(seed: UInt64) throws {
        var random = Random(state: seed)
        let text = try #require(Configuration().rendered())
        let original = Array((text + "\n[a.b]\nc.d = {e = [1, 2.5, true], 'f' = 07:32:00}\n[[g]]\nh = '''x'''").utf8)
        var parsed = 0
        for _ in 0..<1500 {
            var bytes = original
            // Short files reach deeper into the parser's corners.
            if Bool.random(using: &random) {
                let start = Int.random(in: 0..<bytes.count, using: &random)
                bytes = Array(bytes[start..<min(bytes.count, start + 80)])
            }
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                let place = Int.random(in: 0...bytes.count, using: &random)
                let end = min(bytes.count, place + Int.random(in: 0...8, using: &random))
                switch Int.random(in: 0..<4, using: &random) {
                case 0: bytes.replaceSubrange(place..<end, with: Self.pieces.randomElement(using: &random) ?? [])
                case 1: bytes.removeSubrange(place..<end)
                case 2:
                    bytes.insert(contentsOf: bytes[place..<end], at: Int.random(in: 0...bytes.count, using: &random))
                default: bytes.insert(UInt8.random(in: .min ... .max, using: &random), at: place)
                }
            }
            var document = ConfigurationDocument(keys: ConfigurationKey.all)
            document.read(bytes, path: "m.toml")
            if document.faults.allSatisfy({ $0.key != nil }) { parsed += 1 }
            for fault in document.faults {
                let isOneLine = !fault.description.unicodeScalars.contains(where: ConfigurationText.isUnprintable)
                #expect(isOneLine && fault.description.utf8.count < 4096, "\(bytes)")
            }
            for key in ConfigurationKey.all {
                guard let written = document.values[key.path] else { continue }
                var configuration = Configuration()
                do throws(ValueProblems) {
                    try key.assign(written.value, &configuration)
                } catch {
                    #expect(!error.problems.isEmpty)
                }
            }
        }
        #expect(parsed > 0)
    }
}
