/// Rows and columns of text that fit a terminal's width: the columns that may shrink do so, and cells are cut with an
/// ellipsis. Every cell is escaped.
struct Table {
    struct Column {
        var title: String
        /// Gives way when the table is too wide.
        var canShrink: Bool

        init(_ title: String, canShrink: Bool = false) {
            self.title = title
            self.canShrink = canShrink
        }
    }

    struct Cell {
        var text: String
        var style: Terminal.Style?

        init(_ text: String, _ style: Terminal.Style? = nil) {
            self.text = Escaping.line(text)
            self.style = style
        }
    }

    private static let gap = 2
    private static let shrunkMin = 8

    private let columns: [Column]
    private var rows: [[Cell]] = []

    init(_ columns: [Column]) {
        self.columns = columns
    }

    mutating func add(_ cells: [Cell]) {
        rows.append(cells)
    }

    func lines(_ terminal: Terminal) -> [String] {
        let widths = fit(terminal.width)
        let head = columns.map { Cell($0.title, .bold) }
        return ([head] + rows).map { row in
            var line = ""
            for (index, cell) in row.enumerated() where index < widths.count {
                let text = TextWidth.cut(cell.text, to: widths[index])
                line += terminal.paint(text, cell.style)
                if index < row.count - 1 {
                    line += String(repeating: " ", count: widths[index] - TextWidth.of(text) + Self.gap)
                }
            }
            while line.last == " " { line.removeLast() }
            return line
        }
    }

    private func fit(_ total: Int) -> [Int] {
        var widths = columns.indices.map { index in
            ([TextWidth.of(columns[index].title)] + rows.map { index < $0.count ? TextWidth.of($0[index].text) : 0 })
                .max() ?? 0
        }
        var excess = widths.reduce(0, +) + Self.gap * (columns.count - 1) - total
        while excess > 0 {
            // The widest gives way first.
            let candidates = widths.indices.filter { columns[$0].canShrink && widths[$0] > Self.shrunkMin }
            guard let widest = candidates.max(by: { widths[$0] < widths[$1] }) else { break }
            widths[widest] -= 1
            excess -= 1
        }
        return widths
    }
}

/// How many columns text takes on a terminal.
enum TextWidth {
    static func of(_ text: String) -> Int {
        text.reduce(0) { $0 + of($1) }
    }

    static func cut(_ text: String, to width: Int) -> String {
        guard of(text) > width else { return text }
        var result = ""
        var used = 0
        for character in text {
            guard used + of(character) <= width - 1 else { break }
            result.append(character)
            used += of(character)
        }
        return result + "…"
    }

    /// Breaks text into lines at spaces, and inside words that are too long.
    static func wrap(_ text: String, to width: Int) -> [String] {
        var lines: [String] = []
        var line = ""
        for word in text.split(separator: " ", omittingEmptySubsequences: false) {
            var rest = String(word)
            if !line.isEmpty, of(line) + 1 + of(rest) > width {
                lines.append(line)
                line = ""
            }
            while of(rest) > width {
                let head = String(cut(rest, to: width + 1).dropLast())
                guard !head.isEmpty else { break }
                lines.append(head)
                rest = String(rest.dropFirst(head.count))
            }
            line += line.isEmpty ? rest : " " + rest
        }
        if !line.isEmpty || lines.isEmpty { lines.append(line) }
        return lines
    }

    /// Two for East Asian wide characters and emoji, one for others; combining marks belong to their character.
    private static func of(_ character: Character) -> Int {
        guard let scalar = character.unicodeScalars.first else { return 0 }
        switch scalar.value {
        case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F,
            0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1FAFF, 0x20000...0x3FFFD:
            return 2
        default:
            return 1
        }
    }
}
