internal import Sigma

/// One record of the Linux audit system, as auditd writes it to `audit.log`:
///
///     [node=NAME ]type=SYSCALL msg=audit(SECONDS.MILLISECONDS:SERIAL): name=value name="value" …␝NAME="value" …
///
/// Behind the group separator (0x1D) stand the names that auditd found for numbers. Text that somebody else may have
/// chosen is in quotes, or in upper-case hexadecimal when there is anything in it but plain characters; the kernel
/// leaves no third way, so a value that looks like a field of its own never becomes one.
enum AuditRecord {
    /// Longest name of a field; a longer one is passed over with its value.
    static let nameBytesMax = 64

    struct Header {
        var node = Piece(0, 0)
        var type: Piece
        var serial: Piece
        /// Nanoseconds since 1970.
        var time: Int64
    }

    struct Pair {
        enum Form {
            /// As it is, or in hexadecimal.
            case bare
            /// In double quotes: no escapes.
            case quoted
            /// In single quotes or braces: pairs of its own.
            case group
        }

        var name: Piece
        var value: Piece
        var form: Form
        /// Whether what the value began with was closed.
        var isWhole = true
    }

    /// - Returns: `nil` when the line is no audit record, else whether it was read without a fault.
    static func parse(_ line: Span<UInt8>, into draft: inout EventDraft) -> Bool? {
        var rest = line.whole
        rest.dropTrailingTerminator(in: line)
        guard let header = header(line, &rest) else { return nil }
        draft.eventClass = EventClasses.auditd
        draft.time = header.time
        draft.add(Fields.type, header.type)
        draft.add(Fields.serial, header.serial, kind: .number)
        if !header.node.isEmpty {
            draft.add(Fields.node, header.node)
            draft.add(Fields.host, header.node)
        }
        var reading = Reading(isExec: line.equal(header.type, "EXECVE"))
        var body = rest
        body.skipSpaces(in: line)
        if let word = firstWord(line, body), line.find(UInt8(ascii: "="), in: word) == nil {
            // A sentence of a security module's (`avc:  denied  { read } for  pid=…`).
            draft.add(Fields.message, Piece(body.start, separator(line, body)))
        }
        while let pair = next(line, &rest, isInner: false) {
            reading.take(line, pair, into: &draft)
        }
        reading.finishArgument(line, into: &draft)
        if line.equal(header.type, "SYSCALL") { reading.nameCall(line, into: &draft) }
        return reading.isWhole
    }

    /// Takes the head of a record off the front, up to the first of its fields.
    static func header(_ line: Span<UInt8>, _ rest: inout Piece) -> Header? {
        var node = Piece(0, 0)
        if rest.skip("node=", in: line) {
            node = rest.takeToken(in: line)
            guard !node.isEmpty, rest.skip(" ", in: line) else { return nil }
        }
        guard rest.skip("type=", in: line) else { return nil }
        let type = rest.takeToken(in: line)
        guard !type.isEmpty, rest.skip(" msg=audit(", in: line) else { return nil }
        let seconds = line.digits(at: rest.start, atMost: 10, before: rest.end)
        rest.start = seconds.end
        guard rest.skip(".", in: line), let whole = line.decimal(seconds), whole < 9_000_000_000 else { return nil }
        let fraction = line.digits(at: rest.start, atMost: 3, before: rest.end)
        rest.start = fraction.end
        guard fraction.count == 3, let milliseconds = line.decimal(fraction), rest.skip(":", in: line) else {
            return nil
        }
        let serial = line.digits(at: rest.start, atMost: 18, before: rest.end)
        rest.start = serial.end
        guard !serial.isEmpty, rest.skip("):", in: line) else { return nil }
        let time = Int64(whole) * 1_000_000_000 + Int64(milliseconds) * 1_000_000
        return Header(node: node, type: type, serial: serial, time: time)
    }

    /// Takes the next field off the front; `nil` when there is none left. Words without a value are passed over.
    ///
    /// - Parameter isInner: what programs write themselves (`msg='…'`) may have fields in parentheses, with commas.
    static func next(_ line: Span<UInt8>, _ rest: inout Piece, isInner: Bool) -> Pair? {
        while !rest.isEmpty {
            let byte = line.byte(at: rest.start)
            if byte <= 0x20 || isInner && (byte == UInt8(ascii: "(") || byte == UInt8(ascii: ",")) {
                rest.start += 1
                continue
            }
            let name = takeName(line, &rest)
            guard rest.skip("=", in: line) else {
                // No name: the rest of the word, or at least the byte that ended it.
                rest.start = max(wordEnd(line, rest), min(rest.end, rest.start + 1))
                continue
            }
            let pair = takeValue(line, name, &rest, isInner: isInner)
            guard !name.isEmpty, name.count <= nameBytesMax else { continue }
            return pair
        }
        return nil
    }

