import Glibc
import Synchronization

/// A terminal that is taken over for a picture that is drawn again and again: on its second screen, without a cursor,
/// and with keys that come one by one. Everything is as before once this is gone.
struct LiveScreen: ~Copyable {
    enum Wake {
        /// The time has passed.
        case time
        /// The terminal has another size.
        case resize
        /// Somebody wants to end: a key, or a signal.
        case end
    }

    private static let enter = "\u{1B}[?1049h\u{1B}[?25l\u{1B}[?7l\u{1B}[H\u{1B}[2J"
    private static let leave = "\u{1B}[?7h\u{1B}[?25h\u{1B}[?1049l"
    private static let signals = [SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH]

    private var before = termios()
    private let hasKeys: Bool
    private let wakeEnd: Int32

    /// - Returns: `nil` when stdout is no terminal.
    init?() {
        guard isatty(STDOUT_FILENO) == 1 else { return nil }
        var ends: [Int32] = [-1, -1]
        guard unsafe pipe(&ends) == 0 else { return nil }
        // The handler must never wait, and neither must whoever reads what it wrote.
        for end in ends { _ = fcntl(end, F_SETFL, O_NONBLOCK) }
        wakeEnd = ends[0]
        signalEnd.store(ends[1], ordering: .releasing)
        var now = termios()
        hasKeys = unsafe isatty(STDIN_FILENO) == 1 && tcgetattr(STDIN_FILENO, &now) == 0
        before = now
        if hasKeys {
            // Ctrl-C and Ctrl-Z come as keys: the screen is to be left in order.
            now.c_lflag &= ~tcflag_t(ICANON | ECHO | ISIG)
            unsafe tcsetattr(STDIN_FILENO, TCSANOW, &now)
        }
        for number in Self.signals { signal(number, tellSignal) }
        Output.write(bytes: Array(Self.enter.utf8))
    }

    deinit {
        for number in Self.signals { signal(number, SIG_DFL) }
        if hasKeys {
            var mode = before
            unsafe tcsetattr(STDIN_FILENO, TCSAFLUSH, &mode)
        }
        Output.write(bytes: Array(Self.leave.utf8))
        close(signalEnd.exchange(-1, ordering: .acquiringAndReleasing))
        close(wakeEnd)
    }

    /// Lines of the terminal.
    var height: Int {
        var size = winsize()
        guard unsafe ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_row > 0 else { return 24 }
        return Int(size.ws_row)
    }

    /// Puts these lines in the place of those that are there.
    func draw(_ lines: [String]) {
        let text = lines.map { $0 + "\u{1B}[K" }.joined(separator: "\n")
        Output.write(bytes: Array("\u{1B}[H\(text)\u{1B}[J".utf8))
    }

    /// Waits for a key, a signal or the time. Other keys than `q`, Ctrl-C and Ctrl-\ change nothing.
    func wait(_ duration: Duration) -> Wake {
        let end = ContinuousClock.now + duration
        while true {
            let left = max(.zero, end - ContinuousClock.now)
            let milliseconds = left.components.seconds * 1000 + left.components.attoseconds / 1_000_000_000_000_000
            var places = [
                pollfd(fd: wakeEnd, events: Int16(POLLIN), revents: 0),
                pollfd(fd: hasKeys ? STDIN_FILENO : -1, events: Int16(POLLIN), revents: 0),
            ]
            let ready = unsafe poll(&places, 2, Int32(clamping: milliseconds))
            if ready == 0 { return .time }
            if ready < 0, errno != EINTR { return .end }
            guard ready > 0 else { continue }
            if places[0].revents != 0, let byte = Self.readByte(wakeEnd) {
                return Int32(byte) == SIGWINCH ? .resize : .end
            }
            if places[1].revents != 0 {
                guard let key = Self.readByte(STDIN_FILENO) else { return .end }
                if [UInt8(ascii: "q"), UInt8(ascii: "Q"), 3, 28, 4].contains(key) { return .end }
            }
        }
    }

    private static func readByte(_ descriptor: Int32) -> UInt8? {
        var byte: UInt8 = 0
        return unsafe read(descriptor, &byte, 1) == 1 ? byte : nil
    }
}

/// Where the signal handler says which signal came: the only thing that it may touch.
private let signalEnd = Atomic<Int32>(-1)

private func tellSignal(_ number: Int32) {
    let saved = errno
    var byte = UInt8(truncatingIfNeeded: number)
    _ = unsafe write(signalEnd.load(ordering: .acquiring), &byte, 1)
    errno = saved
}
