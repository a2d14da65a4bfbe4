import Glibc

/// What stdout is: how wide, and whether it shows colours.
struct Terminal: Sendable {
    var width: Int
    var hasColor: Bool

    static let widthDefault = 100
    static let widthMin = 40

    init(width: Int, hasColor: Bool) {
        self.width = max(Self.widthMin, width)
        self.hasColor = hasColor
    }

    init(_ choice: ColorChoice) {
        let isTerminal = isatty(STDOUT_FILENO) == 1
        let hasColor =
            switch choice {
            case .always: true
            case .never: false
            case .auto: isTerminal && Self.variable("NO_COLOR") == nil && Self.variable("TERM") != "dumb"
            }
        self.init(width: Self.columns(isTerminal: isTerminal), hasColor: hasColor)
    }

    enum Style: String {
        case bold = "1"
        case dim = "2"
        case red = "31"
        case green = "32"
        case yellow = "33"
        case cyan = "36"
    }

    /// - Parameter text: already escaped.
    func paint(_ text: String, _ style: Style?) -> String {
        guard hasColor, let style, !text.isEmpty else { return text }
        return "\u{1B}[\(style.rawValue)m\(text)\u{1B}[0m"
    }

    static func style(severity: String) -> Style? {
        switch severity {
        case "critical", "high": .red
        case "medium": .yellow
        case "low": .cyan
        default: nil
        }
    }

    static func style(health: String) -> Style? {
        switch health {
        case "healthy", "ok": .green
        case "degraded", "limited": .yellow
        case "unhealthy", "missing": .red
        default: nil
        }
    }

    private static func columns(isTerminal: Bool) -> Int {
        if let columns = variable("COLUMNS").flatMap({ Int($0) }), columns > 0 { return min(columns, 1000) }
        var size = winsize()
        if isTerminal, unsafe ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 {
            return Int(size.ws_col)
        }
        return widthDefault
    }

    private static func variable(_ name: String) -> String? {
        guard let value = unsafe getenv(name) else { return nil }
        let text = unsafe String(cString: value)
        return text.isEmpty ? nil : text
    }
}