    private static func takeName(_ line: Span<UInt8>, _ rest: inout Piece) -> Piece {
        let start = rest.start
        scan: while !rest.isEmpty {
            switch line.byte(at: rest.start) {
            case 0...0x20, UInt8(ascii: "="), UInt8(ascii: "\""), UInt8(ascii: "'"), 0x7F: break scan
            default: rest.start += 1
            }
        }
        return Piece(start, rest.start)
    }

    private static func takeValue(
        _ line: Span<UInt8>, _ name: Piece, _ rest: inout Piece, isInner: Bool
    ) -> Pair {
        let start = rest.start
        switch rest.isEmpty ? 0 : line.byte(at: start) {
        case UInt8(ascii: "\""):
            let close = line.find(UInt8(ascii: "\""), in: Piece(start + 1, rest.end))
            rest.start = close.map { $0 + 1 } ?? rest.end
            return Pair(name: name, value: Piece(start + 1, close ?? rest.end), form: .quoted, isWhole: close != nil)
        case UInt8(ascii: "'"):
            // It ends with the last one: programs put names of users between them as they are.
            let within = Piece(start + 1, separator(line, rest))
            let close = line.findLast(UInt8(ascii: "'"), in: within)
            rest.start = close.map { $0 + 1 } ?? within.end
            return Pair(name: name, value: Piece(start + 1, close ?? within.end), form: .group, isWhole: close != nil)
        case UInt8(ascii: "{"):
            guard let close = line.find(UInt8(ascii: "}"), in: rest) else { break }
            rest.start = close + 1
            return Pair(name: name, value: Piece(start + 1, close), form: .group)
        default: break
        }
        var end = wordEnd(line, rest)
        if !isInner { end = gluedName(line, Piece(start, end)) ?? end }
        rest.start = end
        while isInner, end > start,
            line.byte(at: end - 1) == UInt8(ascii: ",") || line.byte(at: end - 1) == UInt8(ascii: ")"),
            !line.equal(Piece(start, end), "(null)"), !line.equal(Piece(start, end), "(none)")
        {
            end -= 1
        }
        return Pair(name: name, value: Piece(start, end), form: .bare)
    }

    /// Where what auditd added begins in a bare value, when the separator was lost on the way, as in
    /// `key=(null)ARCH=x86_64`: its names are in capitals. Nobody else's text stands bare in a record.
    private static func gluedName(_ line: Span<UInt8>, _ value: Piece) -> Int? {
        guard let equals = line.find(UInt8(ascii: "="), in: value) else { return nil }
        // A socket's address is in hexadecimal, which has capitals too.
        if line.has("SADDR", at: equals - 5, before: equals) { return equals - 5 > value.start ? equals - 5 : nil }
        var start = equals
        while start > value.start, (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(line.byte(at: start - 1)) {
            start -= 1
        }
        return start > value.start && equals - start >= 2 ? start : nil
    }

    private static func firstWord(_ line: Span<UInt8>, _ body: Piece) -> Piece? {
        var rest = body
        rest.end = wordEnd(line, rest)
        return rest.isEmpty ? nil : rest
    }

    /// Where the word that `rest` begins with ends.
    private static func wordEnd(_ line: Span<UInt8>, _ rest: Piece) -> Int {
        line.find(UInt8(ascii: " "), or: 0x1D, in: rest) ?? rest.end
    }

    /// Where what auditd added begins, or the end.
    private static func separator(_ line: Span<UInt8>, _ rest: Piece) -> Int {
        line.find(0x1D, in: rest) ?? rest.end
    }
}

/// What a value means.
extension AuditRecord {
    /// Whether a bare value of this field is hexadecimal for other text.
    ///
    /// - Parameter isExec: the record is an `EXECVE`, whose `a0`, `a1`, … are arguments; elsewhere they are numbers.
    static func isEncoded(_ line: Span<UInt8>, _ name: Piece, isExec: Bool) -> Bool {
        switch line.byte(at: name.start) {
        case UInt8(ascii: "a"):
            if isExec, argument(line, name) != nil { return true }
            return line.equal(name, "acct")
        case UInt8(ascii: "c"):
            return line.equal(name, "comm") || line.equal(name, "cwd") || line.equal(name, "cmd")
                || line.equal(name, "cgroup")
        case UInt8(ascii: "d"):
            return line.equal(name, "dir") || line.equal(name, "data") || line.equal(name, "device")
        case UInt8(ascii: "e"): return line.equal(name, "exe")
        case UInt8(ascii: "f"): return line.equal(name, "file")
        case UInt8(ascii: "g"): return line.equal(name, "grp")
        case UInt8(ascii: "i"): return line.equal(name, "invalid_context")
        case UInt8(ascii: "k"): return line.equal(name, "key")
        case UInt8(ascii: "n"): return line.equal(name, "name") || line.equal(name, "new_group")
        case UInt8(ascii: "o"): return line.equal(name, "ocomm")
        case UInt8(ascii: "p"): return line.equal(name, "proctitle") || line.equal(name, "path")
        case UInt8(ascii: "r"): return line.equal(name, "root_dir")
        case UInt8(ascii: "s"): return line.equal(name, "sw")
        case UInt8(ascii: "v"): return line.equal(name, "vm")
        case UInt8(ascii: "w"): return line.equal(name, "watch")
        default: return false
        }
    }

