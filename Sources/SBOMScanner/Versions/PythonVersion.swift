/// PEP 440, in the order that its section "Summary of permitted suffixes and relative ordering" gives.
enum PythonVersion {
    /// A version's parts, normalised.
    struct Parts {
        var epoch: ArraySlice<UInt8> = []
        var release: [ArraySlice<UInt8>] = []
        var pre: (letter: UInt8, number: ArraySlice<UInt8>)?
        var post: ArraySlice<UInt8>?
        var dev: ArraySlice<UInt8>?
        var local: [ArraySlice<UInt8>] = []
    }

    static func key(_ text: [UInt8]) -> [UInt8]? {
        guard let parts = parse(text) else { return nil }
        var key = KeyBuilder()
        key.number(parts.epoch)
        var release = parts.release
        while release.count > 1, release[release.count - 1].allSatisfy({ $0 == 0x30 }) { release.removeLast() }
        for number in release {
            key.tag(1)
            key.number(number)
        }
        key.tag(0)
        // 1.0.dev1 < 1.0a1 < 1.0 < 1.0.post1
        if let pre = parts.pre {
            key.tag(pre.letter == 0x61 ? 1 : pre.letter == 0x62 ? 2 : 3)
            key.number(pre.number)
        } else {
            key.tag(parts.post == nil && parts.dev != nil ? 0 : 4)
        }
        if let post = parts.post {
            key.tag(1)
            key.number(post)
        } else {
            key.tag(0)
        }
        if let dev = parts.dev {
            key.tag(0)
            key.number(dev)
        } else {
            key.tag(1)
        }
        for segment in parts.local {
            if segment.allSatisfy(\.isDigit) {
                key.tag(2)
                key.number(segment)
            } else {
                key.tag(1)
                key.text(segment)
            }
        }
        key.tag(0)
        return key.bytes
    }

    static func parse(_ bytes: [UInt8]) -> Parts? {
        var start = 0
        while start < bytes.count, bytes[start] == 0x20 || bytes[start] == 0x09 { start += 1 }
        var cursor = VersionCursor(bytes[start...].map(\.lowercased))
        _ = cursor.eat(0x76)
        var parts = Parts()
        var digits = cursor.digits()
        guard !digits.isEmpty else { return nil }
        if cursor.eat(0x21) {
            parts.epoch = digits
            digits = cursor.digits()
            guard !digits.isEmpty else { return nil }
        }
        parts.release = [digits]
        while cursor.peek == 0x2E, cursor.index + 1 < cursor.text.count, cursor.text[cursor.index + 1].isDigit {
            cursor.index += 1
            parts.release.append(cursor.digits())
        }
        if let (word, number) = suffix(&cursor, ["alpha", "a", "beta", "b", "preview", "pre", "rc", "c"]) {
            let letter: UInt8 = word.hasPrefix("a") ? 0x61 : word.hasPrefix("b") ? 0x62 : 0x63
            parts.pre = (letter, number)
        }
        if cursor.peek == 0x2D, cursor.index + 1 < cursor.text.count, cursor.text[cursor.index + 1].isDigit {
            cursor.index += 1
            parts.post = cursor.digits()
        } else if let (_, number) = suffix(&cursor, ["post", "rev", "r"]) {
            parts.post = number
        }
        if let (_, number) = suffix(&cursor, ["dev"]) { parts.dev = number }
        if cursor.eat(0x2B) {
            repeat {
                let segment = cursor.take { $0.isDigit || $0.isLower }
                guard !segment.isEmpty else { return nil }
                parts.local.append(segment)
                guard let next = cursor.peek, next == 0x2E || next == 0x2D || next == 0x5F else { break }
                cursor.index += 1
            } while true
        }
        return cursor.isAtEnd ? parts : nil
    }

    /// `[-_.]?WORD[-_.]?DIGITS?`
    private static func suffix(_ cursor: inout VersionCursor, _ words: [String]) -> (String, ArraySlice<UInt8>)? {
        var trial = cursor
        if let byte = trial.peek, isSeparator(byte) { trial.index += 1 }
        guard let word = words.first(where: { trial.text[trial.index...].starts(with: $0.utf8) }) else { return nil }
        trial.index += word.utf8.count
        if let byte = trial.peek, isSeparator(byte), trial.index + 1 < trial.text.count,
            trial.text[trial.index + 1].isDigit
        {
            trial.index += 1
        }
        let number = trial.digits()
        cursor = trial
        return (word, number)
    }

    private static func isSeparator(_ byte: UInt8) -> Bool { byte == 0x2E || byte == 0x2D || byte == 0x5F }
}
