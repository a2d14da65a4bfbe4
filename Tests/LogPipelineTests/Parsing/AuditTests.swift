import Foundation
import IronpostCore
import Sigma
import Testing

@testable import LogPipeline

/// Records of the Linux audit system.
struct AuditTests {
    static let head = "msg=audit(1700000000.123:456):"
    static let moment: Int64 = 1_700_000_000_123_000_000

    static func hex(_ text: String) -> String {
        text.utf8.map { String(format: "%02X", $0) }.joined()
    }

    static let records: [(line: String, fields: [String])] = [
        (
            "type=SYSCALL \(head) arch=c000003e syscall=59 success=yes a0=26 comm=\"split\" exe=\"/usr/bin/split\" "
                + "key=(null)\u{1D}ARCH=x86_64 SYSCALL=execve UID=\"www-data\"",
            [
                "type=SYSCALL", "arch=c000003e", "syscall=59", "success=yes", "a0=26", "comm=split",
                "exe=/usr/bin/split", "ARCH=x86_64", "SYSCALL=execve", "UID=www-data",
            ]
        ),
        // Without what auditd adds, the number is named all the same.
        (
            "type=SYSCALL \(head) arch=c00000b7 syscall=221 a0=40000",
            ["type=SYSCALL", "arch=c00000b7", "syscall=221", "a0=40000", "SYSCALL=execve"]
        ),
        (
            "type=SYSCALL \(head) arch=40000003 syscall=11",
            ["type=SYSCALL", "arch=40000003", "syscall=11", "SYSCALL=execve"]
        ),
        ("type=SYSCALL \(head) arch=c000003e syscall=9999", ["type=SYSCALL", "arch=c000003e", "syscall=9999"]),
        (
            "node=web1 type=EXECVE \(head) argc=4 a0=\"sh\" a1=2D63 a2=\(hex("echo \"x\" é")) a3=\"00\"",
            ["type=EXECVE", "node=web1", "host=web1", "argc=4", "a0=sh", "a1=-c", "a2=echo \"x\" é", "a3=00"]
        ),
        // A long argument comes in parts, each as it likes.
        (
            "type=EXECVE \(head) argc=3 a0=\"sh\" a1_len=9 a1[0]=\(hex("a b")) a1[1]=\"cde\" a2[7]=\"z\" a2[x]=\"q\"",
            ["type=EXECVE", "argc=3", "a0=sh", "a1_len=9", "a1=a bcde", "a2=z", "a2[x]=q"]
        ),
        ("type=CWD \(head) cwd=\(hex("/tmp/a b"))\u{1D}", ["type=CWD", "cwd=/tmp/a b"]),
        (
            "type=PATH \(head) item=0 name=\"/etc/issue\" nametype=NORMAL\u{1D}OUID=\"root\"",
            ["type=PATH", "item=0", "name=/etc/issue", "nametype=NORMAL", "OUID=root"]
        ),
        ("type=PATH \(head) item=1 name=(null) nametype=CREATE", ["type=PATH", "item=1", "nametype=CREATE"]),
        ("type=PROCTITLE \(head) proctitle=\(hex("tar\0-c\0x"))", ["type=PROCTITLE", "proctitle=tar -c x"]),
        // Two keys of one rule.
        ("type=SYSCALL \(head) key=\(hex("one\u{1}two"))", ["type=SYSCALL", "key=one", "key=two"]),
        (
            "type=USER_CMD \(head) pid=7 msg='cwd=\"/root\" cmd=\(hex("cat /etc/shadow")) terminal=pts/0 res=success'\u{1D}UID=\"bob\"",
            [
                "type=USER_CMD", "pid=7",
                "message=cwd=\"/root\" cmd=\(hex("cat /etc/shadow")) terminal=pts/0 res=success", "cwd=/root",
                "cmd=cat /etc/shadow", "terminal=pts/0", "res=success", "UID=bob",
            ]
        ),
        (
            "type=USER_AUTH \(head) msg='PAM: authentication acct=\"root\" : exe=\"/bin/su\" (hostname=?, addr=?, res=failed)'",
            [
                "type=USER_AUTH",
                "message=PAM: authentication acct=\"root\" : exe=\"/bin/su\" (hostname=?, addr=?, res=failed)",
                "acct=root", "exe=/bin/su", "hostname=?", "addr=?", "res=failed",
            ]
        ),
        (
            "type=SOCKADDR \(head) saddr=0200\u{1D}SADDR={ saddr_fam=inet laddr=192.0.2.1 lport=22 }",
            [
                "type=SOCKADDR", "saddr=0200", "SADDR=saddr_fam=inet laddr=192.0.2.1 lport=22", "saddr_fam=inet",
                "laddr=192.0.2.1", "lport=22",
            ]
        ),
        (
            "type=AVC \(head) avc:  denied  { read } for  pid=11 comm=\"cat\"",
            ["type=AVC", "message=avc:  denied  { read } for  pid=11 comm=\"cat\"", "pid=11", "comm=cat"]
        ),
        ("type=EOE \(head) ", ["type=EOE"]),
        ("type=UNKNOWN[1334] \(head) prog-id=3 op=LOAD", ["type=UNKNOWN[1334]", "prog-id=3", "op=LOAD"]),
        // Copied without the separator.
        (
            "type=SYSCALL \(head) tty=pts0 key=(null)ARCH=x86_64 SYSCALL=open",
            ["type=SYSCALL", "tty=pts0", "ARCH=x86_64", "SYSCALL=open"]
        ),
        (
            "type=PATH \(head) cap_fver=0OUID=\"root\" OGID=\"root\"",
            ["type=PATH", "cap_fver=0", "OUID=root", "OGID=root"]
        ),
        (
            "type=SOCKADDR \(head) saddr=0200AASADDR={ saddr_fam=inet }",
            ["type=SOCKADDR", "saddr=0200AA", "SADDR=saddr_fam=inet", "saddr_fam=inet"]
        ),
        ("type=X \(head) a=FOO=1 b=xA=1", ["type=X", "a=FOO=1", "b=xA=1"]),
        (
            "type=USER_AUTH \(head) msg='hostname=xUID=0 res=failed'",
            ["type=USER_AUTH", "message=hostname=xUID=0 res=failed", "hostname=xUID=0", "res=failed"]
        ),
        // What is no hexadecimal of whole bytes is itself; so are numbers that look like it.
        ("type=PATH \(head) name=ABC dev=AB", ["type=PATH", "name=ABC", "dev=AB"]),
        ("type=X \(head) = =a b= \"c\"=d e", ["type=X", "b="]),
    ]

    @Test("a record's fields", arguments: records.indices, [LineFormat.auto, .auditd])
    func fields(index: Int, format: LineFormat) {
        let line = ParsedLine(Array(Self.records[index].line.utf8), format: format)
        #expect(line.eventClass == EventClasses.auditd)
        #expect(line.time == Self.moment)
        #expect(line["serial"] == "456")
        let shown = line.fields.filter { $0.name != "serial" && $0.value != "(null)" }
        #expect(shown.map { "\($0.name)=\($0.value)" } == Self.records[index].fields)
        #expect(line.parseErrors == 0)
    }

    @Test(
        "what only begins like a record is none",
        arguments: [
            "type=SYSCALL", "type=SYSCALL msg=audit(1700000000.123:456)", "type= msg=audit(1700000000.123:456): a=b",
            "type=A msg=audit(1700000000.12:456): a=b", "type=A msg=audit(.123:456): a=b",
            "type=A msg=audit(9999999999.123:456): a=b", "type=A msg=audit(1700000000.123:): a=b",
            "node= type=A msg=audit(1700000000.123:4): a=b", "node=a type=b", " type=A msg=audit(1.123:4): a=b",
        ])
    func noRecord(text: String) {
        #expect(ParsedLine(text).eventClass != EventClasses.auditd)
        let said = ParsedLine(text, format: .auditd)
        #expect(said.eventClass == EventClasses.plain)
        #expect(said["message"] == text)
        #expect(said.parseErrors == 1)
    }

    @Test func `a quote that is not closed is told, and what stands before it is kept`() {
        let line = ParsedLine("type=A \(Self.head) x=1 comm=\"ab")
        #expect(line.eventClass == EventClasses.auditd)
        #expect(line.extracted == ["comm=ab", "serial=456", "type=A", "x=1"])
        #expect(line.parseErrors == 1)
    }

    /// A name that its owner chose is in quotes or in hexadecimal, and makes no field of its own.
    @Test func `text in a value is no field`() {
        let name = "x exe=/usr/bin/kmod"
        let line = ParsedLine("type=SYSCALL \(Self.head) comm=\(Self.hex(name)) exe=\"/tmp/x uid=0\" uid=33")
        #expect(line["comm"] == name)
        #expect(line.all("exe") == ["/tmp/x uid=0"])
        #expect(line.all("uid") == ["33"])
    }

    @Test func `a long argument's parts and many keys stay within the bounds of an event`() {
        let parts = (0..<40_000).map { " a1[\($0)]=4142" }.joined()
        let line = ParsedLine("type=EXECVE \(Self.head) argc=2 a0=\"x\"\(parts)")
        #expect(line["a1"] == String(repeating: "AB", count: 40_000))
        let keys = ParsedLine("type=SYSCALL \(Self.head) key=" + String(repeating: "01", count: 50_000))
        #expect(keys.fields.count <= EventTable.namedFieldsPerEventMax)
    }

    // MARK: - Against a reference

    /// The same by splitting strings, slowly: fields in order, `nil` values for `(null)`.
    static func reference(_ line: String) -> [String] {
        var text = line
        var fields: [String] = []
        var node: String?
        if text.hasPrefix("node=") {
            let parts = text.split(separator: " ", maxSplits: 1)
            node = String(parts[0].dropFirst(5))
            text = String(parts[1])
        }
        let parts = text.components(separatedBy: "): ")
        let type = String(parts[0].dropFirst(5).prefix { $0 != " " })
        fields.append("type=\(type)")
        fields.append("serial=" + (parts[0].components(separatedBy: ":").last ?? ""))
        if let node { fields += ["node=\(node)", "host=\(node)"] }
        var whole: (name: String, value: String)?
        func finish() {
            if let whole { fields.append("\(whole.name)=\(whole.value)") }
            whole = nil
        }
        func take(_ pair: String) {
            guard let equals = pair.firstIndex(of: "=") else { return }
            var name = String(pair[..<equals])
            let written = String(pair[pair.index(after: equals)...])
            let isArgument =
                type == "EXECVE" && name.wholeMatch(of: /a[0-9]+(\[[0-9]+\])?/) != nil
            let isText = isArgument || ["comm", "exe", "cwd", "name", "key", "proctitle", "cmd", "acct"].contains(name)
            var value = written
            if written.hasPrefix("\"") {
                value = String(written.dropFirst().dropLast())
            } else if isText, written.wholeMatch(of: /([0-9A-F][0-9A-F])+/) != nil {
                var bytes: [UInt8] = []
                var rest = written[...]
                while !rest.isEmpty {
                    bytes.append(UInt8(rest.prefix(2), radix: 16) ?? 0)
                    rest = rest.dropFirst(2)
                }
                if name == "proctitle" { bytes = bytes.map { $0 == 0 ? 0x20 : $0 } }
                value = String(decoding: bytes, as: UTF8.self)
            }
            if isArgument, let bracket = name.firstIndex(of: "[") {
                name = String(name[..<bracket])
                if whole?.name == name {
                    whole?.value += value
                } else {
                    finish()
                    whole = (name, value)
                }
                return
            }
            finish()
            if name == "key", written != value, !written.hasPrefix("\"") {
                for key in value.components(separatedBy: "\u{1}") { fields.append("key=\(key)") }
            } else {
                fields.append("\(name)=\(value)")
            }
        }
        let body = parts.dropFirst().joined(separator: "): ")
        for half in body.components(separatedBy: "\u{1D}") {
            var rest = half
            // A space inside of quotes parts nothing.
            while let match = rest.firstMatch(of: /[^ =]+=("[^"]*"|[^ ]*)/) {
                take(String(match.output.0))
                rest = String(rest[match.range.upperBound...])
            }
        }
        finish()
        return fields
    }

    static func record(_ random: inout SplitMix) -> String {
        func pick<T>(_ list: [T]) -> T { list[random.next(below: list.count)] }
        let type = pick(["SYSCALL", "EXECVE", "PATH", "CWD", "PROCTITLE", "ADD_USER"])
        let texts = ["ls", "/usr/bin/a b", "x=y", "\"", "é", "AB", "a\u{1}b", "tar\u{0}-c", "", "12", "(null)", "'"]
        var line = random.next(below: 4) == 0 ? "node=h\(random.next(below: 9)) " : ""
        line += "type=\(type) msg=audit(17000000\(10 + random.next(below: 90)).\(100 + random.next(below: 900)):"
        line += "\(random.next(below: 100_000))): "
        var pairs: [String] = []
        for _ in 0..<random.next(below: 12) {
            let text = pick(texts)
            let isPlain = text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x22 }
            let written = isPlain && random.next(below: 3) > 0 || text.isEmpty ? "\"\(text)\"" : hex(text)
            switch random.next(below: 5) {
            case 0:
                pairs.append("\(pick(["pid", "uid", "a0", "a1", "res", "old-x", "items"]))=\(random.next(below: 999))")
            case 1 where type == "EXECVE":
                for part in 0...random.next(below: 3) { pairs.append("a\(random.next(below: 3))[\(part)]=\(written)") }
            case 1, 2:
                pairs.append(
                    "\(pick(["comm", "exe", "cwd", "name", "key", "proctitle", "acct", "a2", "a0"]))=\(written)")
            case 3: pairs.append("\(pick(["subj", "tty", "ses"]))=\(pick(["?", "(none)", "unset", "-"]))")
            default: pairs.append("\(pick(["argc", "a3_len", "dev"]))=\(pick(["08:01", "AB", "0"]))")
            }
        }
        line += pairs.joined(separator: " ")
        if random.next(below: 2) == 0 {
            line += "\u{1D}ARCH=x86_64 UID=\"\(pick(["root", "a b", "unset"]))\""
        }
        return line
    }

    @Test func `six hundred generated records against a reference`() {
        var random = SplitMix(state: 0xA0D17)
        var seen = 0
        for _ in 0..<600 {
            let text = Self.record(&random)
            let line = ParsedLine(text)
            let fields = line.fields.map { "\($0.name)=\($0.value)" }
            seen += fields.count
            #expect(fields == Self.reference(text), "\(text)")
        }
        // They say something at all.
        #expect(seen > 3_000)
    }

    // MARK: - Bytes of any kind

    @Test func `100,000 mutated records`() {
        var random = SplitMix(state: 0xBADA)
        var parser = LogParser(fieldNames: FieldNames(wellKnown: Fields.names), zone: .offset(seconds: 0))
        var join = AuditJoin()
        var table = EventTable()
        let seeds = Self.records.map { Array($0.line.utf8) } + AuditJoinTests.started.map { Array($0.utf8) }
        let special = Array("\"'{}()[]=:, \u{0}\u{1D}\n0123456789ABCDEF".utf8) + [0xFF, 0x80]
        var bad = 0
        for number in 0..<100_000 {
            var bytes = seeds[random.next(below: seeds.count)]
            for _ in 0..<random.next(below: 4) {
                let at = random.next(below: bytes.count + 1)
                switch random.next(below: 5) {
                case 0 where at < bytes.count: bytes[at] = special[random.next(below: special.count)]
                case 1 where at < bytes.count: bytes.remove(at: at)
                case 2: bytes.insert(special[random.next(below: special.count)], at: at)
                case 3: bytes.removeSubrange(at...)
                default:
                    let other = seeds[random.next(below: seeds.count)]
                    bytes.replaceSubrange(at..., with: other[random.next(below: other.count + 1)...])
                }
            }
            let format = random.next(below: 2) == 0 ? LineFormat.auto : .auditd
            if !HostileBytesTests.check(bytes, format, &parser, &table) { bad += 1 }
            let before = table.count
            join.add(bytes.span, number: number, into: &table)
            for event in before..<table.count {
                let isInside = table.fields(of: event).allSatisfy { $0.value.end <= table.bytes.count }
                if !isInside || table.events[event].eventClass != EventClasses.processCreation { bad += 1 }
            }
        }
        #expect(bad == 0)
    }
}