    /// Which argument a field of an `EXECVE` record is, or is a part of: `a12` and `a12[3]` are the twelfth. `end` is
    /// where the name without the part's number ends.
    static func argument(_ line: Span<UInt8>, _ name: Piece) -> (number: Int, end: Int, isPart: Bool)? {
        guard line.byte(at: name.start) == UInt8(ascii: "a") else { return nil }
        let digits = line.digits(at: name.start + 1, atMost: 9, before: name.end)
        guard let number = line.decimal(digits) else { return nil }
        if digits.end == name.end { return (number, digits.end, false) }
        guard line.byte(at: digits.end) == UInt8(ascii: "["), line.byte(at: name.end - 1) == UInt8(ascii: "]") else {
            return nil
        }
        let part = line.digits(at: digits.end + 1, atMost: 9, before: name.end)
        guard !part.isEmpty, part.end == name.end - 1 else { return nil }
        return (number, digits.end, true)
    }

    /// Whether `value` is upper-case hexadecimal of whole bytes.
    static func isHex(_ line: Span<UInt8>, _ value: Piece) -> Bool {
        guard value.count >= 2, value.count.isMultiple(of: 2) else { return false }
        for at in value.start..<value.end {
            switch line.byte(at: at) {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "F"): continue
            default: return false
            }
        }
        return true
    }

    static func appendHex(_ line: Span<UInt8>, _ value: Piece, to decoded: inout [UInt8]) {
        for at in stride(from: value.start, to: value.end - 1, by: 2) {
            guard let high = HexDigit.value(line.byte(at: at)), let low = HexDigit.value(line.byte(at: at + 1)) else {
                return
            }
            decoded.append(high << 4 | low)
        }
    }

    /// Appends what the value of a field says, without quotes and decoded; false for `(null)`, which says nothing.
    static func append(
        _ line: Span<UInt8>, _ pair: Pair, isExec: Bool, to text: inout [UInt8]
    ) -> Bool {
        if pair.form == .bare {
            if line.equal(pair.value, "(null)") { return false }
            if isEncoded(line, pair.name, isExec: isExec), isHex(line, pair.value) {
                appendHex(line, pair.value, to: &text)
                return true
            }
        }
        let value = line.clamp(pair.value)
        for at in value.start..<value.end { text.append(line[at]) }
        return true
    }
}

/// A record's fields on their way into the draft.
private struct Reading {
    let isExec: Bool
    var isWhole = true
    private var architecture = Piece(0, 0)
    private var call = Piece(0, 0)
    private var isCallNamed = false
    /// An argument that came in parts: its name, and where its bytes begin in the draft's decoded bytes.
    private var argument: (number: Int, name: Piece, start: Int)?

    init(isExec: Bool) {
        self.isExec = isExec
    }

