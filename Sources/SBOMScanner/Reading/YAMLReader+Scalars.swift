extension YAMLParser {
    /// A plain scalar with the lines that continue it; moves on to the next content.
    mutating func plain(indent: Int) throws(ReadFault) -> Text {
        let first = plainLine()
        var lineEnd = index
        var text: Text = (Int32(first.lowerBound), Int32(first.count), false)
        while true {
            // How far the next line with content is indented.
            var place = lineEnd
            var breaks = 0
            var lineStart = place
            while place < tree.bytes.count, isBlank(tree.bytes[place]) {
                if tree.bytes[place] == 0x0A {
                    breaks += 1
                    lineStart = place + 1
                }
                place += 1
            }
            let isContinued =
                place < tree.bytes.count && breaks > 0 && place - lineStart > max(indent, 0) - (indent < 0 ? 1 : 0)
                && tree.bytes[place] != 0x23 && byte(at: lineEnd) != 0x23
            guard isContinued else { break }
            if !text.isDecoded {
                let begin = tree.decoded.count
                tree.decoded.append(contentsOf: tree.bytes[first])
                text = (Int32(begin), Int32(first.count), true)
            }
            if breaks == 1 {
                tree.decoded.append(0x20)
            } else {
                for _ in 1..<breaks { tree.decoded.append(0x0A) }
            }
            index = place
            let line = plainLine()
            tree.decoded.append(contentsOf: tree.bytes[line])
            text.count = Int32(tree.decoded.count) - text.start
            lineEnd = index
        }
        index = lineEnd
        try nextContent()
        return text
    }

    /// The rest of the line up to a comment, without spaces at its end.
    private mutating func plainLine() -> Range<Int> {
        let start = index
        while index < tree.bytes.count, peek != 0x0A {
            if peek == 0x23, index > start, isBlank(tree.bytes[index - 1]) { break }
            index += 1
        }
        var end = index
        while end > start, isBlank(tree.bytes[end - 1]) { end -= 1 }
        return start..<end
    }

    /// A quoted scalar, over several lines if it is; `index` stands behind it.
    mutating func quoted() throws(ReadFault) -> Text {
        let quote = peek
        index += 1
        let start = index
        while index < tree.bytes.count {
            let byte = peek
            if byte == quote, quote == 0x22 || self.byte(at: index + 1) != 0x27 {
                index += 1
                return (Int32(start), Int32(index - 1 - start), false)
            }
            if byte == quote || byte == 0x5C && quote == 0x22 || byte == 0x0A { break }
            index += 1
        }
        let begin = tree.decoded.count
        tree.decoded.append(contentsOf: tree.bytes[start..<index])
        while index < tree.bytes.count {
            let byte = peek
            index += 1
            if byte == quote {
                guard quote == 0x27, peek == 0x27 else {
                    return (Int32(begin), Int32(tree.decoded.count - begin), true)
                }
                index += 1
                tree.decoded.append(0x27)
            } else if byte == 0x5C, quote == 0x22 {
                try escape()
            } else if byte == 0x0A {
                fold(from: begin)
            } else {
                tree.decoded.append(byte)
            }
        }
        throw fault("the file ends inside a string")
    }

    /// A line end inside quotes: a space, or as many line feeds as there are empty lines.
    private mutating func fold(from begin: Int) {
        while tree.decoded.count > begin, let last = tree.decoded.last, last == 0x20 || last == 0x0D || last == 0x09 {
            tree.decoded.removeLast()
        }
        var empty = 0
        while index < tree.bytes.count, isBlank(peek) {
            if peek == 0x0A { empty += 1 }
            index += 1
        }
        if empty == 0 { tree.decoded.append(0x20) }
        for _ in 0..<empty { tree.decoded.append(0x0A) }
    }

    private mutating func escape() throws(ReadFault) {
        let escape = peek
        index += 1
        switch escape {
        case 0x22, 0x5C, 0x2F, 0x20: tree.decoded.append(escape)
        case 0x30: tree.decoded.append(0)
        case 0x61: tree.decoded.append(0x07)
        case 0x62: tree.decoded.append(0x08)
        case 0x65: tree.decoded.append(0x1B)
        case 0x66: tree.decoded.append(0x0C)
        case 0x6E: tree.decoded.append(0x0A)
        case 0x72: tree.decoded.append(0x0D)
        case 0x74, 0x09: tree.decoded.append(0x09)
        case 0x76: tree.decoded.append(0x0B)
        case 0x4E: appendScalar(0x85, to: &tree.decoded)
        case 0x5F: appendScalar(0xA0, to: &tree.decoded)
        case 0x4C: appendScalar(0x2028, to: &tree.decoded)
        case 0x50: appendScalar(0x2029, to: &tree.decoded)
        case 0x78: try hexadecimal(2)
        case 0x75: try hexadecimal(4)
        case 0x55: try hexadecimal(8)
        case 0x0A, 0x0D:
            // The line goes on in the next one.
            while index < tree.bytes.count, peek == 0x20 || peek == 0x09 || peek == 0x0A { index += 1 }
        default: throw fault("an unknown escape in a string")
        }
    }

    private mutating func hexadecimal(_ digits: Int) throws(ReadFault) {
        guard index + digits <= tree.bytes.count,
            let value = UInt32(String(decoding: tree.bytes[index..<(index + digits)], as: UTF8.self), radix: 16)
        else { throw fault("\(digits) hexadecimal digits were expected") }
        index += digits
        appendScalar(value, to: &tree.decoded)
    }

    /// `|` and `>`; moves on to the next content.
    mutating func blockScalar(indent: Int) throws(ReadFault) -> Text {
        let isFolded = peek == 0x3E
        index += 1
        var chomp: UInt8 = 0
        var own = -1
        while index < tree.bytes.count, !isBlank(peek), peek != 0x23 {
            if peek == 0x2B || peek == 0x2D {
                chomp = peek
            } else if peek >= 0x31, peek <= 0x39 {
                own = max(indent, 0) + Int(peek - 0x30)
            } else {
                throw fault("an unknown mark after | or >")
            }
            index += 1
        }
        while index < tree.bytes.count, peek != 0x0A { index += 1 }
        index += 1
        let begin = tree.decoded.count
        var breaks = 0
        var wasMoreIndented = false
        var isFirst = true
        while index < tree.bytes.count {
            let lineStart = index
            var place = index
            while byte(at: place) == 0x20, place < tree.bytes.count, own < 0 || place - lineStart < own { place += 1 }
            let width = place - lineStart
            if byte(at: place) == 0x0A || byte(at: place) == 0x0D && byte(at: place + 1) == 0x0A {
                breaks += 1
                index = byte(at: place) == 0x0D ? place + 2 : place + 1
                continue
            }
            if own < 0 {
                guard width > indent else { break }
                own = width
            }
            guard width >= own else { break }
            let isMoreIndented = isBlank(byte(at: place))
            if isFolded, !isFirst, !isMoreIndented, !wasMoreIndented {
                if breaks == 1 {
                    tree.decoded.append(0x20)
                } else {
                    for _ in 1..<max(breaks, 1) { tree.decoded.append(0x0A) }
                }
            } else {
                for _ in 0..<breaks { tree.decoded.append(0x0A) }
            }
            breaks = 0
            var end = place
            while end < tree.bytes.count, tree.bytes[end] != 0x0A { end += 1 }
            let content = end > place && tree.bytes[end - 1] == 0x0D ? end - 1 : end
            tree.decoded.append(contentsOf: tree.bytes[place..<content])
            index = min(end + 1, tree.bytes.count)
            breaks = 1
            wasMoreIndented = isMoreIndented
            isFirst = false
        }
        if chomp == 0x2B {
            for _ in 0..<breaks { tree.decoded.append(0x0A) }
        } else if chomp == 0, !isFirst {
            tree.decoded.append(0x0A)
        }
        let text: Text = (Int32(begin), Int32(tree.decoded.count - begin), true)
        // `index` is at the start of a line: step back onto the line end before it.
        index = min(index, tree.bytes.count)
        if index > 0, index < tree.bytes.count || tree.bytes[index - 1] == 0x0A { index -= 1 }
        try nextContent()
        return text
    }

    /// `{…}` and `[…]`, over several lines if they are; `index` stands behind it.
    mutating func flow(named name: Text?, in parent: Int32?, depth: Int) throws(ReadFault) {
        guard depth < limits.depthMax else { throw fault("nested deeper than \(limits.depthMax)") }
        let isObject = peek == 0x7B
        let closing: UInt8 = isObject ? 0x7D : 0x5D
        index += 1
        let owner = try add(made(isObject ? .object : .array, name), to: parent)
        flowSpace()
        while peek != closing {
            guard index < tree.bytes.count else { throw fault("the file ends inside a collection") }
            if isObject {
                let key = try flowScalar(isKey: true)
                flowSpace()
                if peek == 0x3A {
                    index += 1
                    flowSpace()
                    try flowValue(named: key.text, in: owner, depth: depth)
                } else {
                    _ = try add(made(.null, key.text), to: owner)
                }
            } else {
                try flowValue(named: nil, in: owner, depth: depth)
            }
            flowSpace()
            if peek == 0x2C {
                index += 1
                flowSpace()
            } else if peek != closing {
                throw fault("\",\" was expected")
            }
        }
        index += 1
    }

    private mutating func flowValue(named name: Text?, in owner: Int32, depth: Int) throws(ReadFault) {
        switch peek {
        case 0x7B, 0x5B: try flow(named: name, in: owner, depth: depth + 1)
        case 0x2C, 0x7D, 0x5D: _ = try add(made(.null, name), to: owner)
        default:
            let scalar = try flowScalar(isKey: false)
            if scalar.isQuoted {
                try addText(scalar.text, named: name, to: owner)
            } else {
                try addPlain(scalar.text, named: name, to: owner)
            }
        }
    }

    private mutating func flowScalar(isKey: Bool) throws(ReadFault) -> (text: Text, isQuoted: Bool) {
        switch peek {
        case 0x22, 0x27: return (try quoted(), true)
        case 0x26, 0x2A, 0x21: throw fault("anchors, aliases and tags are not read")
        default: break
        }
        let start = index
        loop: while index < tree.bytes.count {
            switch peek {
            case 0x2C, 0x5D, 0x7D, 0x5B, 0x7B, 0x0A: break loop
            case 0x3A:
                let next = byte(at: index + 1)
                if isBlank(next) || next == 0x2C || next == 0x7D || next == 0x5D { break loop }
            case 0x23 where index > start && isBlank(tree.bytes[index - 1]): break loop
            default: break
            }
            index += 1
        }
        var end = index
        while end > start, isBlank(tree.bytes[end - 1]) { end -= 1 }
        guard end > start else { throw fault("a value was expected") }
        return ((Int32(start), Int32(end - start), false), false)
    }

    private mutating func flowSpace() {
        while index < tree.bytes.count {
            if isBlank(peek) {
                index += 1
            } else if peek == 0x23 {
                while index < tree.bytes.count, peek != 0x0A { index += 1 }
            } else {
                return
            }
        }
    }
}