    mutating func take(_ line: Span<UInt8>, _ pair: AuditRecord.Pair, into draft: inout EventDraft) {
        if !pair.isWhole { isWhole = false }
        if isExec, let part = AuditRecord.argument(line, pair.name), part.isPart {
            takePart(line, pair, part.number, Piece(pair.name.start, part.end), into: &draft)
            return
        }
        finishArgument(line, into: &draft)
        if pair.form == .group {
            takeGroup(line, pair, into: &draft)
            return
        }
        note(line, pair)
        add(line, pair, into: &draft)
    }

    /// The parts of one argument that follow each other in a record become one value.
    private mutating func takePart(
        _ line: Span<UInt8>, _ pair: AuditRecord.Pair, _ number: Int, _ name: Piece, into draft: inout EventDraft
    ) {
        if argument?.number != number {
            finishArgument(line, into: &draft)
            argument = (number, name, draft.decoded.count)
        }
        // The name is one of an argument's, but for the part's number.
        let plain = AuditRecord.Pair(name: name, value: pair.value, form: pair.form)
        _ = AuditRecord.append(line, plain, isExec: true, to: &draft.decoded)
    }

    mutating func finishArgument(_ line: Span<UInt8>, into draft: inout EventDraft) {
        guard let argument else { return }
        let value = Piece(argument.start, draft.decoded.count)
        if value.isEmpty {
            draft.add(named: argument.name, of: .line, in: line, Piece(argument.name.end, argument.name.end))
        } else {
            draft.add(named: argument.name, of: .line, in: line, value, from: .decoded)
        }
        self.argument = nil
    }

    private mutating func takeGroup(_ line: Span<UInt8>, _ pair: AuditRecord.Pair, into draft: inout EventDraft) {
        var value = pair.value
        value.skipSpaces(in: line)
        value.dropTrailingSpaces(in: line)
        if line.equal(pair.name, "msg") {
            draft.add(Fields.message, value)
        } else {
            draft.add(named: pair.name, of: .line, in: line, value)
        }
        while let inner = AuditRecord.next(line, &value, isInner: true) {
            if !inner.isWhole { isWhole = false }
            add(line, inner, into: &draft)
        }
    }

    private mutating func note(_ line: Span<UInt8>, _ pair: AuditRecord.Pair) {
        switch line.byte(at: pair.name.start) {
        case UInt8(ascii: "a") where line.equal(pair.name, "arch"): architecture = pair.value
        case UInt8(ascii: "s") where line.equal(pair.name, "syscall"): call = pair.value
        case UInt8(ascii: "S") where line.equal(pair.name, "SYSCALL"): isCallNamed = true
        default: break
        }
    }

    private func add(_ line: Span<UInt8>, _ pair: AuditRecord.Pair, into draft: inout EventDraft) {
        guard pair.form == .bare else {
            draft.add(named: pair.name, of: .line, in: line, pair.value)
            return
        }
        if line.equal(pair.value, "(null)") {
            draft.add(named: pair.name, of: .line, in: line, pair.value, kind: .null)
            return
        }
        guard AuditRecord.isEncoded(line, pair.name, isExec: isExec), AuditRecord.isHex(line, pair.value) else {
            draft.add(named: pair.name, of: .line, in: line, pair.value)
            return
        }
        var start = draft.decoded.count
        AuditRecord.appendHex(line, pair.value, to: &draft.decoded)
        if line.equal(pair.name, "proctitle") {
            // The arguments, each ended by a NUL.
            for at in start..<draft.decoded.count where draft.decoded[at] == 0 { draft.decoded[at] = 0x20 }
        } else if line.equal(pair.name, "key") {
            // Several keys of one rule: as many values.
            for at in start..<draft.decoded.count where draft.decoded[at] == 1 {
                draft.add(named: pair.name, of: .line, in: line, Piece(start, at), from: .decoded)
                start = at + 1
            }
        }
        draft.add(named: pair.name, of: .line, in: line, Piece(start, draft.decoded.count), from: .decoded)
    }

    /// Names the system call where auditd did not.
    func nameCall(_ line: Span<UInt8>, into draft: inout EventDraft) {
        guard !isCallNamed, !call.isEmpty else { return }
        let start = draft.decoded.count
        guard AuditSyscalls.append(line, architecture: architecture, number: call, to: &draft.decoded) else { return }
        draft.add(Fields.syscall, Piece(start, draft.decoded.count), from: .decoded)
    }
}
